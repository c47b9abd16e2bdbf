"""INT, TERM and HUP at every phase of a run, once and twice; and a time limit that is met in C."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest
from harness import ALL, RUN, Bench, Count, Plan, Shelf, carry_out
from oracle import after_fault, after_resume, contents, is_new

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
KINDS = [(n, 1) for n in SIGNALS] + [(n, 2) for n in (SIGNALS if ALL else SIGNALS[1:2])]
"""The three are handled by one receiver: by default one of them comes twice."""


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


@pytest.mark.parametrize(("number", "times"), KINDS)
def test_at_every_operation_of_a_run(
    bench: Bench,
    undisturbed: dict[str, Any],
    tried: Count,
    number: signal.Signals,
    times: int,
) -> None:
    """Before the run is at work the system's own answer to the signal is as good."""
    codes: set[int] = set()

    def point(ordinal: int) -> bool:
        shelf = bench.shelf()
        done = carry_out(bench.zygote, shelf.start(Plan("signal", ordinal, number, times)))
        known = after_fault(shelf, done)
        codes.add(done.code)
        told = f"{done.broke} -> {done.code}: {done.err}{done.out}"
        assert "Traceback" not in done.err, told
        if done.code == 1:  # it came when all was over
            assert known.story, told
            assert (known.story.status, known.story.reason) == ("failed", None), told
            assert contents(shelf.run) == undisturbed
        else:
            assert done.code in (128 + number, -number), told
            if known.story and known.story.status != "interrupted":  # it was over already
                assert contents(shelf.run) == undisturbed, told
        if done.broke and is_new(shelf, known):
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        shelf.clear()
        return done.broke is not None

    points = bench.sweep(point)
    assert 128 + number in codes
    tried(f"signal: {number.name} {'twice' if times == 2 else 'once'}, at every operation", points)


def test_in_the_script_itself(bench: Bench, undisturbed: dict[str, Any], tried: Count) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        which = SIGNALS[number % 3]
        done = carry_out(bench.script, shelf.start(Plan("signal", 12 * number, which)))
        known = after_fault(shelf, done)
        assert done.code in (1, 128 + which, -which), done.err
        if done.broke:
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        return done.broke is not None

    tried("signal: in the installed script, every 12th", bench.sweep(point))


BLOCKED = """
import ctypes, time

def asleep():
    time.sleep(60)

def holding_everything():
    ctypes.PyDLL(None).usleep(60_000_000)  # a PyDLL call keeps the interpreter's lock
    return 1
"""


def limited(bench: Bench, call: str) -> tuple[Shelf, float, int]:
    """Run a component under a limit of 0.3 s; return the store, the seconds, the exit code."""
    shelf = bench.bare_shelf()
    (shelf.path / "blocked.py").write_text(BLOCKED)
    book = shelf.path / "book.yaml"
    book.write_text(
        f"config: {{timeout: 0.3}}\nartifacts:\n  blocked: {{source: "
        f'{{type: python, properties: {{call: "blocked.py:{call}"}}}}}}\n'
    )
    began = time.monotonic()
    done = carry_out(bench.script, shelf.wct("run", str(book), "-q", "--run-id", "main"))
    return shelf, time.monotonic() - began, done.code


def test_time_limit_while_a_component_is_blocked(bench: Bench, tried: Count) -> None:
    shelf, took, code = limited(bench, "asleep")
    assert code == 8
    assert took < 3
    head = json.loads((shelf.run / "_system" / "run.json").read_text())
    assert (head["status"], head["attempts"][-1]["reason"]) == ("failed", "timeout")
    assert not (shelf.run / "blocked.json").exists()
    tried("time limit: while a component sleeps in C", 1)


def test_time_limit_while_a_component_holds_the_interpreter(bench: Bench, tried: Count) -> None:
    """Nothing in this process can act then: the kernel's timer ends it."""
    shelf, took, code = limited(bench, "holding_everything")
    assert code == -signal.SIGALRM
    assert 2 < took < 5
    listed = carry_out(bench.zygote, shelf.wct("runs"))
    assert listed.out.split("\t")[:2] == [RUN, "interrupted"]
    (shelf.path / "blocked.py").write_text(BLOCKED.replace("60_000_000", "1"))
    again = carry_out(
        bench.zygote, shelf.wct("run", str(shelf.path / "book.yaml"), "--resume", RUN)
    )
    assert again.code == 0, again.err
    tried("time limit: while a component holds the interpreter", 1)
