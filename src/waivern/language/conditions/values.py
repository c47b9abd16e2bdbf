"""Values as conditions see them: their kinds, and steps into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from waivern.language.conditions.syntax import BOOLEAN, EVERY, LIST, MAPPING, NUMBER, TEXT

if TYPE_CHECKING:
    from waivern.message import Json

_QUOTED = 80
"""Characters of the condition that a message quotes at most."""
_KINDS: tuple[tuple[str, Any], ...] = (
    (BOOLEAN, bool),  # before numbers: in Python a bool is one
    (TEXT, str),
    (NUMBER, int | float),
    (MAPPING, Mapping),
    (LIST, list | tuple),
    ("null", type(None)),
)
_KNOWN: dict[type, str] = {}


def kind(value: Json) -> str:
    """Return what messages call the kind of a value."""
    type_ = type(value)
    if (known := _KNOWN.get(type_)) is None:
        known = next((name for name, types in _KINDS if issubclass(type_, types)), "no JSON value")
        _KNOWN[type_] = known
    return known


def shortened(text: str, most: int = _QUOTED) -> str:
    """Return `text` in one line, with its middle left out if it is longer than `most`."""
    text = " ".join(text.split())
    half = most // 2
    return text if len(text) <= most else f"{text[: half - 1]}…{text[-half:]}"


def fault(value: Json, key: str | int | None) -> str | None:
    """Say why a step cannot be taken, or None if it can."""
    if key is EVERY:
        if isinstance(value, list | tuple | Mapping):
            return None
        return f"is {kind(value)}, and [*] wants a list or a mapping"
    if isinstance(key, str):
        if not isinstance(value, Mapping):
            return f"is {kind(value)}, and has no field {shortened(repr(key))}"
        return None if key in value else f"has no field {shortened(repr(key))}"
    if not isinstance(value, list | tuple):
        return f"is {kind(value)}, and has no item [{key}]"
    return (
        None if -len(value) <= key < len(value) else f"has no item [{key}], it holds {len(value)}"
    )
