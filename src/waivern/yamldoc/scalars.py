"""The meaning of a plain YAML scalar: the YAML 1.2 core schema, and nothing more.

`no`, `12:30:45` and dates are text; `012` is twelve. Numbers that JSON cannot carry are refused.
"""

from __future__ import annotations

import math
import re

from waivern.yamldoc.runbook_codes import RunbookCode

Scalar = None | bool | int | float | str

MAX_DIGITS = 300
"""Characters in a number: with more, an int cannot always be printed again."""

FIRST = frozenset(["", *"+-.0123456789~nNtTfF"])
"""What a plain scalar that is not text begins with; lets a reader skip `resolve` for the rest."""

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o(?P<octal>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"
_TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}
_JSON_ONLY = "a runbook holds what JSON can hold; quote it if it is text"


class ScalarError(Exception):
    """A scalar whose value a runbook cannot contain; becomes a problem at its position."""

    def __init__(self, code: RunbookCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar. Raises ScalarError."""
    if text in _WORDS:
        return _WORDS[text]
    if whole := _INT.fullmatch(text):
        _bounded(text)
        if whole["octal"]:
            return int(whole["octal"], 8)
        return int(whole["hex"], 16) if whole["hex"] else int(text)
    if _FLOAT.fullmatch(text):
        _bounded(text)
        number = float(text)
        if math.isinf(number):
            message = "the number is too large to be one"
            raise ScalarError(RunbookCode.VALUE, message, "quote it if it is text")
        return number
    if _ENDLESS.fullmatch(text):
        raise ScalarError(
            RunbookCode.FEATURE, f"{text!r} is not a number that can be kept", _JSON_ONLY
        )
    return text


def tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with an explicit tag. Raises ScalarError."""
    kind = tag.removeprefix(_TAG)
    if kind == "str" or tag == "!":
        return text
    wanted = _TYPES.get(kind) if tag.startswith(_TAG) else None
    if wanted is None:
        raise tag_error(tag)
    value = resolve(text)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ScalarError(
            RunbookCode.VALUE, f"the value is not what its tag !!{kind} says", "remove the tag"
        )
    return value


def tag_error(tag: str) -> ScalarError:
    """Return the refusal of a tag that is not one of the core schema."""
    written = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
    return ScalarError(
        RunbookCode.FEATURE,
        f"the tag {written[:80]!r} has no meaning in a runbook",
        "remove the tag",
    )


def is_core_tag(tag: str | None, kind: str) -> bool:
    """Return whether a collection's tag, if it has one, is the core schema's for its kind."""
    return tag is None or tag in ("!", _TAG + kind)


def _bounded(text: str) -> None:
    if len(text) > MAX_DIGITS:
        message = f"the number has more than {MAX_DIGITS} digits"
        raise ScalarError(RunbookCode.LIMIT, message, "quote it if it is text")
