"""Random graphs with all that can happen to an artifact, and the plainest model of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from engine_kit import FastClock, MakeExecutor, Ran, Settings, execute, inline, threads
from engine_steps import Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
)


@dataclass(frozen=True)
class Rich:
    name: str
    inputs: tuple[str, ...]
    after: tuple[str, ...]
    asks: tuple[tuple[str, str], ...]
    """(artifact, status): the condition holds if each has it."""
    optional: bool
    fails: int
    retries: int
    suspends: bool

    @property
    def awaited(self) -> set[str]:
        return {*self.inputs, *self.after, *(name for name, _ in self.asks)}

    def document(self, stage: Stage) -> dict[str, Json]:
        args: dict[str, Json] = {"token": stage.token, "name": self.name}
        args |= {"fails": self.fails, "suspends": self.suspends}
        call = "engine_steps:acts" if self.inputs else "engine_steps:act"
        made = {"type": "python", "properties": {"call": call, "args": args}}
        found: dict[str, Json] = {"source": made}
        if self.inputs:
            found = {"inputs": list(self.inputs), "process": made}
        if self.after:
            found["after"] = list(self.after)
        if self.asks:
            found["when"] = " and ".join(f"status.{name} == '{is_}'" for name, is_ in self.asks)
        if self.optional:
            found["on_error"] = "continue"
        if self.retries:
            found["retry"] = {"max": self.retries, "on": "Flaky"}
        return found


STATUSES = ("completed", "failed", "skipped")


@st.composite
def graphs(draw: st.DrawFn) -> list[Rich]:
    count = draw(st.integers(1, 12))
    names = draw(st.permutations([f"n{n}" for n in range(count)]))
    rare = st.integers(0, 5).map(lambda n: n == 0)
    found = []
    for n, name in enumerate(names):
        some = st.lists(st.sampled_from(names[:n]), unique=True, max_size=2) if n else st.just([])
        asked = draw(some) if draw(st.booleans()) else []
        found.append(
            Rich(
                name,
                tuple(draw(some)),
                tuple(draw(some)) if draw(st.booleans()) else (),
                tuple((each, draw(st.sampled_from(STATUSES))) for each in asked),
                draw(st.booleans()),
                draw(st.sampled_from([0, 0, 0, 1, 3])),
                draw(st.integers(0, 2)),
                draw(rare),
            )
        )
    return draw(st.permutations(found))


class Model:
    def __init__(self, graph: list[Rich]) -> None:
        self.graph = {each.name: each for each in graph}
        self.status: dict[str, str] = {}
        for name in self.graph:
            self.settle(name)

    def settle(self, name: str) -> str:
        if name not in self.status:
            self.status[name] = self._of(self.graph[name])
        return self.status[name]

    def _of(self, one: Rich) -> str:
        status = {other: self.settle(other) for other in one.awaited}
        lost = {other for other in status if status[other] in ("failed", "skipped")}
        needed = lost & {*one.inputs, *one.after}
        if any(not self.graph[other].optional for other in needed):
            return "skipped"
        if one.inputs and lost >= set(one.inputs):
            return "skipped"
        if any(each in ("suspended", "not_started") for each in status.values()):
            return "not_started"
        if any(status[other] != is_ for other, is_ in one.asks):
            return "skipped"
        if one.fails > one.retries:
            return "failed"
        return "suspended" if one.suspends else "completed"

    @property
    def ending(self) -> tuple[str, int]:
        if any(s == "failed" and not self.graph[n].optional for n, s in self.status.items()):
            return "failed", 1
        return ("suspended", 7) if "suspended" in self.status.values() else ("completed", 0)


SETTLED = (ArtifactCompletedRecord, ArtifactFailedRecord, ArtifactSkippedRecord)


def check(ran: Ran, model: Model) -> None:
    assert ran.statuses == model.status
    assert (str(ran.ending.status), ran.ending.exit_code) == model.ending
    lists = {key: value for key, value in ran.state().items() if key != "last_checkpoint"}
    assert sorted(name for names in lists.values() for name in names) == sorted(model.graph)
    assert all(model.status[name] == key for key, names in lists.items() for name in names)
    assert ran.state() == RunRecord.of(ran.events).state.document()
    assert str(RunRecord.of(ran.events).metadata.status) == model.ending[0]

    settled: set[str] = set()
    started: dict[str, int] = {}
    for event in ran.events:
        match event:
            case ArtifactStartedRecord(artifact=name):
                assert name not in settled
                assert model.graph[name].awaited <= settled
                started[name] = started.get(name, 0) + 1
            case (
                ArtifactCompletedRecord()
                | ArtifactFailedRecord()
                | ArtifactSkippedRecord()
                | ArtifactSuspendedRecord()
            ):
                assert event.artifact not in settled
                settled.add(event.artifact)
    tries = {name: min(one.fails, one.retries) + 1 for name, one in model.graph.items()}
    for name, times in started.items():
        decided = [e for e in ran.of(ArtifactSkippedRecord) if e.artifact == name]
        assert times == (1 if decided else tries[name])
    retried = [event.artifact for event in ran.of(ArtifactRetriedRecord)]
    assert all(retried.count(name) == times - 1 for name, times in started.items())
    for event in ran.of(ArtifactCompletedRecord):
        one = model.graph[event.artifact]
        assert list(event.inputs) == [i for i in one.inputs if model.status[i] == "completed"]


def book(graph: list[Rich], stage: Stage) -> dict[str, Any]:
    return {"artifacts": {each.name: each.document(stage) for each in graph}}


@pytest.mark.parametrize(
    "executor",
    [inline, pytest.param(threads(1), marks=pytest.mark.sweep), threads(4)],
    ids=["inline", "1", "4"],
)
@settings(max_examples=50, deadline=None)
@given(graph=graphs())
def test_every_artifact_ends_as_it_should(executor: MakeExecutor, graph: list[Rich]) -> None:
    ran = execute(book(graph, Stage()), executor=executor, settings=Settings(FastClock()))
    check(ran, Model(graph))
