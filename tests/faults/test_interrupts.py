"""SIGINT at any moment: no traceback, and what to type next."""

from __future__ import annotations

import os
import pty
import signal
import subprocess

import pytest
from wct_process import WCT, Place

pytestmark = pytest.mark.sweep

AT_IMPORT = """
import os, signal, sys

left = int(os.environ["SIGINT_AT"])

def hook(event, args):
    global left
    if event == "import" and "waivern.cli.main" in sys.modules:
        handler = signal.getsignal(signal.SIGINT)
        if handler is not signal.default_int_handler:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(hook)
"""
"""Sends SIGINT at an import: audit hooks see them all, in an order that is always the same."""


@pytest.mark.parametrize("point", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300])
def test_an_interrupt_while_it_starts(place: Place, point: int) -> None:
    (place.path / "site").mkdir()
    (place.path / "site" / "sitecustomize.py").write_text(AT_IMPORT)
    book = place.runbook(
        "b.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}'
    )
    done = place.wct("run", book, PYTHONPATH=str(place.path / "site"), SIGINT_AT=str(point))
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err
    assert done.code == 130, done
    assert "interrupted" in done.err.lower() or "SIGINT" in done.err + done.out
    if (place.path / ".waivern").exists() and place.run_ids():
        assert place.wct("runs", "resume", "@last").code == 0


def test_a_second_interrupt_on_a_terminal(place: Place) -> None:
    """No mode of the terminal is changed, and the command that continues is the last line."""
    meeting = place.meeting()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [WCT, "run", meeting.runbook, "--grace", "60"],
        cwd=place.path,
        env=place.environ(TERM="xterm-256color", COLUMNS="100"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    meeting.wait()
    seen = b""
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(ours, 65536):
            seen += piece
            if b"waiting for running artifacts" in seen:
                process.send_signal(signal.SIGINT)
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(30) == 130
    assert b"\x1b[?" not in seen
    [run] = place.run_ids()
    assert seen.decode().rstrip().endswith(f"wct runs resume {run[:8]}")
