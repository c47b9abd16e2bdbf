"""Which artifact may start next. Pure, incremental: O(V + E) for the whole run, no levels."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from waivern.ids import ArtifactId
from waivern.planning.plan import Node, Plan


class Skip(NamedTuple):
    """An artifact that cannot be made, and the one before it that is why."""

    artifact: ArtifactId
    cause: ArtifactId


class Scheduler:
    """Follows a plan: `take` what is ready, then say what became of it.

    Every artifact is taken or skipped exactly once, and taken only when all it waits for is
    settled: its inputs and what it comes after, which it needs; what its tests ask the status of,
    which it does not.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._followers: dict[ArtifactId, list[ArtifactId]] = {name: [] for name in plan.nodes}
        self._needed: dict[ArtifactId, frozenset[ArtifactId]] = {}
        self._waiting: dict[ArtifactId, int] = {}
        for name, node in plan.nodes.items():
            needed = (*node.inputs, *node.after)
            awaited = dict.fromkeys(needed)
            for test in node.tests:
                awaited |= dict.fromkeys(test.statuses.values())
            for each in awaited:
                self._followers[each].append(name)
            if node.tests and len(awaited) > len(set(needed)):
                self._needed[name] = frozenset(needed)
            self._waiting[name] = len(awaited)
        self._missing: dict[ArtifactId, set[ArtifactId]] = {}
        self._skipped: set[ArtifactId] = set()
        self._ready = deque(name for name, count in self._waiting.items() if count == 0)

    @property
    def ready(self) -> bool:
        """Whether something may start now."""
        return bool(self._ready)

    def take(self) -> Node:
        """Return the next artifact to start."""
        return self._plan.nodes[self._ready.popleft()]

    def inputs(self, node: Node) -> tuple[ArtifactId, ...]:
        """Return the inputs that there are, in declared order: all but lost optional ones."""
        missing = self._missing.get(node.id)
        if not missing:
            return node.inputs
        return tuple(name for name in node.inputs if name not in missing)

    def completed(self, name: ArtifactId) -> None:
        """Let those go on that waited for `name`."""
        for follower in self._followers[name]:
            self._settle(follower)

    def lost(self, name: ArtifactId, *, left_out: bool = False) -> list[Skip]:
        """Return what has to be skipped because `name` failed or was left out; the rest goes on.

        An optional artifact is only missed, and so is a later round of a repetition that was left
        out: a follower goes on with its other inputs, if any.
        """
        skips: list[Skip] = []
        lost = deque([name])
        while lost:
            gone = lost.popleft()
            node = self._plan.nodes[gone]
            for follower in self._followers[gone]:
                if follower in self._skipped:
                    continue
                spared = left_out and self._plan.nodes[follower].spares(gone)
                missed = node.optional or spared
                if self._goes_on(follower, gone, missed=missed):
                    self._settle(follower)
                else:
                    self._skipped.add(follower)
                    skips.append(Skip(follower, name))
                    lost.append(follower)
        return skips

    def _goes_on(self, follower: ArtifactId, gone: ArtifactId, *, missed: bool) -> bool:
        if gone not in self._needed.get(follower, (gone,)):
            return True  # only asked how it stands
        node = self._plan.nodes[follower]
        inputs = node.inputs
        if node.hinges_on(gone):
            return False  # there is no round after one that is not there
        if gone not in inputs:
            return missed
        missing = self._missing.setdefault(follower, set())
        missing.add(gone)
        return missed and len(missing) < len(inputs)

    def _settle(self, name: ArtifactId) -> None:
        self._waiting[name] -= 1
        if self._waiting[name] == 0 and name not in self._skipped:
            self._ready.append(name)
