"""SIGKILL before each kind of operation of what asks people, and of what takes from the cache.

A run with a child, a `for_each`, a retry, a condition and a gate: until it waits, while a decision
is written down, while it goes on; while it takes all from the cache, while it is replayed, while it
is resumed with another child. Afterwards `wct runs` tells the truth, a decision on record is there
and counts once, what was acknowledged is not made again, and all comes out as if undisturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from harness import RUN, Bench, Count, Plan, Runner, Shelf, carry_out
from oracle import BEFORE, Known, Recoveries, after_resume, contents, story
from programme import (
    CALLED,
    GATE,
    MADE,
    REFUSED,
    Stand,
    approve,
    begin,
    comparable,
    decided,
    go_on,
    known_before,
    serial,
    sound,
    to_the_end,
    until_it_waits,
    write,
)
from step_kinds import broken_at, chosen

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

CHANGED = ("child/raw", "child/made")
"""What the changed child makes another way."""


def told_by_wct(bench: Bench, shelf: Shelf, stand: Stand) -> None:
    rows = carry_out(bench.zygote, shelf.wct("runs")).out.splitlines()
    told = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
    assert told.get(RUN) == (stand.known.story.status if stand.known.story else None)


def swept(
    bench: Bench,
    template: Shelf,
    command: Callable[[Shelf, Plan], Any],
    ended: int,
    recover: Callable[[Shelf, Stand], None],
    runner: Runner | None = None,
    stride: int | None = None,
) -> int:
    """Kill a command before each kind of its operations; return how often.

    `stride`: before each so manieth operation instead, as a runner that takes longer does.
    """
    recoveries = Recoveries(beside=True)

    def point(number: int) -> bool:
        shelf = template.copy()
        done = carry_out(runner or bench.zygote, command(shelf, Plan("kill", number)))
        if done.broke is None:
            assert done.code == ended, f"{done.code}: {done.err}"
            shelf.clear()
            return False
        assert done.code == -9
        try:
            stand = Stand.after(shelf, done)
            if recoveries.is_new(shelf):
                told_by_wct(bench, shelf, stand)
                recover(shelf, stand)
        except AssertionError as error:
            raise AssertionError(f"{done.broke}: {error}\n{done.err}") from error
        shelf.clear()
        return True

    steps = carry_out(bench.zygote, command(template.copy(), Plan(trace=True))).steps
    ordinals = chosen(steps) if stride is None else range(1, len(steps) + 1, stride)
    return broken_at(bench, ordinals, point)


def test_a_run_until_it_waits(bench: Bench, approved: dict[str, Any], tried: Count) -> None:
    recover = partial(until_it_waits, bench, approved)
    points = swept(bench, bench.shelf(), begin, 7, recover)
    tried("kill: a run with a child, a retry and a gate, until it waits", points)


def test_a_decision_and_what_follows_it(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    recover = partial(to_the_end, bench, approved)
    tried("kill: approve, and the run goes on", swept(bench, waiting, approve, 0, recover))


def test_a_decision_that_is_only_recorded(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    def command(shelf: Shelf, plan: Plan) -> Any:
        return shelf.wct("runs", "approve", RUN, "--by", "ann", "--no-resume", plan=plan)

    recover = partial(to_the_end, bench, approved)
    tried("kill: approve --no-resume", swept(bench, waiting, command, 0, recover))


def test_a_rejection(bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count) -> None:
    def recover(shelf: Shelf, stand: Stand) -> None:
        done = decided(bench, shelf, stand, 1, "--reject")
        assert done.code == 1, done.err
        truth = story(shelf.run)
        assert (truth.artifacts[GATE], truth.artifacts["end"]) == ("failed", "skipped")
        assert comparable(shelf) == {name: approved[name] for name in MADE}
        sound(shelf)

    def command(shelf: Shelf, plan: Plan) -> Any:
        return approve(shelf, plan, "--reject")

    points = swept(bench, waiting, command, 1, recover)
    tried("kill: approve --reject", points)


def test_a_decision_as_data_of_a_resume(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    def command(shelf: Shelf, plan: Plan | None = None) -> Any:
        return go_on(shelf, plan, "--data", "approved=true")

    def recover(shelf: Shelf, stand: Stand) -> None:
        truth = stand.known.story
        assert truth
        done = carry_out(bench.zygote, go_on(shelf) if truth.decisions else command(shelf))
        assert done.code == 0, done.err
        assert comparable(shelf) == approved
        assert len(story(shelf.run).decisions) == 1
        sound(shelf)

    tried("kill: resume --data approved=true", swept(bench, waiting, command, 0, recover))


def test_a_run_that_takes_everything_from_the_cache(
    bench: Bench, approved: dict[str, Any], tried: Count
) -> None:
    """Neither it nor the resume of it makes anything; what it copied is whole or not there."""
    template = known_before(bench)
    whole = {name: template.calls[name] for name in CALLED}

    def recover(shelf: Shelf, stand: Stand) -> None:
        until_it_waits(bench, approved, shelf, stand)
        assert {name: shelf.calls[name] for name in CALLED} == whole, "made, not taken"
        taken = {name for name, e in story(shelf.run).completed.items() if e["how"] == "cached"}
        assert taken == CALLED

    tried("kill: a run that takes all from the cache", swept(bench, template, begin, 7, recover))


def test_the_cache_is_written(bench: Bench, approved: dict[str, Any], tried: Count) -> None:
    """A kill while its key is made or an entry is appended: the next run finds all, or makes it.

    What is torn is no entry, and what was remembered after it is found.
    """
    write(bench)
    expected = {name: approved[name] for name in MADE}

    def point(number: int) -> bool:
        shelf = bench.bare_shelf()
        plan = Plan("tear", number, only="write", persistent=True)
        done = carry_out(bench.zygote, begin(shelf, plan, run=BEFORE))
        assert done.code == (-9 if done.broke else 7), done.err
        for run in (RUN, "third") if done.broke else ():
            before = shelf.calls
            again = carry_out(bench.zygote, begin(shelf, run=run))
            assert again.code == 7, again.err
            assert contents(shelf.run.parent / run) == expected
            if run == "third":
                assert shelf.calls == before, "what the second run made is not taken by the third"
        assert not list((shelf.path / ".waivern" / "cache").glob(".tmp-*"))
        shelf.clear()
        return done.broke is not None

    points = bench.sweep(point)
    tried("kill: in the middle of every write of a run that fills the cache", points)


def test_a_replay(bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count) -> None:
    """Nothing of it, and of its resume, comes from the cache."""
    template = known_before(bench)

    def command(shelf: Shelf, plan: Plan | None) -> Any:
        return serial(shelf, plan, "runs", "replay", BEFORE, "--run-id", RUN)

    def recover(shelf: Shelf, stand: Stand) -> None:
        job = go_on(shelf) if shelf.run.exists() else command(shelf, None)
        expected = {name: approved[name] for name in MADE}
        after_resume(shelf, stand.known, carry_out(bench.zygote, job), expected)
        hows = {event["how"] for event in story(shelf.run).completed.values()}
        assert hows == {"produced"}, "evidence was used"

    tried("kill: a replay", swept(bench, template, command, 7, recover))


def test_a_resume_with_another_child(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    """Whenever it dies, the bytes of the child that it last ran are there, and those of before."""

    def command(shelf: Shelf, plan: Plan | None = None) -> Any:
        words = ("run", "changed/programme.yaml", "--resume", RUN, "--allow-changed")
        return serial(shelf, plan, *words)

    shelf = waiting.copy()
    assert carry_out(bench.zygote, command(shelf)).code == 7
    undisturbed = contents(shelf.run)
    assert undisturbed["sum"] == {"total": 30 + 2 + 7 + 7 + 4}

    def recover(shelf: Shelf, stand: Stand) -> None:
        looked = carry_out(
            bench.zygote, shelf.wct("plan", "--resume", RUN, "changed/programme.yaml")
        )
        assert looked.code in (0, REFUSED), looked.err
        other = shelf.copy()
        kept = carry_out(bench.zygote, go_on(other))
        assert kept.code == 7, kept.err
        assert contents(other.run)["sum"]["total"] in (23, 50)
        other.clear()
        after_resume(
            shelf, touched(stand.known), carry_out(bench.zygote, command(shelf)), undisturbed
        )
        sound(shelf)

    def touched(known: Known) -> Known:
        """Leave out what counts no longer as soon as an attempt with the other child begins."""
        truth = known.story
        if truth is None or truth.attempts > 1:
            return known
        stays = {n: e for n, e in truth.completed.items() if n not in {*CHANGED, "sum"}}
        return replace(known, story=replace(truth, completed=stays))

    tried(
        "kill: resume --allow-changed of another child", swept(bench, waiting, command, 7, recover)
    )


LATE = """
artifacts:
  a: {source: {type: python, properties: {call: "late.py:value", args: {name: a}}}}
  late:
    optional: true
    source: {type: python, properties: {call: "late.py:value", args: {name: late}}}
  sign: {gate: {question: Is it well?, show: [a, late]}}
"""
LATER = """
import os

def value(name):
    if not os.path.exists(os.path.join(os.path.dirname(__file__), name)):
        raise ValueError("not there yet")
    return {"value": 1}
"""


def test_an_answer_to_another_question(bench: Bench, tried: Count) -> None:
    """A gate that was decided, and has to ask about more, leaves no answer in the folder."""
    shelf = bench.shelf()
    book = shelf.path / "late.yaml"
    book.write_text(LATE)
    (shelf.path / "late.py").write_text(LATER)
    (shelf.path / "a").touch()
    assert carry_out(bench.script, shelf.wct("run", str(book), "--run-id", RUN)).code == 7
    done = carry_out(bench.script, shelf.wct("runs", "approve", RUN, "--by", "ann"))
    assert done.code == 0, done.err
    (shelf.path / "late").touch()
    done = carry_out(bench.script, shelf.wct("runs", "resume", RUN))
    assert done.code == 7, done.err
    assert contents(shelf.run).keys() == {"a", "late"}
    assert story(shelf.run).artifacts[GATE] == "suspended"
    sound(shelf)
    done = carry_out(bench.script, shelf.wct("runs", "approve", RUN, "--by", "ann"))
    assert done.code == 0, done.err
    assert contents(shelf.run)[GATE]["shown"].keys() == {"a", "late"}
    tried("gates: an answer to another question", 1)


def test_in_the_script_itself(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    recover = partial(to_the_end, bench, approved)
    points = swept(bench, waiting, approve, 0, recover, bench.script, stride=12)
    tried("kill: approve, in the installed script, every 12th", points)
