"""`runs.jsonl`: one line for each attempt that ended, whatever became of its process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

from waivern import RunSummary

NAMES = list(RunSummary._fields[:9])
OURS = {"status", "duration_ms", "attempt", "runbook"}
PYTHON = "{type: python, properties: {call: "
BOOK = f"""
  a: {{source: {PYTHON}"steps.py:value"}}}}}}
  b: {{source: {PYTHON}"steps.py:fail"}}}}, retry: {{max: 2, delay: 0.001}}}}
  c: {{inputs: b, process: {PYTHON}"steps.py:total"}}}}}}
"""
GATE = f"""
  a: {{source: {PYTHON}"steps.py:value"}}}}}}
  ok: {{gate: {{question: "Is it well?", show: [a]}}}}
"""


def file(place: Place) -> Path:
    return place.path / ".waivern/runs.jsonl"


def lines(place: Place) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file(place).read_text().splitlines()]


def told(place: Place, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(line.get(name) for name in names) for line in lines(place)]


def killed(place: Place, run_id: str = "r") -> str:
    """Leave a run whose process was killed while `met` was at work; return its runbook."""
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", run_id, "--max-concurrency", "1")
    meeting.wait()
    events = place.path / f".waivern/runs/{run_id}/_system/events.jsonl"
    until = time.monotonic() + 20
    while '"met"' not in events.read_text().partition("attempt_started")[2]:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    place.ended(process)
    (place.path / "ready").unlink()
    (place.path / "ready").write_text("")  # the next attempt meets nobody
    (place.path / "go").unlink()
    (place.path / "go").write_text("go")
    return meeting.runbook


def test_the_form(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", BOOK)
    assert wct("run", "x.yaml", "--run-id", "r", "--max-concurrency", "1").code == 1
    (line,) = lines(place)
    assert list(line)[:9] == NAMES
    assert set(line) == {*NAMES, *OURS}
    head = json.loads((place.path / ".waivern/runs/r/_system/run.json").read_text())
    assert (line["started_at"], line["ended_at"]) == (head["started_at"], head["updated_at"])
    assert line["failure_reason"] == head["error"]
    assert line["stages_executed"] == ["a", "b"]
    assert line["stages_failed"] == ["b"]
    tries = head["attempts"] and wct("inspect", "r", "--json").data("inspect")["steps"][1]
    assert line["retry_count"] == tries["attempts"] - 1 > 0
    assert (line["result"], line["status"], line["attempt"]) == ("failed", "failed", 1)
    assert (line["metadata"], line["runbook"]) == ({}, "x.yaml")


def test_results(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", GATE)
    assert wct("run", "x.yaml", "--run-id", "r").code == 7
    assert wct("runs", "approve", "r", "--by", "ann").code == 0
    assert told(place, "result", "status", "attempt", "stages_executed") == [
        ("stopped", "suspended", 1, ["a"]),
        ("success", "completed", 2, ["ok"]),
    ]
    assert wct("run", "x.yaml", "--resume", "r").code == 0  # nothing to do
    assert len(lines(place)) == 2


def test_a_killed_attempt_has_its_line_when_the_run_is_resumed(place: Place, wct: Wct) -> None:
    book = killed(place)
    assert not file(place).exists()
    assert wct("run", book, "--resume", "r").code == 0
    assert told(place, "attempt", "result", "status", "stages_executed", "stages_failed") == [
        (1, "stopped", "interrupted", ["first", "met"], []),
        (2, "success", "completed", ["met", "last"], []),
    ]
    assert "killed" in lines(place)[0]["failure_reason"]


@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_a_killed_attempt_has_its_line_when_the_run_ends(place: Place, wct: Wct, verb: str) -> None:
    killed(place)
    more = ("--yes",) if verb == "delete" else ()
    assert wct("runs", verb, "r", *more).code == 0
    status = "interrupted" if verb == "delete" else "cancelled"
    assert told(place, "result", "status")[0] == ("stopped", status)
    assert len(lines(place)) == (2 if verb == "delete" else 1)


def test_a_removal_repeats_the_last_result(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", BOOK)
    wct("run", "x.yaml", "--run-id", "r")
    assert wct("runs", "delete", "r", "--yes").code == 0
    ended, removed = lines(place)
    assert "event" not in ended
    assert removed.pop("event") == "removed"
    assert removed.pop("removed_at").endswith("Z")
    assert removed == ended


def test_a_removed_run_without_records_is_named(place: Place, wct: Wct) -> None:
    (place.path / ".waivern/runs/r").mkdir(parents=True)
    assert wct("runs", "delete", "r", "--yes", "--force").code == 0
    (line,) = lines(place)
    assert list(line)[:9] == NAMES
    assert (line["run_id"], line["event"], line["result"]) == ("r", "removed", None)


@pytest.mark.parametrize(
    "damage",
    [
        '{"at": "", "event": "ended", "run_id": "r", "attempt": 1, "status": "completed"}\n',
        '{"run_id": "r", "attempt": [], "result": 5}\n{"run_id": "r"',
        "\0" * 50 + "r\n[[[[",
        "",
    ],
)
def test_whatever_lies_in_it_loses_no_line(place: Place, wct: Wct, damage: str) -> None:
    place.runbook("x.yaml", GATE)
    wct("run", "x.yaml", "--run-id", "r")
    file(place).write_text(damage)
    assert wct("runs", "approve", "r", "--by", "ann").code == 0
    found = file(place).read_text()
    assert found.startswith(damage)
    new = [json.loads(line) for line in found[len(damage) :].split("\n") if line]
    assert [(line["attempt"], line["status"]) for line in new] == [
        (1, "suspended"),
        (2, "completed"),
    ]


def test_a_line_that_cannot_be_written_fails_nothing(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", GATE)
    (place.path / ".waivern/runs.jsonl").mkdir(parents=True)
    done = wct("run", "x.yaml", "--run-id", "r")
    assert done.code == 7
    assert "the history lacks a line" in done.err
    file(place).rmdir()
    assert wct("runs", "approve", "r", "--by", "ann").code == 0
    assert told(place, "attempt") == [(1,), (2,)]
