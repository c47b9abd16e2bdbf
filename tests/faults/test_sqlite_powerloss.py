"""Power losses of a store in a SQLite database: what was not synced of its log is lost or torn.

A run is killed at every second statement, or at each with WAIVERN_FAULTS_ALL. SQLite syncs the log
when a durable commit ends; what was written to it since is then absent, zeroed, torn, or has a gap,
as a disk may leave it. The database itself is written only by a checkpoint, which syncs the log
before it and the database after it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from database_points import without_faults
from harness import ALL, Count, Plan, carry_out
from oracle import after_fault, after_resume, is_new
from sqlite_kit import SqliteBench

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(3600)]  # a sweep on a busy machine
HEADER = 32
"""The bytes of the header of a log; its salts change when the log begins anew."""
FRAME = 24 + 4096
"""The bytes of a frame of a log: its header, and a page."""
STRIDE = 1 if ALL else 2
State = Callable[[bytes, int], bytes]
"""Takes a log and the number of its bytes that are durable; returns what the power loss leaves."""
STATES: dict[str, State] = {
    "absent": lambda log, durable: log[:durable],
    "zeroed": lambda log, durable: log[:durable] + bytes(len(log) - durable),
    "torn": lambda log, durable: log[: (durable + len(log)) // 2],
    "gap": lambda log, durable: log[:durable] + bytes(FRAME) + log[durable + FRAME :],
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteBench]:
    made = SqliteBench(tmp_path_factory.mktemp("powerloss"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def undisturbed(bench: SqliteBench) -> dict[str, Any]:
    return without_faults(bench)


def durable_bytes(database: Path, log: bytes) -> int:
    """Return how many bytes of a log a power loss cannot take."""
    file = database.with_name(f"{database.name}-durable")
    if not file.exists():
        return 0
    recorded = file.read_bytes()
    # a log that has begun anew since then has nothing durable, but the database has all of before
    return int(recorded[HEADER:]) if recorded[:HEADER] == log[:HEADER] else 0


def left(database: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what a power loss may leave of the log of a database, each content once."""
    path = database.with_name(f"{database.name}-wal")
    log = path.read_bytes() if path.exists() else b""
    durable = durable_bytes(database, log)
    assert durable <= len(log)
    found: set[bytes] = set()
    for name, state in STATES.items():
        after = state(log, durable) if durable < len(log) else log
        if after not in found:
            found.add(after)
            yield name, after


def test_the_log_at_its_statements(
    bench: SqliteBench, undisturbed: dict[str, Any], tried: Count
) -> None:
    seen: set[bytes] = set()
    lost = 0

    def point(number: int) -> bool:
        nonlocal lost
        shelf = bench.shelf()
        done = carry_out(bench.zygote, shelf.again(Plan("kill", number * STRIDE, wal=True)))
        if done.broke is not None:
            database = shelf.database
            for name, log in left(database):
                told = repr((done.out, done.err)).encode()
                state = hashlib.sha256(database.read_bytes() + log + told).digest()
                if state in seen and not ALL:
                    continue  # statements that changed nothing lie between the two kills
                seen.add(state)
                lost += 1
                after_loss(bench, shelf.path, log, (done, f"{done.broke}, {name}"), undisturbed)
        shelf.clear()
        return done.broke is not None

    bench.sweep(point)
    tried("power loss: a run in SQLite, the log at its statements", lost)


def after_loss(
    bench: SqliteBench, path: Path, log: bytes, done: Any, undisturbed: dict[str, Any]
) -> None:
    """Check what a power loss left of a copy of a store, and what a resume makes of it."""
    process, what = done
    shelf = bench.shelf(path)
    shelf.database.with_name(f"{shelf.database.name}-wal").write_bytes(log)
    shelf.database.with_name(f"{shelf.database.name}-shm").unlink(missing_ok=True)
    try:
        known = after_fault(shelf, process)
        if is_new(shelf, known):
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error
    shelf.clear()


def test_the_check_notices_a_lost_commit(bench: SqliteBench) -> None:
    """Of a durable part that is lost after all, an acknowledged artifact is missing."""
    shelf = bench.shelf()
    number = 1
    while True:
        done = carry_out(bench.zygote, shelf.again(Plan("kill", number, wal=True)))
        assert done.broke is not None
        if "last" in done.out + done.err or number > 400:
            break
        shelf.clear()
        shelf, number = bench.shelf(), number + 40
    shelf.database.with_name(f"{shelf.database.name}-wal").write_bytes(b"")
    shelf.database.with_name(f"{shelf.database.name}-shm").unlink(missing_ok=True)
    with pytest.raises(AssertionError):
        after_fault(shelf, done)
    shutil.rmtree(shelf.path)
