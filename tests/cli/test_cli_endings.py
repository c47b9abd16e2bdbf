"""How `wct` ends where several things end it; and a program that is interrupted meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import IO

import pytest
from wct_process import WCT, Done, Place

from waivern.store.local import LocalFilesystemStore

BAD = '  bad: {source: {type: python, properties: {call: "steps.py:fail"}}, on_error: fail}\n'


def failing_fast(place: Place) -> subprocess.Popen[str]:
    """Start a run that has failed, and waits for what is still being made."""
    meeting = place.meeting()
    book = place.path / meeting.runbook
    book.write_text(book.read_text() + BAD)
    process = place.start("run", meeting.runbook, "--run-id", "r1", "--grace", "0.1")
    meeting.wait()
    until(process.stderr, "it broke")
    return process


def until(stream: IO[str] | None, word: str) -> None:
    assert stream
    assert any(word in line for line in iter(stream.readline, ""))


def how_it_ended(place: Place, run_id: str = "r1") -> tuple[str, str | None]:
    lines = LocalFilesystemStore(place.path / ".waivern").read_journal(run_id).lines
    last = lines[-1].record
    assert last["type"] == "attempt_ended"
    return last["status"], last["reason"]


# which of several


def test_a_signal_after_a_failure(place: Place) -> None:
    process = failing_fast(place)
    process.send_signal(signal.SIGTERM)
    done = place.ended(process)
    assert done.code == 143
    assert "SIGTERM received" in done.err
    assert how_it_ended(place) == ("interrupted", "SIGTERM")


def test_a_cancel_after_a_failure(place: Place) -> None:
    process = failing_fast(place)
    assert place.wct("runs", "cancel", "r1").code == 0
    done = place.ended(process)
    assert done.code == 1
    assert "Cancelled: waiting" in done.err
    assert "fail_fast came" not in done.err
    assert "second one" not in done.err
    assert how_it_ended(place) == ("cancelled", "cancel")
    refused = place.wct("runs", "resume", "r1")
    assert refused.code == 5
    assert "was cancelled" in refused.err


def test_the_limit_after_a_signal(place: Place) -> None:
    meeting = place.meeting(head="config: {timeout: 1}")
    process = place.start("run", meeting.runbook, "--run-id", "r1", "--grace", "30")
    meeting.wait()
    process.send_signal(signal.SIGTERM)
    assert place.ended(process).code == 143
    assert how_it_ended(place) == ("interrupted", "SIGTERM")


def test_a_signal_after_a_cancel(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r1", "--grace", "30")
    meeting.wait()
    cancel = place.start("runs", "cancel", "r1")
    until(process.stderr, "Cancelled: waiting")
    process.send_signal(signal.SIGTERM)
    until(process.stderr, "SIGTERM received")
    meeting.let_go()
    assert place.ended(process).code == 143
    assert place.ended(cancel).code == 0
    assert how_it_ended(place) == ("cancelled", "cancel")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_is_to_be_ignored_is_ignored(place: Place, number: signal.Signals) -> None:
    """As under `nohup`, and in the background of a script."""
    meeting = place.meeting()
    ignoring = f'trap "" {number.name[3:]}; exec "$@"'
    with subprocess.Popen(
        ["sh", "-c", ignoring, "sh", WCT, "run", meeting.runbook, "-q"],
        cwd=place.path,
        env=place.environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        meeting.wait()
        process.send_signal(number)
        meeting.let_go()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("COMPLETED")


# the last resort of the time limit

WATCHED = """
import ctypes, sys, threading, time
from waivern.cli.main import main
from waivern.engine import watchdog
from waivern.store import disk

watchdog.LATE_S = 0.4
limit_s = {limit}
closing = threading.Event()
over = float("inf")

def step(operation, name):
    '''A disk that is slow when the limit has passed.'''
    if operation == "sync" and name == "events.jsonl" and time.monotonic() > over:
        closing.set()
        time.sleep(3 * watchdog.LATE_S)

def begin():
    global over
    over = time.monotonic() + limit_s
    closing.wait(30)

def asleep():
    begin()

def holding_everything():
    begin()
    ctypes.PyDLL(None).usleep(60_000_000)  # a PyDLL call keeps the interpreter's lock

disk.step = step
sys.modules["watched"] = sys.modules["__main__"]
sys.argv = ["wct", "run", "book.yaml", "--run-id", "r1", "-q"]
code = main()
sys.stdout.flush()
sys.exit(code)
"""


def watched(place: Place, call: str) -> Done:
    artifact = f"  a: {{source: {{type: python, properties: {{call: watched:{call}}}}}}}\n"
    place.runbook("book.yaml", artifact, "config: {timeout: 0.3}")
    (place.path / "script.py").write_text(WATCHED.replace("{limit}", "0.3"))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=place.path,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_slow_disk_at_the_end_is_not_a_run_that_is_held_up(place: Place) -> None:
    done = watched(place, "asleep")
    assert done.code == 8, done.err
    assert how_it_ended(place) == ("failed", "timeout")


def test_who_holds_the_interpreter_at_the_end_is_ended(place: Place) -> None:
    began = time.monotonic()
    done = watched(place, "holding_everything")
    assert done.code == -signal.SIGALRM
    assert "holding_everything" in done.err
    assert time.monotonic() - began < 20


# a program that uses the library is interrupted

PROGRAM = """
import itertools, json, os, signal, sys, threading
import waivern
from waivern.store import disk

def serving():
    return any(thread.name == "waivern-ledger" for thread in threading.enumerate())

book = waivern.load(text='''
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  b: {inputs: a, process: {type: python, properties: {call: "steps.py:total"}}}
''')
number, kill = getattr(signal, sys.argv[1]), os.kill  # which components cannot call
if number != signal.SIGINT:
    def leave(*_):
        raise KeyboardInterrupt
    signal.signal(number, leave)
for at in itertools.count(1):
    done, began = 0, False

    def step(operation, name):
        global done, began
        began = began or serving()
        done += began
        if began and done == at:
            kill(os.getpid(), number)

    disk.step = step
    came = False
    try:
        waivern.run(book, run_id=f"r{at}")
    except KeyboardInterrupt:
        came = True
    disk.step = lambda operation, name: None
    held = waivern.open_store(".waivern").owner(f"r{at}") is not None
    print(json.dumps({"run": f"r{at}", "came": came, "serving": serving(), "held": held}))
    if done < at:
        break
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_at_every_operation_of_an_attempt(place: Place, number: str) -> None:
    (place.path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py", number],
        cwd=place.path,
        env=place.environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 10
    assert not last["came"]
    for row in rows:
        assert (row["came"], row["serving"], row["held"]) == (True, False, False), row
        status, _ = how_it_ended(place, row["run"])
        assert status in ("interrupted", "completed")


def test_a_skipped_artifact_names_all_that_keeps_it_from_being_made(place: Place) -> None:
    book = place.runbook(
        "r.yaml",
        '  a: {source: {type: python, properties: {call: "steps.py:fail"}}}\n'
        '  b: {source: {type: command, properties: {argv: [sh, -c, "sleep 0.3; exit 3"]}}}\n'
        '  c: {inputs: [a, b], process: {type: python, properties: {call: "steps.py:total"}}}\n'
        '  d: {inputs: c, process: {type: python, properties: {call: "steps.py:total"}}}\n',
    )
    done = place.wct("run", book, "--run-id", "r")
    assert done.code == 1
    assert "c, d  skipped: it needs 'a' and 'b', which failed" in done.out
    steps = place.wct("inspect", "r", "--json").data("inspect")["steps"]
    errors = {step["artifact"]: step["error"] for step in steps}
    assert (errors["c"]["cause"], errors["c"]["more_causes"]) == ("a", ["b"])
