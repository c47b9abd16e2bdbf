"""A live run whose lock or journal is taken away: its owner notices, and damages nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from wct_process import STEPS, Meeting, Place

pytestmark = pytest.mark.sweep

GRAB = """
import os

def grab(ready, go):
    with open(ready, "w") as out:
        out.write("here")
    with open(go) as word:
        word.read()
    for fd in range(3, 60):
        try:
            os.close(fd)
        except OSError:
            pass
    mine = [open("mine.txt", "a") for _ in range(40)]
    return {"value": 1}
"""


def begun(place: Place) -> tuple[Meeting, Popen[str], Path]:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    return meeting, process, place.path / ".waivern/runs/r"


def let_go(meeting: Meeting, process: Popen[str]) -> None:
    """Let the component finish, unless its run has ended by itself before."""
    while process.poll() is None:
        try:
            go = os.open(meeting.go, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # it does not read yet, or not any more
            continue
        os.write(go, b"go")
        os.close(go)
        return


def lock_removed(run: Path) -> None:
    (run / "_system/lock").unlink()


def lock_replaced(run: Path) -> None:
    (run / "_system/lock").unlink()
    (run / "_system/lock").write_text("")


def journal_removed(run: Path) -> None:
    (run / "_system/events.jsonl").unlink()


def journal_replaced_by_a_copy(run: Path) -> None:
    journal = run / "_system/events.jsonl"
    data = journal.read_bytes()
    journal.unlink()
    journal.write_bytes(data)


def journal_truncated(run: Path) -> None:
    os.truncate(run / "_system/events.jsonl", 10)


def journal_longer(run: Path) -> None:
    with (run / "_system/events.jsonl").open("ab") as out:
        out.write(b"x\n")


def records_moved(run: Path) -> None:
    (run / "_system").rename(run / "elsewhere")


def run_moved(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def run_moved_and_another_in_its_place(run: Path) -> None:
    run_moved(run)
    run.mkdir()


def store_moved(run: Path) -> None:
    store = run.parent.parent
    store.rename(store.with_name("elsewhere"))


def store_replaced_by_a_copy(run: Path) -> None:
    store = run.parent.parent
    store_moved(run)
    shutil.copytree(store.with_name("elsewhere"), store, symlinks=True)


TAKEN = [
    lock_removed,
    lock_replaced,
    journal_removed,
    journal_replaced_by_a_copy,
    journal_truncated,
    journal_longer,
    records_moved,
    run_moved,
    run_moved_and_another_in_its_place,
    store_moved,
    store_replaced_by_a_copy,
]


@pytest.mark.parametrize("take", TAKEN, ids=lambda take: take.__name__)
def test_the_owner_notices_before_its_next_commit(
    place: Place, take: Callable[[Path], None]
) -> None:
    meeting, process, run = begun(place)
    take(run)
    journals = {path: path.read_bytes() for path in place.path.rglob("events.jsonl")}
    let_go(meeting, process)
    done = place.ended(process)
    assert done.code == 9, done.out + done.err
    assert "the run was taken from its owner: " in done.out + done.err
    assert "COMPLETED" not in done.out
    for path, data in journals.items():
        assert path.read_bytes() == data, "it was written to"
    rows = {row[0]: row[1] for row in place.wct("runs").rows}
    assert "completed" not in rows.values()


def test_a_second_owner_is_left_alone(place: Place) -> None:
    """Who removes the lock lets another in: then there is one journal, and it is the other's."""
    meeting, process, run = begun(place)
    (run / "_system/lock").unlink()
    (place.path / "steps.py").write_text(
        STEPS + "\ndef meet(ready, go):\n    return {'value': 2}\n"
    )
    assert place.wct("run", meeting.runbook, "--resume", "r").code == 0
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    let_go(meeting, process)
    assert place.ended(process).code == 9
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == files
    assert place.wct("runs", "verify", "r").code == 0
    assert json.loads((run / "last.json").read_text())["content"] == {"total": 3}


def test_a_component_that_closes_descriptors(place: Place) -> None:
    (place.path / "grab.py").write_text(GRAB)
    meeting = place.meeting()
    book = place.path / meeting.runbook
    book.write_text(book.read_text().replace("steps.py:meet", "grab.py:grab"))
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    let_go(meeting, process)
    done = place.ended(process)
    assert (place.path / "mine.txt").read_text() == "", "the journal went into the component's file"
    if done.code == 0:  # it could not hit them
        assert place.wct("runs", "verify", "r").code == 0
    else:
        assert "COMPLETED" not in done.out
        assert place.wct("runs").rows[0][1] == "interrupted"
