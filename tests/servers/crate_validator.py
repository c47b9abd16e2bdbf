"""A program that asks RO-Crate's validator about a crate, with a Python that has the validator.

The validator fetches the terms of RO-Crate from the network. Here it is given those that the crates
of this project use, and nothing else: a term that is not among them is a fault.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from rdflib.plugins.shared.jsonld import context, util
from rocrate_validator.models import Severity
from rocrate_validator.services import validate
from rocrate_validator.utils import http

URL = "https://w3id.org/ro/crate/1.1/context"
SCHEMA_ORG = """
about actionStatus contentSize datePublished description encodingFormat endTime error hasPart
identifier instrument license mainEntity mentions name object position programmingLanguage
propertyID result softwareVersion startTime step url value version workExample ComputerLanguage
ControlAction CreateAction CreativeWork Dataset HowTo HowToStep OrganizeAction PropertyValue
SoftwareApplication SoftwareSourceCode
"""
TERMS = {
    **{term: f"http://schema.org/{term}" for term in SCHEMA_ORG.split()},
    "File": "http://schema.org/MediaObject",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
}
DOCUMENT = {"@context": TERMS}


class Answer:
    """What a server would answer to a request for the terms."""

    status_code = 200
    headers = {"Content-Type": "application/ld+json"}  # noqa: RUF012
    text = json.dumps(DOCUMENT)
    content = text.encode()

    def json(self) -> Any:
        return DOCUMENT


def main(path: str, profile: str) -> None:
    """Print what the crate lacks of a profile; exit with 1 if it lacks anything."""
    source_to_json = util.source_to_json

    def local(source: Any, *args: Any, **more: Any) -> Any:
        return (DOCUMENT, None) if str(source) == URL else source_to_json(source, *args, **more)

    util.source_to_json = context.source_to_json = local
    http.HttpRequester.get = http.HttpRequester.head = lambda *_, **__: Answer()
    settings = {"rocrate_uri": path, "profile_identifier": profile}
    result = validate({**settings, "requirement_severity": Severity.REQUIRED})
    for issue in result.get_issues():
        print(issue.check.identifier, issue.message)
    sys.exit(0 if result.passed() else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
