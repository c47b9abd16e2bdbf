"""Shapes of content: what a value can be, known before there is one.

A shape is a subset of JSON Schema: `type` (one or a list), `enum`, `properties`,
`additionalProperties` (false, or the shape of the others), `propertyNames` (an `enum`), `items`. A
shape without any of these allows every value. Components describe their content with shapes, and
conditions are checked against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Mapping[str, Any]
ANYTHING: Shape = {}


def inner(shape: Shape, key: str) -> Shape:
    """Return the shape that another has under a key of JSON Schema."""
    found: Shape = shape.get(key, ANYTHING)
    return found


def types_of(shape: Shape) -> list[str]:
    """Return the types that a value may have; none if any."""
    found = shape.get("type", [])
    return [found] if isinstance(found, str) else list(found)


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
