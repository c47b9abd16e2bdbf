"""Redaction of the values of `${VAR}`, which must not be written anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

from waivern.language import template

if TYPE_CHECKING:
    from waivern.language.models import Runbook

SHORTEST = 4
"""Characters; a shorter value is shown: redacting it would blank half of every text."""


class Secrets:
    """The values of the variables that a runbook uses, each redacted to its name."""

    def __init__(self, names: Iterable[str], environ: Mapping[str, str]) -> None:
        self.names = tuple(names)
        """The names of the variables."""
        shown = {
            form: f"${{{name}}}"
            for name in self.names
            for form in _forms(environ.get(name, ""))
            if len(form) >= SHORTEST
        }
        # longest first: one value may contain another
        self._shown = sorted(shown.items(), key=lambda item: -len(item[0]))

    @classmethod
    def of(cls, runbook: Runbook, environ: Mapping[str, str]) -> Self:
        """Return those that the runbook's components are given."""
        from waivern.language.producer_specs import ProcessSpec, SourceSpec

        found: set[str] = set()
        for artifact in runbook.artifacts.values():
            if isinstance(artifact.producer, (SourceSpec, ProcessSpec)):
                found |= template.names(artifact.producer.properties).keys()
        return cls(found, environ)

    def hide(self, text: str) -> str:
        """Return `text` with every value replaced by `${NAME}`: escaped or cut into lines, too."""
        for value, name in self._shown:
            if value in text:
                text = text.replace(value, name)
        return text


def _forms(value: str) -> set[str]:
    """Return how a value may look: as it is, as Python, JSON or a URL write it, line by line."""
    from urllib.parse import quote, quote_plus

    quoted = {
        *(write(value, safe="", errors="surrogatepass") for write in (quote, quote_plus)),
        quote(value, errors="surrogatepass"),
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    return {value, *quoted, *value.splitlines()}
