"""SIGKILL before every operation: of a run, of its resume, and of the resume of that.

A look changes nothing on the disk: a kill before it leaves what a kill before the next change
leaves, and is not a point of its own. The resumes, of which there are thousands, are not killed but
stopped, after each change: the store is copied then, and each copy is resumed, of equal ones one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from harness import ALL, RUN, Bench, Count, Done, Plan, Runner, Shelf, Stop, carry_out
from injected import CHANGES
from oracle import (
    Known,
    Recoveries,
    after_fault,
    after_resume,
    contents,
    leftovers,
    stand,
    still_known,
)
from step_kinds import broken_at, chosen

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(3600)]  # a sweep on a busy machine

TRACE = Plan(trace=True)
RESUMED = Recoveries()
LEFT_BY_A_KILL = {(-9, "interrupted"), (-9, "completed")}


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    done = carry_out(bench.script, shelf.start())
    assert done.code == 1, done.err
    made = contents(shelf.run)
    assert made.keys() == {"one", "old", "two", "all", "last"}
    assert made["last"] == {"total": 8}
    return made


def killed(runner: Runner, shelf: Shelf, plan: Plan) -> Known | None:
    """Kill what a person would do now; None if it came to its end."""
    done = carry_out(runner, shelf.again(plan))
    if done.broke is None:
        assert done.code == 1, done.err
        return None
    assert done.code == -9
    return after_fault(shelf, done)


def recovered(bench: Bench, shelf: Shelf, known: Known, undisturbed: dict[str, Any]) -> None:
    after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)


def state(bench: Bench, plan: Plan) -> tuple[Shelf, Known]:
    """Return a store in which a run was killed so."""
    shelf = bench.shelf()
    known = killed(bench.zygote, shelf, plan)
    assert known is not None
    return shelf, known


def test_every_operation_of_a_run(bench: Bench, undisturbed: dict[str, Any], tried: Count) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        known = killed(bench.zygote, shelf, Plan("kill", number))
        if known:
            rows = carry_out(bench.zygote, shelf.wct("runs")).out.splitlines()
            told = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
            assert told.get(RUN) == (known.story.status if known.story else None)
            if RESUMED.is_new(shelf):
                recovered(bench, shelf, known, undisturbed)
        shelf.clear()
        return known is not None

    points = bench.sweep(point)
    shelf = bench.shelf()
    steps = carry_out(bench.script, shelf.start(TRACE)).steps
    assert points == len(steps), "the script and the zygote do not do the same"
    tried("kill: a run, before every operation", points)


def test_a_stop_shows_what_a_kill_leaves(bench: Bench, tried: Count) -> None:
    """Whatever a kill before a kind of operation leaves, the stops after the changes show, too.

    Not each time: how far the journal is when `state.json` is written depends on the threads.
    """
    shown = {stand(bench.shelf())}

    def shows(left: bytes) -> bool:
        for _ in range(100):  # on a busy machine some states are rare
            if left in shown:
                return True
            shelf = bench.shelf()
            shown.update(stand(stop.shelf) for stop in shelf.stops(shelf.start()))
            shelf.clear()
        return False

    def point(number: int) -> bool:
        shelf = bench.shelf()
        done = carry_out(bench.zygote, shelf.start(Plan("kill", number)))
        if done.broke:
            assert shows(stand(shelf)), done.broke
        shelf.clear()
        return done.broke is not None

    steps = carry_out(bench.zygote, bench.shelf().start(TRACE)).steps
    points = broken_at(bench, chosen(steps), point)
    tried("kill: a run, held against stops of one", points)


def test_every_operation_of_the_first_run_of_a_store(bench: Bench, tried: Count) -> None:
    def point(number: int) -> bool:
        shelf = bench.bare_shelf()
        done = carry_out(bench.zygote, shelf.origin(Plan("kill", number)))
        if done.broke:
            row = shelf.rows().get("origin")
            assert (done.code, row.status if row else "interrupted") in LEFT_BY_A_KILL
            again = carry_out(bench.zygote, shelf.origin_again())
            assert again.code == 0, again.err
            assert (shelf.path / ".waivern" / ".gitignore").read_text().startswith("*\n")
            assert leftovers(shelf) == []
        else:
            assert done.code == 0, done.err
        shelf.clear()
        return done.broke is not None

    tried("kill: the first run of a store, before every operation", bench.sweep(point))


def test_some_operations_of_a_run_in_the_script_itself(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    stride = 1 if ALL else 8

    def point(number: int) -> bool:
        shelf = bench.shelf()
        known = killed(bench.script, shelf, Plan("kill", 1 + (number - 1) * stride))
        if known:
            recovered(bench, shelf, known, undisturbed)
        return known is not None

    tried("kill: a run, in the installed script, every 8th", bench.sweep(point))


def test_in_the_middle_of_every_write(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    plan = {"action": "tear", "only": "write", "persistent": True}

    def point(number: int) -> bool:
        shelf = bench.shelf()
        known = killed(bench.zygote, shelf, Plan(ordinal=number, **plan))  # type: ignore[arg-type]
        if known:
            recovered(bench, shelf, known, undisturbed)
        return known is not None

    tried("kill: a run, in the middle of every write", bench.sweep(point))


def test_operations_of_artifacts_made_at_the_same_time(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    """As a run is without a gate between artifacts: four at once, events committed in groups."""

    broke: list[int] = []

    def point(number: int) -> None:
        shelf = bench.shelf()
        known = killed(bench.zygote, shelf, Plan("kill", number, serial=False))
        if known:
            if RESUMED.is_new(shelf):
                recovered(bench, shelf, known, undisturbed)
            broke.append(number)
        shelf.clear()

    bench.each([partial(point, number) for number in range(1, 110)])
    tried("kill: a run, four artifacts at once", len(broke))


def test_every_operation_of_the_resume(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    """From each kind of state that a kill can leave a run in: early, in the middle and late."""
    steps = carry_out(bench.script, bench.shelf().start(TRACE)).steps
    born = steps.index(("rename", RUN)) + 1
    points = crashes = 0
    after = {ordinal + 1 for ordinal in chosen(steps)}
    for outer in sorted(after.intersection(states(steps, born))):
        crashed, known = state(bench, Plan("kill", outer))
        crashes += 1
        points += swept_resume(bench, crashed, known, undisturbed)
    tried(f"kill: the resume of a run killed at {crashes} operations", points)


def test_every_operation_of_the_resume_of_a_torn_run(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    writes = [
        s for s in carry_out(bench.script, bench.shelf().start(TRACE)).steps if s[0] == "write"
    ]
    journal = [n for n, (_, name) in enumerate(writes, 1) if name == "events.jsonl"]
    points = 0
    for outer in journal[1:] if ALL else journal[3:4]:
        crashed, known = state(bench, Plan("tear", outer, only="write", persistent=True))
        points += swept_resume(bench, crashed, known, undisturbed)
    tried("kill: the resume of a run with a torn journal", points)


def test_every_operation_of_the_resume_of_an_ended_run(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    ended = bench.shelf()
    known = after_fault(ended, carry_out(bench.zygote, ended.start()))
    tried("kill: the resume of a run that ended", swept_resume(bench, ended, known, undisturbed))


def test_every_operation_of_the_resume_of_a_killed_resume(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    crashed, known = state(bench, Plan("kill", 70))
    shelf = crashed.copy()
    steps = carry_out(bench.zygote, shelf.resume(TRACE)).steps
    chosen = states(steps, 0) if ALL else states(steps, 0)[::8]
    points = 0
    for outer in chosen:
        shelf = crashed.copy()
        again = killed(bench.zygote, shelf, Plan("kill", outer))
        assert again
        still_known(known, again)
        points += swept_resume(bench, shelf, again, undisturbed)
    tried(f"kill: the resume of a resume killed at {len(chosen)} operations", points)


TURNS = """
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:turn", args: {name: a}}}}
  b: {inputs: a, process: {type: python, properties: {call: "steps.py:total", args: {name: b}}}}
  c:
    inputs: b
    when: "inputs.b.total < 2"
    process: {type: python, properties: {call: "steps.py:total", args: {name: c}}}
"""


def test_every_operation_of_a_resume_that_makes_again_what_is_there(
    bench: Bench, tried: Count
) -> None:
    """No kill makes an artifact that is being replaced, or taken away, read as altered."""
    (bench.folder / "turns.yaml").write_text(TURNS)
    words = ("run", "turns.yaml", "--max-concurrency", "1", "--no-cache")
    before = bench.bare_shelf()
    done = carry_out(bench.script, before.wct(*words, "--run-id", RUN))
    assert done.code == 0, done.err
    assert contents(before.run) == {"a": {"value": 1}, "b": {"total": 1}, "c": {"total": 1}}

    def resume(shelf: Shelf, plan: Plan | None = None) -> Done:
        more = ("--refresh", "a") if shelf.calls["a"] < 2 else ()
        return carry_out(bench.zygote, shelf.wct(*words, "--resume", RUN, *more, plan=plan))

    def point(number: int) -> bool:
        shelf = before.copy()
        done = resume(shelf, Plan("kill", number))
        if done.broke:
            found = verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN)
            assert not found.faults, f"{done.broke}: {found.faults}"
            again = resume(shelf)
            assert again.code == 0, again.err
        turns = shelf.calls["a"]
        assert contents(shelf.run) == {"a": {"value": turns}, "b": {"total": turns}}
        assert leftovers(shelf) == []
        shelf.clear()
        return done.broke is not None

    tried("kill: a resume that makes again what is there", bench.sweep(point))


def states(steps: list[tuple[str, str]], born: int) -> list[int]:
    """Return the ordinals of operations before which a kill leaves a state that no other leaves.

    That is those that follow a change. `born` is after how many operations there is a run.
    """
    return [
        number + 1
        for number, (operation, _) in enumerate(steps[:-1], 1)
        if operation in CHANGES and number >= born
    ]


def swept_resume(bench: Bench, crashed: Shelf, known: Known, undisturbed: dict[str, Any]) -> int:
    """Resume from all that a kill of the resume can leave; return how many states those are.

    What stands as another that was resumed is held against what is known, and not resumed again.
    """

    def point(stop: Stop) -> None:
        try:
            again = after_fault(stop.shelf, stop.killed)
            still_known(known, again)
            if RESUMED.is_new(stop.shelf):
                recovered(bench, stop.shelf, again, undisturbed)
        except AssertionError as error:
            raise AssertionError(f"before {stop.number}, {stop.operation}: {error}") from error

    shelf = crashed.copy()
    stops = shelf.stops(shelf.again())
    bench.each([partial(point, stop) for stop in stops])
    shelf.clear()
    return len(stops)
