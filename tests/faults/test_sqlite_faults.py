"""Faults of a store in a SQLite database: killed at every statement, every statement failed."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from database_points import failed, killed, without_faults
from harness import ALL, Count, Plan
from sqlite_kit import SqliteBench

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
    return without_faults(bench)


def test_killed_at_every_statement(
    bench: SqliteBench, undisturbed: dict[str, Any], tried: Count
) -> None:
    points = bench.sweep(lambda number: killed(bench, number, undisturbed))
    tried("kill: a run in SQLite, before every statement", points)


@pytest.mark.parametrize("persistent", [False, True])
def test_every_statement_fails(
    bench: SqliteBench, undisturbed: dict[str, Any], tried: Count, persistent: bool
) -> None:
    """An error once at every statement, and from every sixth one on."""
    stride = 6 if persistent and not ALL else 1
    error = errno.EIO if persistent else errno.ENOSPC

    def point(number: int) -> bool:
        plan = Plan("error", number * stride, error, persistent=persistent)
        return failed(bench, plan, undisturbed)

    how = "from every sixth on" if persistent else "once"
    tried(f"fail: a run in SQLite, {errno.errorcode[error]} {how}", bench.sweep(point))
