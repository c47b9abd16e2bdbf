"""One damaged or gigantic run blocks no other: it is listed with the reason, and can be removed."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from wct_process import WCT, Done, Place, Wct

from waivern.store import disk

pytestmark = pytest.mark.sweep

GOOD = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
MEMORY = 2 << 30
"""Bytes that a process may use: less than what lies there."""


def sparse(path: Path, size: int) -> None:
    path.unlink()
    with path.open("wb") as out:
        out.truncate(size)


def at(name: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda run: change(run / name)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inner").write_text("x")


def nested(path: Path) -> None:
    path.write_text("[" * 5_000_000)


def gone(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def file_in_its_place(run: Path) -> None:
    shutil.rmtree(run)
    run.write_text("x")


def huge(size: int) -> Callable[[Path], None]:
    return lambda path: sparse(path, size)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a journal of 7 GB": at("_system/events.jsonl", huge(7_000_000_000)),
    "a journal of 900 MB": at("_system/events.jsonl", huge(900_000_000)),
    "run.json of 1 GB": at("_system/run.json", huge(1_000_000_000)),
    "state.json of 1 GB": at("_system/state.json", huge(1_000_000_000)),
    "run.json nested": at("_system/run.json", nested),
    "state.json nested": at("_system/state.json", nested),
    "a FIFO as run.json": at("_system/run.json", fifo),
    "a FIFO as journal": at("_system/events.jsonl", fifo),
    "a folder as run.json": at("_system/run.json", folder),
    "a folder as journal": at("_system/events.jsonl", folder),
    "no records": at("_system", gone),
    "no journal": at("_system/events.jsonl", gone),
    "a file as run": file_in_its_place,
}


def wct_within(place: Place, *args: str) -> Done:
    """Run `wct` in a process that cannot have more than MEMORY."""
    done = subprocess.run(
        [WCT, *args],
        cwd=place.path,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_the_others_are_not_blocked(place: Place, wct: Wct, damage: Callable[[Path], None]) -> None:
    book = place.runbook("b.yaml", GOOD)
    for name in ("bad-run", "good-one"):
        assert wct("run", book, "--run-id", name).code == 0
    damage(place.path / ".waivern/runs/bad-run")
    listed = wct_within(place, "runs")
    rows = {row[0]: row for row in listed.rows}
    assert listed.code == 0, listed.err
    assert rows["good-one"][1] == "completed"
    assert rows["bad-run"][1] in ("corrupt", "completed")  # a sparse tail may not be looked at
    if rows["bad-run"][1] == "corrupt":
        assert rows["bad-run"][9]
    assert wct_within(place, "inspect", "good-one").code == 0
    assert wct_within(place, "plan", book).code == 0
    assert wct_within(place, "runs", "verify", "bad-run").code in (4, 9)
    pruned = wct_within(place, "runs", "prune", "--keep-last", "5", "--yes")
    assert pruned.code == 0, pruned.err
    removed = wct_within(place, "runs", "delete", "bad-run", "--force", "--yes")
    assert removed.code == 0, removed.err
    assert place.run_ids() == ["good-one"]


def test_an_artifact_in_whose_place_a_gigantic_file_lies(place: Place, wct: Wct) -> None:
    book = place.runbook("b.yaml", GOOD)
    assert wct("run", book, "--run-id", "r").code == 0
    sparse(place.path / ".waivern/runs/r/a.json", 3_000_000_000)
    looked = wct_within(place, "runs", "verify", "r")
    assert looked.code == 9, looked.err
    assert "a.json: altered" in looked.out


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("as_json", [False, True])
def test_what_the_system_does_not_read_now_is_not_corrupt(
    place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch, code: int, as_json: bool
) -> None:
    """Nothing is known to be wrong with it; but the list is not whole."""
    book = place.runbook("b.yaml", GOOD)
    for name in ("one", "two"):
        assert wct("run", book, "--run-id", name).code == 0
    left = [1]

    def step(operation: str, name: str) -> None:
        if (operation, name) == ("look", "run.json") and left:
            left.pop()
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk, "step", step)
    done = wct("runs", *(["--json"] if as_json else []))
    assert done.code == 74
    if as_json:
        rows = {row["run_id"]: (row["status"], row["fault"]) for row in done.data("runs")}
    else:
        rows = {row[0]: (row[1], row[9]) for row in done.rows}
    assert sorted(status for status, _ in rows.values()) == ["completed", "unreadable"]
    (fault,) = [fault for status, fault in rows.values() if status == "unreadable"]
    assert fault.endswith(f"({errno.errorcode[code]})")
