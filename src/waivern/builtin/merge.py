"""The processor that merges contents of one schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import chain
from typing import Any

from waivern.builtin.common_properties import Properties
from waivern.builtin.findings import joined
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.shapes import union


class Merge:
    """Joins inputs of one schema: lists end to end, objects by key, numbers by adding."""

    name = "merge"
    version = "1.1.0"
    accepts = None
    produces = None
    repeatable = True

    class Config(Properties):
        """A merge has no properties."""

    def process(self, inputs: Sequence[Input], config: Config, ctx: Context) -> Json:  # noqa: ARG002
        """Return the merged content. Raises ComponentError where contents cannot be joined."""
        if not inputs:
            raise ComponentError("nothing to merge", hint="give the artifact at least one input")
        contents = [one.content for one in inputs]
        join = _JOINS.get(inputs[0].schema.name)
        if join is not None and all(map(_has_findings, contents)):
            return join(contents)
        return merge(contents)

    def describes(
        self,
        config: Config | None,  # noqa: ARG002
        inputs: Sequence[Mapping[str, Any]],
        ctx: Context,  # noqa: ARG002
    ) -> Mapping[str, Any] | None:
        """Return the union of the shapes of the inputs."""
        return reduce(union, inputs) if inputs else None


_JOINS = {"personal_data_findings": joined}
"""The join of contents by schema, where it is not the general one."""


def _has_findings(content: Json) -> bool:
    return (
        isinstance(content, dict)
        and {"findings", "summary"} <= content.keys()
        and bool({"ruleset", "rulesets"} & content.keys())
    )


def merge(values: Sequence[Json], path: str = "$") -> Json:
    """Merge one or more values, in declared order, into one.

    A single value stays as it is. Lists are concatenated, objects merged by key in order of first
    appearance, numbers added (booleans are not numbers), equal values stay. Anything else raises
    ComponentError that names `path`, the position of the values in their contents: `$.#2.#1` is the
    first key of the second, in order of first appearance. Keys may be personal data themselves.
    """
    first = values[0]
    if len(values) == 1:
        return first
    if all(isinstance(value, list) for value in values):
        return list(chain.from_iterable(values))
    if all(isinstance(value, dict) for value in values):
        return {
            key: merge([value[key] for value in values if key in value], f"{path}.#{n}")
            for n, key in enumerate(dict.fromkeys(chain.from_iterable(values)), 1)
        }
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return sum(values)
    if all(type(value) is type(first) and value == first for value in values):
        return first
    kinds = sorted({_kind(value) for value in values})
    described = f"different values ({kinds[0]})" if len(kinds) == 1 else " and ".join(kinds)
    counted = "#2 is the second key, counted over all inputs; " if "#" in path else ""
    raise ComponentError(
        f"cannot merge {path}: {described}",
        hint=f"{counted}a python processor can say what such values mean together",
    )


def _kind(value: Json) -> str:
    kinds = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
