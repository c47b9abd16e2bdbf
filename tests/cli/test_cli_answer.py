"""The answer on stdout, beside what components leave behind to write there."""

from __future__ import annotations

import os
import signal

import pytest
from wct_process import Place

LEFT = """
import atexit, os, sys, threading, weakref

class Kept:
    pass

kept = Kept()

def handlers():
    atexit.register(lambda: print("printed at the end"))
    atexit.register(lambda: os.write(1, b"written at the end"))
    weakref.finalize(kept, lambda: print("finalized at the end"))

def printing():
    def go_on():
        while True:
            print("on and on")
    threading.Thread(target=go_on, daemon=True).start()

def writing():
    def go_on():
        while True:
            os.write(1, b"on and on" * 9)
    threading.Thread(target=go_on, daemon=True).start()

def removed():
    del sys.stdout, sys.stderr
"""


@pytest.mark.parametrize("call", ["handlers", "printing", "writing", "removed"])
def test_the_document_stands_alone(place: Place, call: str) -> None:
    (place.path / "left.py").write_text(LEFT)
    source = f'{{type: python, properties: {{call: "left.py:{call}"}}}}'
    done = place.wct("run", place.runbook("l.yaml", f"  a: {{source: {source}}}"), "--json")
    assert done.data("run")["status"] == "completed", done.err[-2000:]


def test_what_is_printed_at_the_end_is_seen(place: Place) -> None:
    (place.path / "left.py").write_text(LEFT)
    source = '{type: python, properties: {call: "left.py:handlers"}}'
    done = place.wct("run", place.runbook("l.yaml", f"  a: {{source: {source}}}"))
    for word in ("printed", "written", "finalized"):
        assert f"{word} at the end" in done.err
        assert word not in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_answer_does_not_contradict_it(
    place: Place, number: signal.Signals
) -> None:
    (place.path / "left.py").write_text(
        "import atexit, time\n"
        "def ends(ready):\n"
        "    def wait():\n"
        "        open(ready, 'w').close()\n"
        "        time.sleep(600)\n"
        "    atexit.register(wait)\n"
    )
    os.mkfifo(place.path / "ready")
    source = '{type: python, properties: {call: "left.py:ends", args: {ready: ready}}}'
    process = place.start("run", place.runbook("l.yaml", f"  a: {{source: {source}}}"), "--json")
    (place.path / "ready").read_text()
    process.send_signal(number)
    done = place.ended(process)
    assert (done.data("run")["status"], done.data("run")["exit_code"]) == ("completed", 0)
    assert done.code == 0, done.err
    assert "to continue" not in done.err
    assert "exited without waiting" in done.err
