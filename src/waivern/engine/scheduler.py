"""The scheduler: which artifact may start next. Pure; O(V + E) for the whole run, no levels."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from waivern.ids import ArtifactId
from waivern.planning.plan import Node, Plan

MAX_CAUSES = 20
"""How many causes a skip names at most: one that depends on thousands must not repeat them all."""

MAX_NAMED = 5
"""How many of them its reason names."""


class Skip(NamedTuple):
    """An artifact that cannot be produced."""

    artifact: ArtifactId
    causes: dict[ArtifactId, bool]
    """The artifacts that are why, each with whether it was left out; the failed ones first."""

    @property
    def reason(self) -> str:
        """The causes as a sentence."""
        failed = [name for name, left_out in self.causes.items() if not left_out]
        left_out = [name for name, left_out in self.causes.items() if left_out]
        parts = [f"{_listed(failed)}, which failed"] if failed else []
        if left_out:
            parts.append(f"{_listed(left_out)}, which {'were' if left_out[1:] else 'was'} skipped")
        return f"it needs {', and '.join(parts)}"


def _listed(names: list[ArtifactId]) -> str:
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > MAX_NAMED:
        return f"{', '.join(quoted[:MAX_NAMED])} and others"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


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
        self._missing: dict[ArtifactId, dict[ArtifactId, dict[ArtifactId, bool]]] = {}
        self._doomed: dict[ArtifactId, dict[ArtifactId, bool]] = {}
        """Artifacts that will be skipped when all they wait for is settled, with their causes."""
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

    def completed(self, name: ArtifactId) -> list[Skip]:
        """Release what waited for `name`; return what has to be skipped now that it is settled."""
        skips: list[Skip] = []
        for follower in self._followers[name]:
            self._settle(follower, skips)
        return self._follow(skips)

    def lost(self, name: ArtifactId, *, left_out: bool = False) -> list[Skip]:
        """Return what has to be skipped because `name` failed or was left out.

        What cannot be produced is skipped only when all it waits for is settled, so that its skip
        names every cause. An optional artifact is only missed, and so is a later round of a
        repetition that was left out: a follower continues with its other inputs, if any.
        """
        skips: list[Skip] = []
        self._lose(name, {name: left_out}, skips)
        return self._follow(skips)

    def rest(self) -> list[Skip]:
        """Return what has to be skipped although some of what it waits for will not be settled."""
        skips: list[Skip] = []
        while waiting := [name for name in self._doomed if self._waiting[name] > 0]:
            skips += self._follow([self._skip(name) for name in waiting])
        return skips

    def _follow(self, skips: list[Skip]) -> list[Skip]:
        """Add to these skips all that follow from them."""
        for skip in skips:  # grows meanwhile
            self._lose(skip.artifact, skip.causes, skips)
        return skips

    def _lose(self, name: ArtifactId, causes: dict[ArtifactId, bool], skips: list[Skip]) -> None:
        optional, left_out = self._plan.nodes[name].optional, all(causes.values())
        for follower in self._followers[name]:
            missed = optional or (left_out and self._plan.nodes[follower].spares(name))
            if name in self._needed.get(follower, (name,)):  # else it only asks for its status
                self._miss(self._plan.nodes[follower], name, causes, missed=missed)
            self._settle(follower, skips)

    def _miss(
        self, node: Node, gone: ArtifactId, causes: dict[ArtifactId, bool], *, missed: bool
    ) -> None:
        """Note that what a node needs will not be there."""
        missing = self._missing.setdefault(node.id, {})
        if gone in node.inputs:
            missing[gone] = causes
        if not missed or node.hinges_on(gone):  # there is no round after one that is not there
            self._doom(node.id, causes)
        elif node.inputs and len(missing) == len(node.inputs) and node.id not in self._doomed:
            for each in missing.values():  # nothing is left to work on
                self._doom(node.id, each)

    def _doom(self, name: ArtifactId, causes: dict[ArtifactId, bool]) -> None:
        known = self._doomed.get(name)
        if known is not None and known is not causes:
            merged = sorted((known | causes).items(), key=lambda cause: cause[1])
            causes = dict(merged[:MAX_CAUSES])
        self._doomed[name] = causes

    def _settle(self, name: ArtifactId, skips: list[Skip]) -> None:
        self._waiting[name] -= 1
        if self._waiting[name] != 0:
            return
        if name in self._doomed:
            skips.append(self._skip(name))
        else:
            self._ready.append(name)

    def _skip(self, name: ArtifactId) -> Skip:
        self._waiting[name] = 0
        return Skip(name, self._doomed[name])
