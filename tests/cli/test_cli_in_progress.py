"""A run that is running, as it is shown while it is."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from wct_process import Meeting, Place, Wct

import waivern


@pytest.fixture
def live(place: Place) -> tuple[Meeting, subprocess.Popen[str]]:
    """Return a run whose artifact `met` is running, and has been for a while."""
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    return meeting, process


def until(holds: Callable[[], Any]) -> Any:
    """Return what `holds` does as soon as it is true: readers see a start a moment later."""
    deadline = time.monotonic() + 20
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_running_artifacts_and_their_time(
    place: Place, wct: Wct, live: tuple[Meeting, subprocess.Popen[str]]
) -> None:
    def met() -> dict[str, Any] | None:
        steps = wct("inspect", "r", "--json").data("inspect")["steps"]
        (step,) = (step for step in steps if step["artifact"] == "met")
        found: dict[str, Any] = step
        return found if found["status"] == "running" and found["duration_ms"] >= 50 else None

    step = until(met)
    later = until(lambda: (s := met()) and s["duration_ms"] > step["duration_ms"] and s)
    told = wct("inspect", "r", "--json").data("inspect")
    assert told["status"] == "running"
    assert told["duration_ms"] >= later["duration_ms"] > 0
    statuses = {each["artifact"]: each["status"] for each in told["steps"]}
    assert statuses == {"first": "completed", "met": "running", "last": "not_started"}
    assert told["artifacts"]["not_started"] == 2  # as state.json partitions them
    (row,) = [row for row in wct("inspect", "r").rows if row[1] == "met"]
    assert row[3] == "running"
    assert int(row[5]) >= later["duration_ms"]
    shown = place.on_a_terminal("inspect", "r").out
    (line,) = [line for line in shown.splitlines() if " met " in line]
    assert re.search(r"running\s*(\x1b\[0m)?\s+[0-9.]+m?s\b", line), line
    assert "running for " in shown
    (run,) = wct("runs", "--json").data("runs")
    assert (run["status"], run["duration_ms"] > 0) == ("running", True)
    assert wct("runs").rows[0][1] == "running"
    assert int(wct("runs").rows[0][4]) > 0
    store = str(place.path / ".waivern")
    steps = {step.artifact: step for step in waivern.load_steps("r", store=store)}
    assert steps["met"].status == waivern.ArtifactStatus.RUNNING
    assert (steps["met"].duration_ms or 0) >= later["duration_ms"]
    assert steps["last"].status == waivern.ArtifactStatus.NOT_STARTED
    head = waivern.load_run("r", store=store)
    assert head is not None
    assert head.duration_ms > 0
    assert waivern.load_state("r", store=store).not_started == ("last", "met")
    state = json.loads((place.path / ".waivern/runs/r/_system/state.json").read_text())
    assert set(state) >= {"completed", "not_started", "failed", "skipped"}
    assert "running" not in state


def test_nothing_runs_in_a_killed_run(
    place: Place, wct: Wct, live: tuple[Meeting, subprocess.Popen[str]]
) -> None:
    until(lambda: "met\t" in wct("inspect", "r").out and "running" in wct("inspect", "r").out)
    live[1].kill()
    place.ended(live[1])
    rows = {row[1]: row[3] for row in wct("inspect", "r").rows}
    assert rows == {"first": "completed", "met": "not_started", "last": "not_started"}
    assert wct("runs").rows[0][1] == "interrupted"
