"""The processor that merges contents of one schema."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import reduce
from itertools import chain
from typing import Any, TypeAlias

from waivern.builtin.common_properties import Properties
from waivern.builtin.findings import FindingsSummary
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.record_stream import RECORDS
from waivern.shapes import union

Joined: TypeAlias = Generator[Json, None, Json]


class Merge:
    """Joins inputs of one schema: lists end to end, objects by key, numbers by adding.

    Of sources that are kept by reference the lists are joined, and nothing of their data is stored.
    """

    name = "merge"
    version = "1.2.0"
    accepts = None
    produces = None
    repeatable = True
    reads_streams = True
    joins_catalogues = True

    class Config(Properties):
        """A merge has no properties."""

    def streams(self, inputs: Sequence[Input]) -> str:
        """Return the key of the list that is joined element by element."""
        return "findings" if _are_findings(inputs) else _large_list(inputs) or RECORDS

    def process(
        self,
        inputs: Sequence[Input],
        config: Config,  # noqa: ARG002
        ctx: Context,
    ) -> Json | Joined:
        """Return the merged content; a list that is too large to be held is yielded.

        Raises ComponentError where contents cannot be joined.
        """
        if not inputs:
            raise ComponentError("nothing to merge", hint="give the artifact at least one input")
        if _are_findings(inputs):
            return _findings(inputs)
        if (name := _large_list(inputs)) is not None:
            return _end_to_end(inputs, name, ctx)
        return merge([one.content for one in inputs])

    def describes(
        self,
        config: Config | None,  # noqa: ARG002
        inputs: Sequence[Mapping[str, Any]],
        ctx: Context,  # noqa: ARG002
    ) -> Mapping[str, Any] | None:
        """Return the union of the shapes of the inputs."""
        return reduce(union, inputs) if inputs else None


def _are_findings(inputs: Sequence[Input]) -> bool:
    return all(
        one.schema.name == "personal_data_findings"
        and isinstance(one.rest, dict)
        and "summary" in one.rest
        and bool({"ruleset", "rulesets"} & one.rest.keys())
        and one.count("findings") is not None
        for one in inputs
    )


def _findings(inputs: Sequence[Input]) -> Joined:
    """Yield the findings; where rulesets differ, each finding names its own.

    `ruleset` is then `rulesets`, each of them once.
    """
    if any(one.rest.get("mask") == "none" for one in inputs):
        raise ComponentError(
            "findings with unmasked values are not merged: no record would say where copies are",
            hint="remove `mask: none` from the search",
        )
    rulesets: list[Json] = []
    for one in inputs:
        own = one.rest["rulesets"] if "rulesets" in one.rest else [one.rest["ruleset"]]
        rulesets += [each for each in own if each not in rulesets]
    summary = FindingsSummary()
    for one in inputs:
        named = {} if len(rulesets) < 2 else {"ruleset": one.rest.get("ruleset")}
        for finding in one.each("findings"):
            summary.add(finding)
            yield {**named, **finding}
    which = {"rulesets": rulesets} if len(rulesets) > 1 else {"ruleset": rulesets[0]}
    return {**which, "summary": summary.document()}


def _large_list(inputs: Sequence[Input]) -> str | None:
    """Return the key of the one list that is not in memory, if each input has such a list."""
    names = {name for one in inputs for name in one.unread}
    if len(names) != 1:
        return None
    (name,) = names
    return name if all(one.count(name) is not None for one in inputs) else None


def _end_to_end(inputs: Sequence[Input], name: str, ctx: Context) -> Joined:
    """Yield the elements of a list of each input; return the rest, merged."""
    total, done = sum(one.count(name) or 0 for one in inputs), 0
    for one in inputs:
        for item in one.items(name):
            yield from item.read()
            done += 1
            ctx.progress(done, total)
    return merge([{key: one.rest[key] for key in one.rest if key != name} for one in inputs])


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
        hint=f"{counted}a python processor can decide how to join such values",
    )


def _kind(value: Json) -> str:
    kinds = {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
