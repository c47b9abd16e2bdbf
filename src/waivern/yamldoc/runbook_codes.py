"""The codes of what can be wrong with a runbook itself; stable, so that people can search them."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class RunbookCode(StrEnum):
    """A problem's code and, in one line, what it means."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    UNREADABLE = "WCT100", "the path is not a file that can be read"
    SYNTAX = "WCT101", "the text is not YAML"
    ENCODING = "WCT102", "the bytes are not UTF-8 text, or hold a control character"
    UNKNOWN_KEY = "WCT103", "a key that has no meaning at this place"
    NOT_YET = "WCT104", "a key that is known from elsewhere and not supported yet"
    MISSING = "WCT105", "something required is not there, or is empty"
    TYPE = "WCT106", "a value of the wrong kind"
    VALUE = "WCT107", "a value of the right kind that is not allowed"
    DUPLICATE_KEY = "WCT108", "the same key twice in one mapping"
    KEY = "WCT109", "a key that is not text"
    FEATURE = "WCT110", "YAML that runbooks leave out: tags, merge keys, .nan, several documents"
    LIMIT = "WCT111", "larger, deeper or more repeated than a runbook may be"
    ALIAS = "WCT112", "an alias without its anchor, or within it"
    ARTIFACT_ID = "WCT113", "an id that cannot name an artifact"
    CONFLICT = "WCT114", "keys that cannot be combined"
    VARIABLE_UNSET = "WCT115", "a variable that is not set, or a parameter that is not declared"
    VARIABLE_SYNTAX = (
        "WCT116",
        "'${' that is no ${NAME}, ${NAME:-default}, ${params.NAME}, ${each}",
    )
    CONDITION = "WCT117", "a condition that cannot be read"
