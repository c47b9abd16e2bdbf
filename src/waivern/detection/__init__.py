"""Personal data in text: a library that needs no network and no other part of waivern.

from waivern.detection import scan
for match in scan("call +44 20 7946 0152"):
    print(match.type, match.start, match.end, match.confidence)
"""

from typing import TYPE_CHECKING, Any

from waivern.detection.delimited import with_line_ends
from waivern.detection.field_names import (
    FieldNames,
    FieldUse,
    classify,
    field_names,
)
from waivern.detection.field_terms import NamedField
from waivern.detection.planted_samples import PlantedSample, planted_samples
from waivern.detection.records import RecordFields
from waivern.detection.ruleset import Ruleset, load_ruleset
from waivern.detection.scan import Found, redact, scan, search
from waivern.detection.tables import context_for_next
from waivern.detection.text_words import TextWords
from waivern.detection.value_types import canonical_mask, mask
from waivern.detection.weighing import Match

if TYPE_CHECKING:
    from waivern.detection.additions import extend_ruleset

__all__ = [
    "FieldNames",
    "FieldUse",
    "Found",
    "Match",
    "NamedField",
    "PlantedSample",
    "RecordFields",
    "Ruleset",
    "TextWords",
    "canonical_mask",
    "classify",
    "context_for_next",
    "extend_ruleset",
    "field_names",
    "load_ruleset",
    "mask",
    "planted_samples",
    "redact",
    "scan",
    "search",
    "with_line_ends",
]


def __getattr__(name: str) -> Any:
    """Import what reads rulesets of users only when it is used: its models need pydantic."""
    if name == "extend_ruleset":
        from waivern.detection.additions import extend_ruleset

        return extend_ruleset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
