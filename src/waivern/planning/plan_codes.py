"""The codes of what can be wrong with a plan; stable, so that people can search for them."""

from __future__ import annotations

from enum import StrEnum


class PlanCode(StrEnum):
    """`WCT2xx`."""

    UNDEFINED_INPUT = "WCT201"
    CYCLE = "WCT202"
    UNKNOWN_COMPONENT = "WCT203"
    PROPERTY = "WCT204"
    SCHEMA_NOT_ACCEPTED = "WCT205"
    SCHEMAS_DIFFER = "WCT206"
    REUSE = "WCT207"
    OUTPUT_SCHEMA = "WCT208"
    CHILD = "WCT209"
    SAME_ID = "WCT210"
    ITEMS = "WCT211"
    CONDITION = "WCT212"
    POOL = "WCT213"
    ADVICE = "WCT214"
    """Not an error: what is likely to fail."""
    SERVICE = "WCT215"
    KEEP = "WCT216"
