"""Shapes of values: what a value can be, known before there is one.

A shape is a subset of JSON Schema: `type` (one or a list), `enum`, `properties`,
`additionalProperties` (false, or the shape of the others), `propertyNames` (an `enum`), `items`. A
shape that says nothing allows everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from waivern.diagnostics import did_you_mean
from waivern.language.conditions.syntax import BOOLEAN, LIST, MAPPING, NUMBER, TEXT
from waivern.language.conditions.values import kind

Shape: TypeAlias = Mapping[str, Any]
ANYTHING: Shape = {}

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


def inner(shape: Shape, key: str) -> Shape:
    """Return the shape that another has under a key of JSON Schema."""
    found: Shape = shape.get(key, ANYTHING)
    return found


def types_of(shape: Shape) -> list[str]:
    """Return the types that a value may have; none if any."""
    found = shape.get("type", [])
    return [found] if isinstance(found, str) else list(found)


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
    names = [str(each) for each in known]
    listed = ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
    meant = did_you_mean(str(word), names)
    return " ".join(filter(None, (meant, f"it can be: {listed}" if listed else "it has none")))


def union(one: Shape, other: Shape) -> Shape:
    """Return the shape of a value that has one of two shapes."""
    if one == other or not (one and other):
        return one if one == other else ANYTHING
    found: dict[str, Any] = {"type": sorted({*types_of(one), *types_of(other)})}
    if "enum" in one and "enum" in other:
        found["enum"] = [*one["enum"], *(each for each in other["enum"] if each not in one["enum"])]
    if "items" in one and "items" in other:
        found["items"] = union(one["items"], other["items"])
    if "propertyNames" in one and "propertyNames" in other:
        names = union(one["propertyNames"], other["propertyNames"])
        found["propertyNames"] = {"enum": names["enum"]}
    fields, others = one.get("properties", {}), other.get("properties", {})
    found["properties"] = {
        name: union(fields.get(name, others.get(name)), others.get(name, fields.get(name)))
        for name in [*fields, *(each for each in others if each not in fields)]
    }
    same = one.get("additionalProperties") == other.get("additionalProperties")
    if same and "additionalProperties" in one:
        found["additionalProperties"] = one["additionalProperties"]
    return found
