"""Forecast and run held against each other over random graphs, edits, failures and resumes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from runs_kit import Book

from waivern.errors import ArtifactNotFoundError, RefusedError, UsageError
from waivern.planning.plan import Node, Plan
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
)
from waivern.runs import prepare
from waivern.runs.forecast import Action, Forecast, forecast
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume import left_out, resume
from waivern.runs.selection import Selection
from waivern.runs.start import start
from waivern.store.memory import AsyncInMemoryStore

STEPS = """
from pathlib import Path
from waivern.plugins.component import Suspend

HERE = Path(__file__).parent

def flag(kind, name):
    return HERE / f"{kind}-{name}"

def act(name, value, each=""):
    return acts([], name, value, each)

def acts(inputs, name, value, each=""):
    if flag("wait", name).exists():
        raise Suspend(f"{name} waits")
    if flag("fail", name).exists():
        raise RuntimeError(f"{name} fails")
    if flag("flaky", name).exists():
        flag("flaky", name).unlink(missing_ok=True)
        raise RuntimeError(f"{name} fails once")
    value += flag("other", name).exists()
    return {"value": (value + len(each) + sum(one.get("value", 0) for one in inputs)) % 2}
"""
"""Half of all edits of a value change the content."""
CHILD = {
    "name": "child",
    "params": {"value": {"type": "integer", "default": 0}},
    "inputs": {"need": {"input_schema": "json", "optional": True}},
    "outputs": {"out": {"artifact": "out"}},
}
SOURCE = "source"
"""The run that artifacts are reused from."""
PHASES = [phase for phase in Phase if phase is not Phase.explain]  # explaining takes minutes
MISHAPS = ("fail", "flaky", "wait")
OUTCOMES = {
    Action.CACHED: {"cached"},
    Action.REUSE: {"reused"},
    Action.PRODUCE: {"produced", "failed", "suspended"},
    Action.GATE: {"produced", "failed", "suspended"},
    Action.SKIP: {"skipped"},
}
"""What may have become of an artifact, by what was certain about it."""
STATUSES = ("completed", "failed", "skipped")


class Kind(Enum):
    """The way in which an artifact is produced."""

    STEP = "a Python function"
    EACH = "a Python function, for each item"
    GATE = "a decision"
    CHILD = "a child runbook"
    REUSE = "a copy from another run"


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
    kind: Kind
    items: tuple[str, ...]
    """The items of a `for_each`."""
    optional: bool
    cache: bool
    retries: int
    value: int

    def document(self, steps: str) -> dict[str, Any]:
        found = self._origin(steps)
        if self.after:
            found["after"] = list(self.after)
        conditions = [f"status.{name} == '{is_}'" for name, is_ in self.asks]
        if self.looks:
            conditions.append(f"inputs.{self.inputs[0]}.value > 0")
        if conditions:
            found["when"] = " and ".join(conditions)
        if self.optional:
            found["optional"] = True
        if self.kind in (Kind.STEP, Kind.EACH):
            found["cache"] = self.cache
            if self.retries:
                found["retry"] = {"max": self.retries, "delay": 0.001}
        return found

    def _origin(self, steps: str) -> dict[str, Any]:
        match self.kind:
            case Kind.GATE:
                return {"gate": {"question": "Well?", "show": list(self.inputs)}}
            case Kind.CHILD:
                mapping = {"need": self.inputs[0]} if self.inputs else {}
                params = {"value": self.value}
                child = {"path": "child.yaml", "params": params, "output": "out"}
                return {"child_runbook": {**child, "input_mapping": mapping}}
            case Kind.REUSE:
                return {"reuse": {"from_run": SOURCE, "artifact": f"value{self.value % 2}"}}
            case Kind.EACH:
                made = step(steps, self.name, self.value, self.inputs, each="${each}")
                return {"for_each": list(self.items), **made}
            case Kind.STEP:
                return step(steps, self.name, self.value, self.inputs)


def step(
    file: str, name: str, value: int | str, inputs: Sequence[str], **more: str
) -> dict[str, Any]:
    """Return the origin of an artifact that a function of `STEPS` produces."""
    args = {"name": name, "value": value, **more}
    properties = {"call": f"{file}:{'acts' if inputs else 'act'}", "args": args}
    component = {"type": "python", "properties": properties}
    return {"inputs": list(inputs), "process": component} if inputs else {"source": component}


ITEMS = st.lists(st.sampled_from(["x", "yy", "zzz"]), unique=True, max_size=3).map(tuple)


@st.composite
def graphs(draw: st.DrawFn) -> list[Made]:
    names = draw(st.permutations([f"n{n}" for n in range(draw(st.integers(1, 8)))]))
    seldom = st.integers(0, 3).map(lambda n: n == 0)
    found: list[Made] = []
    for n, name in enumerate(names):
        some = st.lists(st.sampled_from(names[:n]), unique=True, max_size=2) if n else st.just([])
        kinds = {each.name: each.kind for each in found}
        kind = draw(st.sampled_from(Kind)) if draw(st.booleans()) else Kind.STEP
        inputs = () if kind is Kind.REUSE else tuple(draw(some))
        if kind is Kind.GATE and not inputs:
            kind = Kind.STEP
        if kind is Kind.CHILD:  # it takes one artifact
            inputs = tuple(each for each in inputs if kinds[each] is not Kind.EACH)[:1]
        asked = draw(some) if draw(seldom) else []
        looks = kind in (Kind.STEP, Kind.EACH) and bool(inputs) and draw(st.booleans())
        found.append(
            Made(
                name,
                inputs,
                tuple(draw(some)) if draw(seldom) and kind is not Kind.CHILD else (),
                tuple(
                    (each, draw(st.sampled_from(STATUSES)))
                    for each in asked
                    if kinds[each] is not Kind.EACH
                ),
                looks and kinds[inputs[0]] not in (Kind.GATE, Kind.EACH),
                kind,
                draw(ITEMS),
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
        steps = f"steps{next(_numbers)}.py"
        (book.folder / steps).write_text(STEPS)
        middle, last = (
            step(steps, name, "${params.value}", [before])
            for name, before in (("middle", "need"), ("out", "middle"))
        )
        child = {**CHILD, "artifacts": {"middle": middle, "out": last}}
        (book.folder / "child.yaml").write_text(json.dumps(child))
        book.write({f"value{n}": step(steps, "value", n, ()) for n in range(2)})
        start(RunRequest(source=str(book.path), run_id=SOURCE), book.store, book.options())
        yield book


def write(book: Book, graph: list[Made]) -> None:
    (steps,) = book.folder.glob("steps[0-9]*.py")
    book.write({each.name: each.document(steps.name) for each in graph})


def edit(draw: st.DrawFn, book: Book, graph: list[Made]) -> list[Made]:
    """Change some values, the code, what steps read besides, and which fail, wait or fail once."""
    edited = []
    calm = draw(st.booleans())  # little is certain while something fails
    for kind, name in product(("other", *MISHAPS), ["middle", "out", *(one.name for one in graph)]):
        flag = book.folder / f"{kind}-{name}"
        flag.unlink(missing_ok=True)
        if draw(st.integers(0, 3 if kind == "other" else 9)) == 0 and not (
            calm and kind in MISHAPS
        ):
            flag.touch()
    (steps,) = book.folder.glob("steps[0-9]*.py")
    if draw(st.integers(0, 5)) == 0:
        steps.write_text(f"{STEPS}\n# {draw(st.integers(0, 2))}\n")
    for each in graph:
        value = draw(st.integers(0, 3)) if draw(st.integers(0, 2)) == 0 else each.value
        items = draw(ITEMS) if draw(st.integers(0, 4)) == 0 else each.items
        edited.append(replace(each, value=value, items=items))
    return edited


def awaited(node: Node) -> set[str]:
    """Return the artifacts that must be settled before this one starts."""
    asked = (name for test in node.tests for name in (*test.statuses.values(), test.result))
    return {*node.inputs, *node.after, *filter(None, asked)}


def check(
    plan: Plan, planned: list[Forecast], result: RunResult, new: set[str], selected: set[str]
) -> None:
    """Compare what was certain; `new` are the artifacts that this attempt started."""
    steps = result.record.steps
    status = {name: str(step.status) for name, step in steps.items()}
    disturbed: set[str] = set()
    """What comes after something that failed or waits: a forecast assumes neither."""
    for name, node in plan.nodes.items():
        if any(
            before in disturbed or status[before] in ("failed", "suspended", "not_started")
            for before in awaited(node)
        ):
            disturbed.add(name)
    for one in planned:
        name = one.artifact
        if name not in selected:
            assert name not in new, f"{one} is not selected"
            continue
        completed = steps[name].completed
        how = completed.how if completed else status[name]
        if one.action is Action.KEEP:
            assert name in disturbed or (completed and name not in new), f"{one} is {how}"
        elif one.action is not Action.OPEN:
            assert how in OUTCOMES[one.action] or name in disturbed, f"{one} is {how}"


class NoRuns:
    """The records of a store without runs."""

    def statuses(self, run: str | None) -> dict[str, Any]:
        return {}

    def nodes(self, run: str | None) -> dict[Any, Any]:
        return {}


def attempt(
    book: Book, run: str | None, select: str | None = None, refresh: str | None = None
) -> RunResult | None:
    """Forecast, run or resume, compare; return the result, None if the selection is refused."""
    options = book.options(refresh=frozenset({refresh} if refresh else ()))
    planned = forecast(str(book.path), book.store, options, resume=run)
    plan = prepare.check(str(book.path), book.store, book.environ)
    assert {each.artifact for each in planned} == set(plan.nodes)
    before = 0 if run is None else len(book.store.read_journal(run).lines)
    selection, selected = Selection((select,) if select else ()), set(map(str, plan.nodes))
    try:
        if select:
            selected = set(selection.resolve(plan, NoRuns()))
        if run is None:
            request = RunRequest(source=str(book.path), selection=selection)
            result = start(request, book.store, options)
        else:
            request = RunRequest(
                source=str(book.path), run=run, selection=selection, allow_changed=True
            )
            result = resume(request, book.store, options)
    except (UsageError, ArtifactNotFoundError):  # it selects nothing, or not what it needs
        assert select
        return None
    events = book.events(result.run_id)[before:]
    new = {
        event.artifact
        for event in events
        if isinstance(event, ArtifactStartedRecord | ArtifactCompletedRecord)
    }
    if result.nothing_to_do:
        chosen = [each for each in planned if each.artifact in selected]
        assert select or {each.action for each in chosen} <= {Action.KEEP, Action.SKIP}
        assert select or not any(each.work for each in chosen)
        assert not events
    check(plan, planned, result, new, selected)
    return result


def settled(result: RunResult) -> bool:
    """Return whether all of a run is there, or left out by a condition."""
    steps = result.record.steps
    there = {name for name, step in steps.items() if step.completed}
    return steps.keys() <= there | left_out(result.record)


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
        result = attempt(book, None)
        assert result is not None
        run = result.run_id
        for _ in range(3):
            if draw(st.booleans()):
                graph = edit(draw, book, graph)
                write(book, graph)
            decide(draw, book, run)
            again = draw(st.integers(0, 3)) > 0
            chosen = draw(st.sampled_from(graph)).name if draw(st.integers(0, 3)) == 0 else None
            select = chosen and draw(st.sampled_from(["", "+"])) + chosen
            anew = draw(st.sampled_from(graph)).name if draw(st.integers(0, 3)) == 0 else None
            result = attempt(book, run if again else None, select, anew)
            run = result.run_id if result else run
            if result and not select and settled(result):
                more = attempt(book, run)
                assert more is not None
                assert more.nothing_to_do


def made(name: str, *inputs: str, **more: Any) -> Made:
    """Return a step that has nothing but what is given."""
    plain = Made(name, inputs, (), (), False, Kind.STEP, (), False, False, 0, 0)
    return replace(plain, **more)


HISTORIES = {
    "a condition is true since its input has changed": (
        [made("x"), made("s", "x", looks=True)],
        [made("x", value=1), made("s", "x", looks=True)],
        "",
    ),
    "an optional input is there that failed before": (
        [made("x", optional=True), made("z"), made("y", "x", "z")],
        [made("x", optional=True), made("z"), made("y", "x", "z")],
        "fail-x",
    ),
    "what it comes after is left out again": (
        [made("x"), made("a", "x", looks=True), made("b", after=("a",))],
        [made("x", value=2), made("a", "x", looks=True), made("b", after=("a",))],
        "",
    ),
}
"""Runbooks before and after an edit, and what happens before it only: chance seldom brings them."""


@pytest.mark.parametrize(("before", "later", "mishap"), HISTORIES.values(), ids=HISTORIES)
def test_what_chance_seldom_brings(before: list[Made], later: list[Made], mishap: str) -> None:
    with place() as book:
        write(book, before)
        if mishap:
            (book.folder / mishap).touch()
        first = attempt(book, None)
        assert first is not None
        if mishap:
            (book.folder / mishap).unlink()
        write(book, later)
        again = attempt(book, first.run_id)
        assert again is not None
        assert settled(again)
