"""Commands as components, seen from the command line: what becomes of them, and what they say."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from wct_process import Place


def ended(pid: int) -> bool:
    """Say whether a process is over; one that nobody has waited for is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.exists() and ") Z" in status.read_text()
    except FileNotFoundError:
        return True


def end(pids: list[int]) -> None:
    """Wait until these are over."""
    deadline = time.monotonic() + 30
    while not all(map(ended, pids)):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_leaves_no_command_behind(place: Place, number: signal.Signals) -> None:
    os.mkfifo(place.path / "told")
    place.runbook(
        "r.yaml",
        "  a: {source: {type: command, properties: "
        "{argv: [sh, -c, 'sleep 600 & echo $$ $! > told; wait']}}}",
    )
    process = place.start("run", "r.yaml", "--grace", "600")
    pids = [int(word) for word in (place.path / "told").read_text().split()]
    assert not any(map(ended, pids))
    process.send_signal(number)
    assert process.stderr
    while "waiting for running artifacts" not in (line := process.stderr.readline()):
        assert line, "it ended at the first signal"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    end(pids)


def test_a_command_that_will_not_end_does_not_outlive_the_run(place: Place) -> None:
    """It is told to by SIGTERM, and the process of the run waits less long than it may take."""
    place.runbook(
        "r.yaml",
        "  a: {source: {type: command, properties: "
        "{argv: [sh, -c, 'trap \"\" TERM; sleep 600 & echo $$ $! > pids; wait']}}}",
        head="config: {timeout: 2}",
    )
    assert place.wct("run", "r.yaml").code == 8
    end([int(word) for word in (place.path / "pids").read_text().split()])


def test_an_error_of_several_lines_on_one(place: Place) -> None:
    place.runbook(
        "r.yaml",
        "  a: {source: {type: command, properties: {argv: [sh, -c, 'echo one >&2; echo two >&2; "
        "exit 3']}}}\n"
        "  b: {source: {type: filesystem, properties: {path: steps.py}}}\n"
        "  c: {inputs: b, process: {type: personal_data, properties: {ruleset: own.yaml}}}",
    )
    (place.path / "own.yaml").write_text("version: 1.0.0\n")
    done = place.wct("run", "r.yaml")
    assert done.code == 1
    assert "\\n" not in done.err + done.out
    assert "'sh' exited with 3 ⏎ one ⏎ two" in done.err
    inspected = place.wct("inspect", "@last").out
    assert "'sh' exited with 3 ⏎ one ⏎ two" in inspected
    assert "\\n" not in inspected
