"""The references of each artifact: names become flat ids, conditions become tests. Pure."""

from __future__ import annotations

from typing import NamedTuple

from waivern.ids import ArtifactId
from waivern.planning import condition_tests
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan import LastRound, NodeTest
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ConditionContext, Scope

MOST_EDGES = 2_000_000
"""Inputs that all artifacts of a plan may have together."""


class ResolvedReferences(NamedTuple):
    """The references of one artifact, by flat ids."""

    inputs: tuple[ArtifactId, ...]
    names: tuple[str, ...]
    """What the inputs are called where the artifact is declared."""
    after: tuple[ArtifactId, ...]
    tests: tuple[NodeTest, ...]

    @property
    def awaited(self) -> tuple[ArtifactId, ...]:
        """All that has to be settled before it."""
        if not self.tests:
            return tuple(dict.fromkeys(self.inputs + self.after)) if self.after else self.inputs
        asked = (id_ for test in self.tests for id_ in test.statuses.values())
        return tuple(dict.fromkeys((*self.inputs, *self.after, *asked)))


class ReferenceResolver:
    """Resolves all that artifacts refer to."""

    def __init__(self, table: ArtifactTable) -> None:
        self._table = table
        self._tests: dict[int, NodeTest] = {}
        self._edges = 0

    def draw(self, flat: FlatArtifact) -> ResolvedReferences:
        """Resolve what one artifact refers to. Raises InvalidError if all have too many inputs."""
        inputs = self._inputs(flat) if flat.inputs else {}
        ids, names = tuple(inputs), tuple(inputs.values())
        own, around = flat.artifact, flat.scope.after
        led_by = flat.work.led_by if isinstance(flat.work, LastRound) else None
        if not (around or flat.tests or own.after or own.when or led_by):
            return ResolvedReferences(ids, names, (), ())
        after: list[ArtifactId] = [led_by] if led_by else []
        for scope, name in around:
            after += self._table.resolve(scope, name) or ()
        tests = [self._test(asked) for asked in flat.tests]
        if flat.work is None:
            for n, name in enumerate(own.after):
                after += self._resolved(flat, flat.scope, name, ("after", n))
            if own.when is not None and flat.round < 2:
                tests.append(condition_tests.own_test(self._table, flat, own.when))
        after += [test.result for test in tests if test.result is not None]
        return ResolvedReferences(ids, names, tuple(dict.fromkeys(after)), tuple(tests))

    def _inputs(self, flat: FlatArtifact) -> dict[ArtifactId, str]:
        """Return the inputs, each with what it is called."""
        inputs: dict[ArtifactId, str] = {}
        gate = flat.artifact.gate is not None
        for n, (scope, name) in enumerate(flat.inputs):
            ids = self._resolved(flat, scope, name, ("gate", "show", n) if gate else ("inputs", n))
            if len(ids) != 1:
                inputs |= {id_: id_.removeprefix(scope.prefix) for id_ in ids if id_ not in inputs}
            else:
                inputs.setdefault(ids[0], name)
        if flat.round > 1:  # the previous round replaces the first input
            before = next(iter(inputs), None)
            if before is not None:
                inputs[before] = flat.artifact.inputs[0]
        self._edges += len(inputs)
        if self._edges > MOST_EDGES:
            message = f"artifacts read each other more than {MOST_EDGES:,} times"
            self._table.record(flat.problem(PlanCode.ITEMS, message, ("inputs",)))
            raise self._table.invalid()
        return inputs

    def _resolved(
        self, flat: FlatArtifact, scope: Scope, name: str, at: tuple[str | int, ...]
    ) -> tuple[ArtifactId, ...]:
        ids = self._table.resolve(scope, name)
        if ids is None:
            self._table.report_undefined(scope, flat.artifact.id, name, at)
        return ids or ()

    def _test(self, asked: ConditionContext) -> NodeTest:
        """Return a test; one that many artifacts have is looked at once."""
        if id(asked) not in self._tests:
            self._tests[id(asked)] = condition_tests.test(self._table, asked)
        return self._tests[id(asked)]
