"""Faults of a store in a SQLite database: killed at every statement, every statement failed."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ALL, Count, Done, Plan, Shelf, carry_out
from oracle import Known, after_fault, after_resume, contents, is_new
from sqlite_kit import SqliteBench
from step_kinds import broken_at

from waivern.errors import Exit

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(3600)]  # a sweep on a busy machine


@pytest.fixture(scope="module")
def bench() -> Iterator[SqliteBench]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=memory if memory.is_dir() else None))
    made = SqliteBench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def undisturbed(bench: SqliteBench) -> dict[str, Any]:
    shelf = bench.shelf()
    done = carry_out(bench.script, shelf.start())
    assert done.code == 1, done.err
    made = contents(shelf.run)
    assert made.keys() == {"one", "old", "two", "all", "last"}
    return made


def killed(bench: SqliteBench, shelf: Shelf, plan: Plan) -> Known | None:
    done = carry_out(bench.zygote, shelf.again(plan))
    if done.broke is None:
        assert done.code == 1, done.err
        return None
    assert done.code == -9
    return after_fault(shelf, done)


def test_killed_at_every_statement(
    bench: SqliteBench, undisturbed: dict[str, Any], tried: Count
) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        known = killed(bench, shelf, Plan("kill", number))
        if known and is_new(shelf, known):
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        shelf.clear()
        return known is not None

    tried("kill: a run in SQLite, before every statement", bench.sweep(point))


def held(bench: SqliteBench, shelf: Shelf, done: Done, undisturbed: dict[str, Any]) -> None:
    """Check what a command with an error in it reported and left, and what a resume makes of it."""
    known = after_fault(shelf, done)
    assert "Traceback" not in done.err
    if done.code == Exit.FAILED:  # what failed was not needed for the artifacts
        assert known.story
        assert known.story.status == "failed"
    elif done.code == Exit.INVALID:  # planning takes an error for a fault of the runbook
        assert known.story is None
    else:
        assert done.code == Exit.STORE
        told = done.out + done.err
        assert "cannot " in told
        assert "= help: " in told or "next:" in told
    if is_new(shelf, known):
        after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)


@pytest.mark.parametrize("persistent", [False, True])
def test_statements_fail(
    bench: SqliteBench, undisturbed: dict[str, Any], tried: Count, persistent: bool
) -> None:
    """An error once at every third statement, and from every sixth one on."""
    number = errno.EIO if persistent else errno.ENOSPC

    def point(ordinal: int) -> bool:
        shelf = bench.shelf()
        plan = Plan("error", ordinal, number, persistent=persistent)
        done = carry_out(bench.zygote, shelf.start(plan))
        if done.broke:
            try:
                held(bench, shelf, done, undisturbed)
            except AssertionError as error:
                message = f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
                raise AssertionError(message) from error
        else:
            assert done.code == 1, done.err
        shelf.clear()
        return done.broke is not None

    how = "from every sixth on" if persistent else "once at every third"
    steps = carry_out(bench.zygote, bench.shelf().start(Plan(trace=True))).steps
    ordinals = range(1, len(steps) + 1, 1 if ALL else 6 if persistent else 3)
    points = broken_at(bench, ordinals, point)
    tried(f"fail: a run in SQLite, {errno.errorcode[number]} {how}", points)
