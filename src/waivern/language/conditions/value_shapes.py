"""Checks of conditions against the shapes of the values that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from waivern.diagnostics import did_you_mean
from waivern.language.conditions.syntax import BOOLEAN, LIST, MAPPING, NUMBER, TEXT
from waivern.language.conditions.values import kind
from waivern.shapes import ANYTHING, Shape, inner, types_of

_KINDS = {
    "boolean": BOOLEAN,
    "number": NUMBER,
    "integer": NUMBER,
    "string": TEXT,
    "array": LIST,
    "object": MAPPING,
    "null": "null",
}
TYPES = {BOOLEAN: "boolean", NUMBER: "number", TEXT: "string", LIST: "array", MAPPING: "object"}
"""The type of a shape for each kind of value."""
_LISTED = 30
"""Values that a hint lists at most."""


def literal(value: Any) -> Shape:
    """Return the shape of a value that is written in a condition."""
    name = next((type_ for type_, each in _KINDS.items() if each == kind(value)), None)
    return {"type": name, "enum": [value]} if name else ANYTHING


def list_of(items: list[Shape]) -> Shape:
    """Return the shape of a list of items of these shapes."""
    kinds = {type_ for item in items for type_ in types_of(item)}
    if not items or not all(types_of(item) for item in items):
        return {"type": "array"}
    item: dict[str, Any] = {"type": sorted(kinds)}
    if all("enum" in each for each in items):
        item["enum"] = [value for each in items for value in each["enum"]]
    return {"type": "array", "items": item}


def every(shape: Shape) -> Shape:
    """Return the shape of each item of a list, or of each value of a mapping."""
    if "array" in types_of(shape):
        return inner(shape, "items")
    fields: Mapping[str, Shape] = shape.get("properties", {})
    others = shape.get("additionalProperties")
    return others if isinstance(others, Mapping) and not fields else ANYTHING


def kinds_of(shape: Shape) -> set[str]:
    """Return what messages call the kinds that a value may have; empty if any."""
    return {_KINDS[name] for name in types_of(shape)}


def named(kinds: Iterable[str]) -> str:
    """Return the kinds in words."""
    return " or ".join(sorted(kinds))


def equal(one: Any, other: Any) -> bool:
    """Return whether conditions take two values for equal."""
    return kind(one) == kind(other) and bool(one == other)


def choice(word: Any, known: Iterable[Any]) -> str:
    """Return what can stand there: the closest first, then the list."""
    typed = str(word).casefold()
    names = [str(each) for each in known]
    if len(names) > _LISTED:  # those that begin like it, of a list that is cut
        names.sort(key=lambda name: not name.casefold().startswith(typed))
    listed = ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
    meant = did_you_mean(str(word), names)
    return " ".join(filter(None, (meant, f"it can be: {listed}" if listed else "it has none")))
