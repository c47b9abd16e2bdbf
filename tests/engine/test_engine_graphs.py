"""Random graphs, run for real and compared with the plainest model of what should come of them."""

from __future__ import annotations

import pytest
from engine_kit import MakeExecutor, Ran, Spec, execute, inline, plan_of, runbook, threads
from engine_steps import Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.engine.scheduler import Scheduler, Skip
from waivern.ids import ArtifactId
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
)
from waivern.store.memory import AsyncInMemoryStore


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> list[Spec]:
    """Artifacts in an order that is not the plan's, some optional, some that fail."""
    count = draw(st.integers(1, most))
    names = draw(st.permutations([f"n{n}" for n in range(count)]))
    specs = []
    for n, name in enumerate(names):
        earlier = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        fail = draw(st.integers(0, 3)) == 0
        asynchronous = "_async" if draw(st.booleans()) else ""
        call = ("derived" if earlier else "source") + asynchronous
        specs.append(Spec(name, tuple(earlier), draw(st.booleans()), call, {"fail": fail}))
    return draw(st.permutations(specs))


class Model:
    """What should become of each artifact, by plain recursion."""

    def __init__(self, specs: list[Spec]) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.status: dict[str, str] = {}
        for name in self.specs:
            self._settle(name)

    def _settle(self, name: str) -> str:
        if name not in self.status:
            spec = self.specs[name]
            lost = [i for i in spec.inputs if self._settle(i) != "completed"]
            needed = [i for i in lost if not self.specs[i].optional]
            if needed or (lost and len(lost) == len(spec.inputs)):
                self.status[name] = "skipped"
            else:
                self.status[name] = "failed" if spec.args["fail"] else "completed"
        return self.status[name]

    def used(self, name: str) -> list[str]:
        return [i for i in self.specs[name].inputs if self.status[i] == "completed"]

    def ancestors(self, name: str) -> set[str]:
        inputs = set(self.specs[name].inputs)
        return inputs.union(*map(self.ancestors, inputs))

    @property
    def run_fails(self) -> bool:
        failed = (name for name, status in self.status.items() if status == "failed")
        return any(not self.specs[name].optional for name in failed)


def check(ran: Ran, stage: Stage, model: Model) -> None:
    assert ran.statuses == model.status
    assert ran.ending.status == ("failed" if model.run_fails else "completed")
    assert ran.ending.exit_code == (1 if model.run_fails else 0)
    lists = {key: value for key, value in ran.state().items() if key != "last_checkpoint"}
    assert sorted(name for names in lists.values() for name in names) == sorted(model.specs)
    assert all(names == sorted(names) for names in lists.values())
    assert all(model.status[name] == key for key, names in lists.items() for name in names)

    starts = [e.artifact for e in ran.events if isinstance(e, ArtifactStartedRecord)]
    assert sorted(starts) == sorted(n for n, s in model.status.items() if s != "skipped")
    steps = [e.step for e in ran.events if isinstance(e, ArtifactStartedRecord)]
    assert steps == list(range(1, len(starts) + 1))
    assert sorted(stage.trace) == sorted((kind, n) for n in starts for kind in ("start", "end"))
    for name in starts:
        began = stage.place("start", name)
        for other in set(model.specs[name].inputs) & set(starts):  # who was skipped held nobody up
            assert stage.place("end", other) < began

    for event in ran.events:
        if isinstance(event, ArtifactCompletedRecord):
            assert list(event.inputs) == model.used(event.artifact)
            content = ran.content(event.artifact)
            assert content == {"name": event.artifact, "inputs": model.used(event.artifact)}
        if isinstance(event, ArtifactSkippedRecord):
            assert model.status[event.cause] == "failed"
            assert event.cause in model.ancestors(event.artifact)
            assert all(model.status[name] == "failed" for name in event.more_causes)
            named = {event.cause, *event.more_causes}
            needs = [n for n in model.specs[event.artifact].inputs if not model.specs[n].optional]
            assert named >= {name for name in needs if model.status[name] == "failed"}


@pytest.mark.parametrize("executor", [inline, threads(1), threads(4)], ids=["inline", "1", "4"])
@settings(max_examples=40, deadline=None)
@given(specs=graphs())
def test_every_artifact_ends_as_it_should(executor: MakeExecutor, specs: list[Spec]) -> None:
    stage = Stage()
    ran = execute(runbook(stage, *specs), executor=executor)
    check(ran, stage, Model(specs))
    assert ran.state() == RunRecord.of(ran.events).state.document()


@settings(max_examples=150, deadline=None)
@given(specs=graphs(20), data=st.data())
def test_the_scheduler_in_any_order_of_completion(specs: list[Spec], data: st.DataObject) -> None:
    """Each artifact is taken or skipped exactly once, whatever ends first."""
    model = Model(specs)
    plan = plan_of(runbook(Stage(), *specs), AsyncInMemoryStore(), {})
    scheduler = Scheduler(plan)
    at_work: list[str] = []
    settled: dict[str, str] = {}

    def skipped(skips: list[Skip]) -> None:
        """Each is skipped when all it waits for is settled, and names all that has failed."""
        for skip in skips:
            assert skip.artifact not in settled
            needs = plan.nodes[skip.artifact].inputs
            assert all(name in settled for name in needs)
            assert all(settled[name] == "failed" for name in skip.causes)
            required = {name for name in needs if not model.specs[name].optional}
            assert skip.causes.keys() >= {n for n in required if settled[n] == "failed"}
            settled[skip.artifact] = "skipped"

    while scheduler.ready or at_work:
        while scheduler.ready and (not at_work or data.draw(st.booleans())):
            node = scheduler.take()
            assert node.id not in settled
            assert node.id not in at_work
            assert all(name in settled for name in node.inputs)
            assert list(scheduler.inputs(node)) == model.used(node.id)
            at_work.append(node.id)
        name = at_work.pop(data.draw(st.integers(0, len(at_work) - 1)))
        settled[name] = model.status[name]
        if model.status[name] == "failed":
            skipped(scheduler.lost(ArtifactId(name)))
        else:
            skipped(scheduler.completed(ArtifactId(name)))
    assert not scheduler.rest()
    assert settled == model.status


def test_a_wide_and_deep_graph() -> None:
    """2,000 artifacts: nothing in the way from plan to end may be quadratic, or recursive."""
    stage = Stage()
    chain = [Spec("c0"), *(Spec(f"c{n}", (f"c{n - 1}",)) for n in range(1, 1000))]
    wide = [Spec(f"w{n}", ("c0",)) for n in range(1000)]
    plan = plan_of(runbook(stage, *wide, *reversed(chain)), AsyncInMemoryStore(), {})
    scheduler = Scheduler(plan)
    taken = []
    while scheduler.ready:
        node = scheduler.take()
        taken.append(node.id)
        scheduler.completed(node.id)
    assert sorted(taken) == sorted(spec.name for spec in chain + wide)
    scheduler = Scheduler(plan)
    first = scheduler.take()
    assert first.id == "c0"
    assert len(scheduler.lost(first.id)) == 1999
    assert not scheduler.ready
