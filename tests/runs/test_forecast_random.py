"""Forecast and run held against each other over random graphs, edits, failures and resumes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from runs_kit import Book

from waivern.errors import RefusedError
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
)
from waivern.runs.forecast import Action, Forecast, forecast
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume import resume
from waivern.runs.start import start
from waivern.store.memory import AsyncInMemoryStore

STEPS = """
from pathlib import Path
from waivern.plugins.component import Suspend

HERE = Path(__file__).parent

def flag(kind, name):
    return HERE / f"{kind}-{name}"

def act(name, value):
    return acts([], name, value)

def acts(inputs, name, value):
    if flag("wait", name).exists():
        raise Suspend(f"{name} waits")
    if flag("fail", name).exists():
        raise RuntimeError(f"{name} fails")
    if flag("flaky", name).exists():
        flag("flaky", name).unlink()
        raise RuntimeError(f"{name} fails once")
    return {"value": (value + sum(each.get("value", 0) for each in inputs)) % 2}
"""
"""Half of all edits of a value change the content."""
PHASES = [phase for phase in Phase if phase is not Phase.explain]  # explaining takes minutes
KINDS = ("fail", "flaky", "wait")
STATUSES = ("completed", "failed", "skipped")


@dataclass(frozen=True)
class Made:
    """One artifact of a random runbook."""

    name: str
    inputs: tuple[str, ...]
    after: tuple[str, ...]
    asks: tuple[tuple[str, str], ...]
    """(artifact, status): its condition asks for these statuses."""
    looks: bool
    """Whether its condition looks at the content of its first input."""
    gate: bool
    optional: bool
    cache: bool
    retries: int
    value: int

    @property
    def awaited(self) -> set[str]:
        return {*self.inputs, *self.after, *(name for name, _ in self.asks)}

    def document(self, steps: str) -> dict[str, Any]:
        call = f"{steps}:{'acts' if self.inputs else 'act'}"
        properties = {"call": call, "args": {"name": self.name, "value": self.value}}
        component = {"type": "python", "properties": properties}
        found: dict[str, Any] = {"cache": self.cache}
        if self.gate:
            found = {"gate": {"question": "Well?", "show": list(self.inputs)}}
        elif self.inputs:
            found |= {"inputs": list(self.inputs), "process": component}
        else:
            found |= {"source": component}
        if self.after:
            found["after"] = list(self.after)
        conditions = [f"status.{name} == '{is_}'" for name, is_ in self.asks]
        if self.looks and self.inputs and not self.gate:
            conditions.append(f"inputs.{self.inputs[0]}.value > 0")
        if conditions:
            found["when"] = " and ".join(conditions)
        if self.optional:
            found["optional"] = True
        if self.retries and not self.gate:
            found["retry"] = {"max": self.retries, "delay": 0.001}
        return found


@st.composite
def graphs(draw: st.DrawFn) -> list[Made]:
    names = draw(st.permutations([f"n{n}" for n in range(draw(st.integers(1, 8)))]))
    seldom = st.integers(0, 5).map(lambda n: n == 0)
    found: list[Made] = []
    for n, name in enumerate(names):
        some = st.lists(st.sampled_from(names[:n]), unique=True, max_size=2) if n else st.just([])
        asked = draw(some) if draw(seldom) else []
        inputs = tuple(draw(some))
        gates = {each.name for each in found if each.gate}
        found.append(
            Made(
                name,
                inputs,
                tuple(draw(some)) if draw(seldom) else (),
                tuple((each, draw(st.sampled_from(STATUSES))) for each in asked),
                bool(inputs) and inputs[0] not in gates and draw(seldom),
                bool(inputs) and draw(seldom),
                draw(st.booleans()),
                draw(st.booleans()),
                draw(st.integers(0, 1)),
                draw(st.integers(0, 3)),
            )
        )
    return found


_numbers = count()


@contextmanager
def place() -> Iterator[Book]:
    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder), store=AsyncInMemoryStore())
        # components are imported once for each file: a name of its own for each example
        (book.folder / f"steps{next(_numbers)}.py").write_text(STEPS)
        yield book


def write(book: Book, graph: list[Made]) -> None:
    (steps,) = book.folder.glob("steps[0-9]*.py")
    book.write({each.name: each.document(steps.name) for each in graph})


def edit(draw: st.DrawFn, book: Book, graph: list[Made]) -> list[Made]:
    """Change some values, and which steps fail, wait or fail once."""
    edited = []
    for each in graph:
        for kind in KINDS:
            flag = book.folder / f"{kind}-{each.name}"
            flag.unlink(missing_ok=True)
            if draw(st.integers(0, 9)) == 0:
                flag.touch()
        value = draw(st.integers(0, 3)) if draw(st.integers(0, 4)) == 0 else each.value
        edited.append(replace(each, value=value))
    return edited


def check(graph: list[Made], planned: list[Forecast], result: RunResult, new: set[str]) -> None:
    """Compare what was certain; `new` are the artifacts that this attempt started."""
    steps, awaited = result.record.steps, {each.name: each.awaited for each in graph}
    status = {name: str(step.status) for name, step in steps.items()}
    disturbed: set[str] = set()
    """What comes after something that failed or waits: a forecast assumes neither."""
    for each in graph:
        if any(
            name in disturbed or status[name] in ("failed", "suspended", "not_started")
            for name in awaited[each.name]
        ):
            disturbed.add(each.name)
    for one in planned:
        name = one.artifact
        completed = steps[name].completed
        how = completed.how if completed else status[name]
        allowed: set[str]
        match one.action:
            case Action.KEEP:
                assert name in disturbed or (completed and name not in new), f"{one} is {how}"
                continue
            case Action.CACHED:
                allowed = {"cached"}
            case Action.PRODUCE:
                allowed = {"produced", "failed", "suspended"}
            case Action.GATE:
                allowed = {"produced", "failed", "suspended"}
            case Action.SKIP:
                allowed = {"skipped"}
            case Action.REUSE | Action.OPEN:
                continue
        assert how in allowed or name in disturbed, f"{one} is {how}"


def attempt(book: Book, graph: list[Made], run: str | None) -> str:
    """Forecast, run or resume, compare; return the run's id."""
    options = book.options()
    planned = forecast(str(book.path), book.store, options, resume=run)
    assert {each.artifact for each in planned} == {each.name for each in graph}
    before = 0 if run is None else len(book.store.read_journal(run).lines)
    if run is None:
        result = start(RunRequest(source=str(book.path)), book.store, options)
    else:
        request = RunRequest(source=str(book.path), run=run, allow_changed=True)
        result = resume(request, book.store, options)
    events = book.events(result.run_id)[before:]
    new = {
        event.artifact
        for event in events
        if isinstance(event, ArtifactStartedRecord | ArtifactCompletedRecord)
    }
    if result.nothing_to_do:
        assert {each.action for each in planned} <= {Action.KEEP, Action.SKIP}
        assert not any(each.work for each in planned)
        assert not events
    check(graph, planned, result, new)
    return result.run_id


def decide(draw: st.DrawFn, book: Book, run: str) -> None:
    """Approve or reject some of the gates that wait."""
    waiting = [each for each in book.events(run) if isinstance(each, ArtifactSuspendedRecord)]
    for each in waiting:
        if each.gate and draw(st.booleans()):
            with suppress(RefusedError):  # it was decided, or the attempt was not the last
                book.approve(f"{run}/{each.artifact}", reject=draw(st.booleans()), resume=False)


@settings(max_examples=20, deadline=None, phases=PHASES)
@given(data=st.data())
def test_what_is_certain_in_a_forecast_happens(data: st.DataObject) -> None:
    draw: Any = data.draw
    graph = draw(graphs())
    with place() as book:
        graph = edit(draw, book, graph)
        write(book, graph)
        run = attempt(book, graph, None)
        for _ in range(3):
            if draw(st.booleans()):
                graph = edit(draw, book, graph)
                write(book, graph)
            decide(draw, book, run)
            again = draw(st.booleans())
            run = attempt(book, graph, run if again else None)
