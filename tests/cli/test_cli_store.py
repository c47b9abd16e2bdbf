"""`wct store copy` and `wct store check`: runs arrive whole and verified, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from wct_process import Place, Wct

BOOK = """
  one: {source: {type: python, properties: {call: "steps.py:value"}}}
  bad: {source: {type: python, properties: {call: "steps.py:fail"}}, after: [one]}
"""


@pytest.fixture
def run(place: Place, wct: Wct) -> Path:
    """A run that failed, with a pin, a tag and a log; its id is `r`."""
    place.runbook("book.yaml", BOOK)
    assert wct("run", "book.yaml", "-q", "--run-id", "r", "--tag", "first").code == 1
    assert wct("runs", "pin", "r", "--note", "evidence").code == 0
    return place.path / ".waivern/runs/r"


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_a_copy_is_the_run_and_goes_on(run: Path, place: Place, wct: Wct) -> None:
    done = wct("store", "copy", ".waivern", "two")
    assert (done.code, done.rows) == (0, [["r", "copied", "1", ""]])
    copy = place.path / "two/runs/r"
    assert files(copy) == files(run)
    assert {oct(path.stat().st_mode & 0o777) for path in copy.rglob("*") if path.is_file()} == {
        "0o600"
    }
    assert wct("runs", "verify", "r", "--store", "two").code == 0
    assert wct("runs", "export", "--store", "two").out == wct("runs", "export").out
    # the runs of a new store are its own: no --trust-run is needed
    steps = place.path / "steps.py"
    steps.write_text(steps.read_text().replace("raise ValueError(text)", "return {'text': text}"))
    resumed = wct("run", "book.yaml", "--resume", "r", "--store", "two", "-q")
    assert resumed.code == 0, resumed.err
    assert [row[:2] for row in wct("runs", "--store", "two").rows] == [["r", "completed"]]
    assert [row[:2] for row in wct("runs").rows] == [["r", "failed"]]


def test_a_copy_that_is_there_stays(run: Path, wct: Wct) -> None:
    assert wct("store", "copy", ".waivern", "two").code == 0
    again = wct("store", "copy", ".waivern", "two", "--json")
    assert again.code == 0
    (found,) = again.data("store-copy")
    assert (found["run_id"], found["outcome"]) == ("r", "present")
    assert wct("runs", "tag", "r", "second").code == 0
    changed = wct("store", "copy", ".waivern", "two")
    assert changed.code == 5
    assert changed.rows[0][:2] == ["r", "refused"]
    assert "another state of it" in changed.rows[0][3]


def test_an_altered_run_does_not_arrive(run: Path, wct: Wct) -> None:
    artifact = run / "one.json"
    artifact.write_bytes(artifact.read_bytes().replace(b'"value": 1', b'"value": 2'))
    done = wct("store", "copy", ".waivern", "two")
    assert done.code == 9
    assert done.rows[0][:2] == ["r", "faulty"]
    assert "one.json: altered" in done.rows[0][3]
    assert wct("runs", "--store", "two").rows == []


def test_a_running_run_is_left_out(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "-q", "--run-id", "s")
    meeting.wait()
    done, checked = wct("store", "copy", ".waivern", "two"), wct("store", "check")
    meeting.let_go()
    assert place.ended(process).code == 0
    assert done.code == 5
    assert done.rows[0][:2] == ["s", "refused"]
    assert "is running" in done.rows[0][3]
    assert [row[1] for row in checked.rows if row[0] == "s"] == ["running"]
    assert checked.code == 0


def test_chosen_runs_only(run: Path, wct: Wct) -> None:
    assert wct("run", "book.yaml", "-q", "--run-id", "other").code == 1
    assert wct("store", "copy", ".waivern", "two", "othe").code == 0
    assert [row[0] for row in wct("runs", "--store", "two").rows] == ["other"]
    assert wct("store", "copy", ".waivern", "two", "nothing").code == 4


def test_mistakes(run: Path, place: Place, wct: Wct) -> None:
    same = wct("store", "copy", ".waivern", str(place.path / ".waivern"))
    assert (same.code, same.out) == (5, "")
    assert "cannot be copied to itself" in same.err
    empty = wct("store", "copy", "nowhere", "two")
    assert (empty.code, empty.out) == (4, "")
    assert wct("store", "check", "nowhere").code == 4
    assert not (place.path / "nowhere").exists()
    assert wct("store", "copy", "acme://x", "two").code == 2
    assert wct("store", "copy", ".waivern", "memory:").code == 5


KILLED = """
import os, signal, sys
from waivern.cli.main import script
from waivern.store import run_copy

copied, left = run_copy._copy_file, int(sys.argv.pop(1))

def until_killed(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    copied(source, target)

run_copy._copy_file = until_killed
script()
"""
"""`wct`, which is killed when it has copied so many files."""


@pytest.mark.parametrize("files_before", [0, 3])
def test_a_copy_that_is_cut_off_leaves_no_run(
    run: Path, place: Place, wct: Wct, files_before: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(files_before), "store", "copy", ".waivern", "two"],
        cwd=place.path,
        env=place.environ(),
        check=False,
    )
    assert killed.returncode == -9
    assert wct("runs", "--store", "two").rows == []
    (leftover,) = [row for row in wct("store", "check", "two").rows if row[0] == "leftovers"]
    assert leftover[1] == "note"
    assert wct("store", "copy", ".waivern", "two").code == 0
    assert wct("store", "check", "two").code == 0
    assert not list((place.path / "two/runs").glob(".new-*"))


# check


def test_what_was_altered_is_named(run: Path, place: Place, wct: Wct) -> None:
    intact = wct("store", "check", "--json")
    assert intact.code == 0
    assert {each["state"] for each in intact.data("store-check")} == {"intact"}
    history = place.path / ".waivern/runs.jsonl"
    history.write_text(history.read_text() + "no summary\n")
    artifact = run / "one.json"
    artifact.write_bytes(artifact.read_bytes()[:-2])
    done = wct("store", "check")
    assert done.code == 9
    states = {row[0]: row[1] for row in done.rows}
    assert states["history"] == states["r"] == "altered"
    assert states["id"] == states["access log"] == "intact"
