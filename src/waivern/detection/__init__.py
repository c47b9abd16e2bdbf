"""Personal data in text: a library of its own that needs no network and no other room.

from waivern.detection import scan
for match in scan("call +44 20 7946 0152"):
    print(match.type, match.start, match.end, match.confidence)
"""

from waivern.detection.field_names import FieldUse, NamedField, classify, field_names
from waivern.detection.ruleset import Ruleset, extend_ruleset, load_ruleset
from waivern.detection.scan import Match, redact, scan
from waivern.detection.value_types import mask

__all__ = [
    "FieldUse",
    "Match",
    "NamedField",
    "Ruleset",
    "classify",
    "extend_ruleset",
    "field_names",
    "load_ruleset",
    "mask",
    "redact",
    "scan",
]
