"""The power fails after every operation of a run, a resume, a removal: what may be left is right.

The traces are of real commands; powerloss.py says what a disk may hold at every point of them, and
powerloss_check.py what must be true of it: no completed artifact is missing or wrong, nothing that
was acknowledged is lost, nothing that a crash leaves is refused as corrupt.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ALL, RUN, Count
from oracle import contents
from powerloss import Disk
from powerloss_check import STORE, Points, Promise
from powerloss_place import CHANGED, WORSE, Place
from powerloss_recorder import Operation

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

RESUMED = 20
"""States of a trace in which the run is also resumed."""


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=shm if shm.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def origin(memory: Path) -> Path:
    """A store with one run that is durable."""
    folder = memory / "origin"
    folder.mkdir()
    place = Place(folder, memory / "books")
    place.wct("run", "origin.yaml", "--run-id", "origin")
    return place.home / STORE


@pytest.fixture(scope="module")
def ended(memory: Path, origin: Path) -> Path:
    """A store with that, and the run that reuses of it and fails."""
    folder = memory / "ended"
    folder.mkdir()
    place = Place(folder, memory / "books")
    shutil.copytree(origin, place.home / STORE, symlinks=True)
    place.wct("run", "book.yaml", "--run-id", RUN)
    return place.home / STORE


@pytest.fixture(scope="module")
def undisturbed(ended: Path) -> dict[str, Any]:
    made = contents(ended / "runs" / RUN)
    assert made.keys() == {"one", "old", "two", "all", "last"}
    return made


@pytest.fixture
def place(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = memory / "place"
    folder.mkdir()
    made = Place(folder, memory / "books")
    monkeypatch.setenv("CALLS", str(made.calls))
    yield made
    shutil.rmtree(folder)


def with_store(place: Place, store: Path) -> Disk:
    shutil.copytree(store, place.home / STORE, symlinks=True)
    return place.disk()


def told(tried: Count, what: str, *parts: Points, resumed: int = 0) -> None:
    points = sum(part.crash_points for part in parts)
    states = sum(len(part.states) for part in parts)
    assert points > 0 < states
    also = f", {resumed} resumed" if resumed else ""
    tried(f"power loss: {what} ({points} crash points{also}), states", states)


def test_the_first_run_of_a_store(place: Place, tried: Count) -> None:
    disk = place.disk()
    points = place.held(disk, place.wct("run", "origin.yaml", "--run-id", "origin"))
    told(tried, "the first run of a store", points)


@pytest.mark.parametrize("pace", ["usual", "eager"])
def test_a_run_that_reuses(
    place: Place, origin: Path, undisturbed: dict[str, Any], tried: Count, pace: str
) -> None:
    disk = with_store(place, origin)
    trace = place.wct("run", "book.yaml", "--run-id", RUN, pace=pace)
    points = place.held(disk, trace)
    resumed = place.resumed(points, RESUMED, undisturbed)
    how = "one by one" if pace == "eager" else "in groups"
    told(tried, f"a run, {how}", points, resumed=resumed)


def test_the_resume_of_a_run_that_ended(
    place: Place, ended: Path, undisturbed: dict[str, Any], tried: Count
) -> None:
    disk = with_store(place, ended)
    points = place.held(disk, place.wct("run", "book.yaml", "--resume", RUN))
    resumed = place.resumed(points, RESUMED, undisturbed)
    told(tried, "the resume of a run that ended", points, resumed=resumed)


def test_the_resume_of_a_run_that_was_killed(
    place: Place, origin: Path, undisturbed: dict[str, Any], tried: Count
) -> None:
    """First the process dies, so that what it did not sync waits in memory; then the power."""
    with_store(place, origin)
    whole = place.wct("run", "book.yaml", "--run-id", RUN, pace="eager")
    parts = []
    for kill_at in range(2, len(whole)) if ALL else telling(whole):
        shutil.rmtree(place.home / STORE)
        disk = with_store(place, origin)
        before = place.wct("run", "book.yaml", "--run-id", RUN, kill_at=kill_at, pace="eager")
        again = (
            ["--resume", RUN] if (place.home / STORE / "runs" / RUN).exists() else ["--run-id", RUN]
        )
        for operation in before:
            disk.follow(operation)
        parts.append(place.held(disk, place.wct("run", "book.yaml", *again)))
    resumed = sum(place.resumed(part, 3, undisturbed) for part in parts)
    told(tried, f"the resume of a run killed at {len(parts)} operations", *parts, resumed=resumed)


def telling(trace: list[Operation]) -> list[int]:
    """Return the number of the operation after a run is born, and after some journal lines."""
    journal = next(each[3] for each in trace if each[0] == "create" and each[2] == "events.jsonl")
    born = [n for n, each in enumerate(trace) if each[0] == "rename" and each[4] == RUN]
    lines = [n for n, each in enumerate(trace) if each[:2] == ("write", journal) and n > born[0]]
    return [n + 2 for n in (*born, *lines[1::2])]


def test_the_first_run_again_after_a_kill(place: Place, tried: Count) -> None:
    """A store that was half made by a process that died is made durable by the next."""
    parts = []
    for kill_at in range(2, 26, 1 if ALL else 4):
        disk = place.disk()
        for operation in place.wct("run", "origin.yaml", "--run-id", "origin", kill_at=kill_at):
            disk.follow(operation)
        there = (place.home / STORE / "runs" / "origin").exists()
        words = ["--resume", "origin"] if there else ["--run-id", "origin"]
        parts.append(place.held(disk, place.wct("run", "origin.yaml", *words)))
        shutil.rmtree(place.home / STORE)
    told(tried, f"a store whose maker was killed at {len(parts)} operations", *parts)


def test_the_resume_of_a_changed_runbook(place: Place, ended: Path, tried: Count) -> None:
    """Artifacts that count no longer are removed, and stay so."""
    disk = with_store(place, ended)
    (place.books / "book.yaml").write_text(CHANGED)
    trace = place.wct("run", "book.yaml", "--resume", RUN, "--allow-changed", pace="eager")
    points = place.held(disk, trace)
    assert contents(place.home / STORE / "runs" / RUN)["last"] == {"total": 10}
    told(tried, "the resume of a changed runbook", points)


def test_the_resume_of_a_runbook_that_makes_less(place: Place, ended: Path, tried: Count) -> None:
    """Nothing is made in place of what is removed, and it does not come back all the same."""
    disk = with_store(place, ended)
    (place.books / "book.yaml").write_text(WORSE)
    points = place.held(disk, place.wct("run", "book.yaml", "--resume", RUN, "--allow-changed"))
    assert "last" not in contents(place.home / STORE / "runs" / RUN)
    told(tried, "the resume of a runbook that makes less", points)


def test_delete_and_prune(place: Place, ended: Path, tried: Count) -> None:
    disk = with_store(place, ended)
    first = place.held(disk, place.wct("runs", "delete", "--yes", RUN))
    promise = Promise(gone=frozenset({RUN}))
    trace = place.wct("runs", "prune", "--keep-last", "0", "--yes")
    second = place.held(disk, trace, promise)
    assert list((place.home / STORE / "runs").iterdir()) == []
    told(tried, "delete, then prune", first, second)


def test_pin_and_unpin(place: Place, ended: Path, tried: Count) -> None:
    disk = with_store(place, ended)
    first = place.held(disk, place.wct("runs", "pin", RUN))
    second = place.held(disk, place.wct("runs", "unpin", RUN))
    told(tried, "pin, then unpin", first, second)


def test_cancelling_a_run_that_was_killed(place: Place, origin: Path, tried: Count) -> None:
    parts = []
    for kill_at in range(48, 72, 6):
        disk = with_store(place, origin)
        before = place.wct("run", "book.yaml", "--run-id", RUN, kill_at=kill_at, pace="eager")
        for operation in before:
            disk.follow(operation)
        parts.append(place.held(disk, place.wct("runs", "cancel", RUN)))
        shutil.rmtree(place.home / STORE)
    told(tried, f"cancelling a run killed at {len(parts)} operations", *parts)
