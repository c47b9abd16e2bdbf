"""Paths of conditions: the values that their steps lead to.

Behind `[*]` of a record stream, the values are computed one by one, each time they are needed, so
that nothing but one record is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from waivern.language.conditions.budget import Budget, EvaluationError
from waivern.language.conditions.syntax import EVERY, ConditionNode
from waivern.language.conditions.values import LazyList, every, fault, shortened, taken
from waivern.record_stream import RecordStream

if TYPE_CHECKING:
    from waivern.message import Json

Steps: TypeAlias = Sequence[tuple[str | int | None, int]]
"""Each with its key, and the place in the text where it ends."""


class Paths:
    """The paths of the condition `text` over a scope. All methods raise EvaluationError."""

    def __init__(self, text: str, scope: Mapping[str, Json], budget: Budget) -> None:
        self._text = text
        self._scope = scope
        self._budget = budget

    def value(self, node: ConditionNode) -> Json:
        """Return the value that a path leads to; with `[*]`, the list of all values."""
        root, begin, steps = node.value
        if root not in self._scope:
            raise EvaluationError(f"`{root}` has no value here")
        values: list[Json] = [self._scope[root]]
        reached, many = slice(begin, begin + len(root)), False
        for number, (key, end) in enumerate(steps):
            if _streamed(values, key):
                self._check(values, key, reached, many)
                return LazyList(partial(self._through, values, begin, steps[number:]))
            values = self._step(values, key, reached, many)
            reached, many = slice(begin, end), many or key is EVERY
        return values if many else values[0]

    def exists(self, node: ConditionNode) -> bool:
        """Return whether a path leads somewhere; with `[*]`, whether one of its ways does."""
        root, _, steps = node.value
        return self._leads(steps, [self._scope[root]] if root in self._scope else [])

    def _leads(self, steps: Steps, values: list[Json]) -> bool:
        for number, (key, _) in enumerate(steps):
            self._budget.spend(len(values))
            values = [value for value in values if not fault(value, key)]
            if _streamed(values, key):
                rest = steps[number + 1 :]
                return any(self._leads(rest, [item]) for item in self._items(values))
            values = self._further(values, key)
        return bool(values)

    def _through(self, lists: Sequence[Json], begin: int, steps: Steps) -> Iterator[Json]:
        """Yield the values behind every item of some lists."""
        (_, first), *further = steps
        passed = [0] * len(further)
        for item in self._items(lists):
            values, end = [item], first
            for number, (key, next_end) in enumerate(further):
                before = passed[number]
                passed[number] += len(values)
                values = self._step(values, key, slice(begin, end), True, before)
                end = next_end
            yield from values

    def _items(self, lists: Sequence[Json]) -> Iterator[Json]:
        for item in chain.from_iterable(map(every, lists)):
            self._budget.spend(1)
            yield item

    def _step(
        self, values: list[Json], key: str | int | None, reached: slice, many: bool, before: int = 0
    ) -> list[Json]:
        """Take one step from each value; `before` is the number of values that preceded these."""
        self._budget.spend(len(values))
        self._check(values, key, reached, many, before)
        return self._further(values, key)

    def _check(
        self, values: list[Json], key: str | int | None, reached: slice, many: bool, before: int = 0
    ) -> None:
        """Raise the error of the first value from which a step cannot be taken."""
        for index, value in enumerate(values, before):
            if problem := fault(value, key):
                which = f"item [{index}] of " if many else ""
                raise EvaluationError(f"{which}`{shortened(self._text[reached])}` {problem}")

    def _further(self, values: Sequence[Json], key: str | int | None) -> list[Json]:
        """Take one step from each value; it is known that it can be taken."""
        if key is not EVERY:
            return [taken(value, key) for value in values]
        self._budget.spend(sum(map(len, values)))
        return [item for value in values for item in every(value)]


def _streamed(values: Sequence[Json], key: str | int | None) -> bool:
    """Return whether a step leads to the items of a record stream."""
    return key is EVERY and any(isinstance(value, RecordStream) for value in values)
