"""Fail the Nth operation, for N = 1 until a run finishes with nothing left to fail.

Once as a single fault, once as a fault that stays. What only reads cannot fail for want of space,
so looks are points where the error is one that a read can meet.
"""

from __future__ import annotations

import errno
import re
from typing import Any

import pytest
from harness import RUN, Bench, Count, Done, Plan, Shelf, carry_out, nth
from oracle import after_fault, after_resume, contents, is_new

from waivern.errors import Exit

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

EVERYTHING = (errno.EIO, errno.EACCES, errno.EMFILE)
CHANGES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
BEFORE_THE_RUN = re.compile(r"'old' cannot be reused: cannot |cannot read 'book.yaml'")
LAST_SYNC = ("sync", "events.jsonl")
"""After it failed nobody knows whether the end of the attempt is on the disk."""
ERRNOS = EVERYTHING + CHANGES
KINDS = [(number, staying) for staying in (False, True) for number in ERRNOS]


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


def held(bench: Bench, shelf: Shelf, done: Done, undisturbed: dict[str, Any]) -> None:
    """Check what a command with a fault in it told, what it left, and what a resume makes of it."""
    try:
        known = after_fault(shelf, done)
        ours = done.err.partition("Exception ignored in: <function BaseEventLoop.__del__")[0]
        assert "Traceback" not in ours
        if done.code == Exit.FAILED:  # what failed was not needed for the artifacts
            assert known.story
            assert known.story.status == "failed", "left as if it had ended by itself"
            assert contents(shelf.run) == undisturbed
        elif done.code == Exit.INVALID:  # the planner takes any error for the runbook's fault
            assert known.story is None
            assert BEFORE_THE_RUN.search(done.err)
        else:
            assert done.code == Exit.STORE
            if known.story and known.story.status != "interrupted":  # only what follows was lost
                assert contents(shelf.run) == undisturbed
                assert done.broke == LAST_SYNC or not done.out.startswith("INTERRUPTED")
            told = done.out + done.err
            assert "cannot " in told
            assert "= help: " in told or "next:" in told
        if is_new(shelf, known):
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
    except AssertionError as error:
        raise AssertionError(
            f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
        ) from error


def swept(bench: Bench, undisturbed: dict[str, Any], plan: dict[str, Any]) -> int:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        ordinal = nth(number, plan["number"])
        done = carry_out(bench.zygote, shelf.start(Plan(ordinal=ordinal, **plan)))
        if done.broke:
            held(bench, shelf, done, undisturbed)
        else:
            assert done.code == 1, done.err
        shelf.clear()
        return done.broke is not None

    return bench.sweep(point)


@pytest.mark.parametrize(("number", "persistent"), KINDS)
def test_every_operation_of_a_run(
    bench: Bench, undisturbed: dict[str, Any], tried: Count, number: int, persistent: bool
) -> None:
    looks = number in EVERYTHING
    plan = {"action": "error", "number": number, "looks": looks, "persistent": persistent}
    points = swept(bench, undisturbed, plan)
    trace = Plan(trace=True, looks=looks)
    shelf = bench.shelf()
    operations = len(carry_out(bench.script, shelf.start(trace)).steps)
    assert nth(points, number) <= operations < nth(points + 1, number)
    how = "from then on" if persistent else "once"
    tried(f"fail: a run, {errno.errorcode[number]} {how}", points)


def test_some_operations_in_the_script_itself(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    def point(number: int) -> bool:
        plan = Plan("error", number * 16, errno.ENOSPC, persistent=bool(number % 2))
        shelf = bench.shelf()
        done = carry_out(bench.script, shelf.start(plan))
        if done.broke:
            held(bench, shelf, done, undisturbed)
        return done.broke is not None

    tried("fail: a run, in the installed script, every 16th", bench.sweep(point))


def test_writes_that_take_less_than_they_were_given(
    bench: Bench, undisturbed: dict[str, Any], tried: Count
) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        plan = Plan("short", number, only="write")
        done = carry_out(bench.zygote, shelf.start(plan))
        assert done.code == 1, done.err
        if done.broke:
            known = after_fault(shelf, done)
            assert contents(shelf.run) == undisturbed
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        return done.broke is not None

    tried("fail: a run, short writes", bench.sweep(point))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_writes_that_take_half_and_then_no_more(
    bench: Bench, undisturbed: dict[str, Any], tried: Count, number: int
) -> None:
    plan = {"action": "torn", "number": number, "only": "write", "persistent": True}
    points = swept(bench, undisturbed, plan)
    tried(f"fail: a run, half a write and then {errno.errorcode[number]}", points)


@pytest.mark.parametrize("number", ERRNOS, ids=errno.errorcode.get)
def test_every_operation_of_a_resume(
    bench: Bench, undisturbed: dict[str, Any], tried: Count, number: int
) -> None:
    crashed = bench.shelf()
    known = after_fault(crashed, carry_out(bench.zygote, crashed.start(Plan("kill", 70))))
    assert known.story

    def point(count: int) -> bool:
        shelf = crashed.copy()
        ordinal = nth(count, number)
        plan = Plan("error", ordinal, number, looks=number in EVERYTHING, persistent=True)
        done = carry_out(bench.zygote, shelf.resume(plan))
        if done.broke:
            held(bench, shelf, done, undisturbed)
        shelf.clear()
        return done.broke is not None

    tried(f"fail: a resume, {errno.errorcode[number]} from then on", bench.sweep(point))


def test_real_want_of_descriptors(bench: Bench, undisturbed: dict[str, Any], tried: Count) -> None:
    """With ever more descriptors, until a run has enough: nothing is injected, all is real."""

    def point(number: int) -> bool:
        shelf = bench.shelf()
        job = shelf.wct("run", "book.yaml", "--run-id", RUN, files=5 + number)
        done = carry_out(bench.zygote, job)
        if done.code != 1:
            held(bench, shelf, done, undisturbed)
        return done.code != 1

    tried("fail: a run with too few descriptors", bench.sweep(point))
