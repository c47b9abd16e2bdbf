"""Fail each kind of operation of what asks people and of what takes from the cache.

A decision that was told of is on record, and one that is on record is there when all is well again;
a cache that cannot be read or written fails no run.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from harness import ALL, RUN, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import contents, is_new, story
from programme import (
    MADE,
    Stand,
    approve,
    begin,
    comparable,
    go_on,
    known_before,
    to_the_end,
    until_it_waits,
)
from step_kinds import broken_at, chosen

from waivern.errors import Exit

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

READS = (errno.EIO, errno.EACCES, errno.EMFILE) if ALL else (errno.EIO,)
CHANGES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS) if ALL else (errno.ENOSPC,)
KINDS = [(number, stays) for number in (*READS, *CHANGES) for stays in (False, True)]
NAMES = [f"{errno.errorcode[number]} {'from then on' if s else 'once'}" for number, s in KINDS]
CACHE = re.compile(r"/cache$|^cache$|^key$|^\.tmp-key-|^[0-9a-f]{2}\.jsonl$")
"""Files of the cache."""
Command = Callable[[Shelf, Plan], Job]
Recover = Callable[[Shelf, Stand], None]


def held(shelf: Shelf, done: Done, ended: int, plan: Plan) -> Stand:
    """Check what a command with a fault in it told, and what it left."""
    assert done.broke
    stand = Stand.after(shelf, done)
    truth, told = stand.known.story, done.out + done.err
    assert "Traceback" not in told
    if CACHE.search(done.broke[1]) and not plan.persistent:
        assert done.code == ended, "the cache failed a run"
    if done.code == ended:  # what failed was not needed
        assert truth
        assert {0: "completed", 1: "failed", 7: "suspended"}[ended] == truth.status
    else:
        assert done.code in (Exit.STORE, Exit.INVALID, Exit.INTEGRITY), done.code
        assert "cannot " in told
    return stand


def swept(
    bench: Bench, template: Shelf, command: Command, ended: int, recover: Recover, plan: Plan
) -> int:
    """Fail each kind of operation of a command; return how many operations that were."""
    trace = Plan(trace=True, looks=plan.looks)
    steps = carry_out(bench.zygote, command(template.copy(), trace)).steps

    def point(number: int) -> bool:
        shelf = template.copy()
        fault = replace(plan, ordinal=number)
        done = carry_out(bench.zygote, command(shelf, fault))
        if done.broke is None:
            assert done.code == ended, f"{done.code}: {done.err}"
            shelf.clear()
            return False
        try:
            stand = held(shelf, done, ended, fault)
            if is_new(shelf, stand.known):
                recover(shelf, stand)
        except AssertionError as error:
            text = f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
            raise AssertionError(text) from error
        shelf.clear()
        return True

    return broken_at(bench, chosen(steps), point)


@pytest.fixture(params=KINDS, ids=NAMES)
def fault(request: pytest.FixtureRequest) -> tuple[Plan, str]:
    number, stays = request.param
    plan = Plan("error", 0, number, persistent=stays, looks=number in READS)
    return plan, f"{errno.errorcode[number]} {'from then on' if stays else 'once'}"


def test_a_run_that_takes_everything_from_the_cache(
    bench: Bench, approved: dict[str, Any], tried: Count, fault: tuple[Plan, str]
) -> None:
    plan, name = fault
    recover = partial(until_it_waits, bench, approved)
    points = swept(bench, known_before(bench), begin, 7, recover, plan)
    tried(f"fail: a run that takes all from the cache, {name}", points)


def test_a_decision_and_what_follows_it(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count, fault: tuple[Plan, str]
) -> None:
    plan, name = fault

    def recover(shelf: Shelf, stand: Stand) -> None:
        truth = stand.known.story
        if truth and truth.status == "completed":
            assert comparable(shelf) == approved
        else:
            to_the_end(bench, approved, shelf, stand)

    points = swept(bench, waiting, approve, 0, recover, plan)
    tried(f"fail: approve, and the run goes on, {name}", points)


def test_a_decision_that_is_only_recorded(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count, fault: tuple[Plan, str]
) -> None:
    """It leaves with 0 only if the decision is there, and with 74 also where nobody knows."""
    plan, name = fault

    def point(number: int) -> bool:
        shelf = waiting.copy()
        job = shelf.wct("runs", "approve", RUN, "--by", "ann", "--no-resume")
        done = carry_out(bench.zygote, replace(job, plan=replace(plan, ordinal=number)))
        if done.broke:
            try:
                stand = Stand.after(shelf, done)
                assert "Traceback" not in done.err
                assert done.code in (0, Exit.STORE, Exit.INTEGRITY), done.code
                assert done.code or stand.decisions == 1
                if is_new(shelf, stand.known):
                    to_the_end(bench, approved, shelf, stand)
            except AssertionError as error:
                text = f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
                raise AssertionError(text) from error
        else:
            assert done.code == 0, done.err
        shelf.clear()
        return done.broke is not None

    tried(f"fail: approve --no-resume, {name}", bench.sweep(point))


def test_a_store_whose_cache_is_no_folder(bench: Bench, tried: Count) -> None:
    """A file, a link, a folder that nobody may write to: runs are made, with a warning."""
    kinds: list[Callable[[Shelf], object]] = [
        lambda shelf: (shelf.path / ".waivern/cache").write_text("no"),
        lambda shelf: (shelf.path / ".waivern/cache").symlink_to("/"),
        lambda shelf: (shelf.path / ".waivern/cache").symlink_to("nowhere"),
        lambda shelf: _with(shelf, "key", b"short"),
        lambda shelf: _with(shelf, "key", b""),
        lambda shelf: (_with(shelf, "key", None) / "key").mkdir(),
        lambda shelf: (_with(shelf, "key", None) / "key").symlink_to("/dev/zero"),
    ]
    known_before(bench)
    points = 0
    for spoil in kinds:
        shelf = bench.shelf()
        spoil(shelf)
        done = carry_out(bench.zygote, begin(shelf))
        assert done.code == 7, done.err
        assert "Traceback" not in done.err
        assert contents(shelf.run).keys() == MADE
        assert story(shelf.run).status == "suspended"
        assert carry_out(bench.zygote, go_on(shelf)).code == 7
        shelf.clear()
        points += 1
    tried("fail: a cache that is none", points)


def _with(shelf: Shelf, name: str, data: bytes | None) -> Any:
    folder = shelf.path / ".waivern/cache"
    folder.mkdir()
    if data is not None:
        (folder / name).write_bytes(data)
    return folder
