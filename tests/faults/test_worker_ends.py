"""Workers end with their coordinator, and so does all that components have started in them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from harness import Count
from oracle import journal
from wct_process import Place
from worker_kit import (
    below,
    contents,
    gone,
    keeper,
    kill,
    marked,
    source,
    staged,
    template,
    until,
    workers,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

ENDS = """
import ctypes, os, subprocess, sys, threading, time

def fine(x=1):
    return {"value": x}

def sleeper(mark):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", mark])

def works(mark):
    here = os.getcwd()
    sleeper(mark)
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", mark], start_new_session=True
    )
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:  # a daemon, as they are usually started
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", mark])
        os.kill(os.getpid(), 9)
    if not os.path.exists("go"):
        open("ready", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
    return {"value": 2}

def streams(mark):
    for number in range(2000):
        yield {"number": number, "text": "x" * 100}
    if not os.path.exists("go"):
        open("ready", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)

def large(mark):
    works(mark)
    return {"value": "x" * 200_000}

def leaves(mark):
    sleeper(mark)
    threading.Thread(target=time.sleep, args=(0.2,), name="my-thread").start()
    return {"value": 3}
"""
CALLS = ("works", "streams", "large")


@pytest.fixture
def ends(place: Place) -> Place:
    (place.path / "ends.py").write_text(ENDS)
    return place


def mark(place: Place) -> str:
    return f"mark-of-{place.path}"


def book(place: Place, *calls: str, keys: str = "") -> str:
    given = f'{{mark: "{mark(place)}"}}'
    artifacts = source("fine", "ends.py:fine")
    artifacts += "".join(source(call, f"ends.py:{call}", keys, args=given) for call in calls)
    return place.runbook("ends.yaml", artifacts)


def at_work(place: Place, *calls: str) -> tuple[subprocess.Popen[str], set[int]]:
    """Start a run, and return it with all its processes when its component is at work."""
    words = ("--executor", "processes", "--max-concurrency", "1", "--run-id", "main")
    wct = place.start("run", book(place, *calls), *words)
    until((place.path / "ready").exists)
    if set(calls) & {"works", "large"}:
        until(lambda: len(marked(mark(place))) == 3)
    return wct, below(wct.pid) | marked(mark(place))


def resumed(place: Place) -> None:
    """Complete the run: its content is that of a run on threads, and nothing else is left."""
    (place.path / "go").touch()
    words = ("--executor", "threads", "--run-id", "threads")
    assert place.quick("run", "ends.yaml", *words).code == 0
    assert staged(place) == []  # the next command that begins a run removes it
    done = place.wct("run", "ends.yaml", "--resume", "main", "--executor", "processes")
    assert done.code == 0, done.err
    assert place.quick("runs", "verify", "main").code == 0
    assert contents(place, "main") == contents(place, "threads")
    assert staged(place) == []


@pytest.mark.parametrize(
    "call", [CALLS[0], *(pytest.param(each, marks=pytest.mark.sweep) for each in CALLS[1:])]
)
def test_a_coordinator_that_is_killed_leaves_no_process_and_no_byte(ends: Place, call: str) -> None:
    wct, processes = at_work(ends, call)
    assert len(processes) >= 2
    wct.kill()
    gone(processes)
    ends.ended(wct)
    gone(marked(mark(ends)))
    resumed(ends)
    kill(marked(mark(ends)))  # what the run on threads has left


def one_of(who: str, pid: int) -> int:
    """Return a process of a command by what it is."""
    if who == "worker":
        return workers(pid)[0]
    found = {"keeper": keeper, "template": template}[who](pid)
    assert found
    return found


@pytest.mark.parametrize(
    ("stopped", "end"),
    [
        ("worker", signal.SIGINT),
        ("template", signal.SIGINT),
        ("template", signal.SIGKILL),
        ("keeper", signal.SIGKILL),
        ("keeper template", signal.SIGINT),
        ("keeper template worker", signal.SIGKILL),
    ],
)
def test_stopped_processes_do_not_outlive_the_attempt(
    ends: Place, stopped: str, end: signal.Signals
) -> None:
    wct, processes = at_work(ends, "works")
    kill([one_of(each, wct.pid) for each in stopped.split()], signal.SIGSTOP)
    for _ in range(2 if end == signal.SIGINT else 1):
        wct.send_signal(end)
        time.sleep(0.1)
    ends.ended(wct)
    gone(processes, 10)
    gone(marked(mark(ends)))


def test_a_stopped_template_ends_what_a_killed_keeper_leaves(ends: Place) -> None:
    wct, processes = at_work(ends, "works")
    kill([one_of("template", wct.pid)], signal.SIGSTOP)
    kill([one_of("keeper", wct.pid)])
    gone(processes - {wct.pid}, 10)
    wct.kill()
    ends.ended(wct)
    gone(marked(mark(ends)))


@pytest.mark.parametrize("killed", ["template", "keeper"])
def test_a_template_that_is_killed_costs_its_calls_another_try(ends: Place, killed: str) -> None:
    wct, processes = at_work(ends, "works")
    kill([one_of(killed, wct.pid)])
    gone(processes - {wct.pid})
    (ends.path / "go").touch()
    done = ends.ended(wct)
    assert done.code == 0, done.err
    assert set(contents(ends)) == {"fine", "works"}
    gone(marked(mark(ends)))


@pytest.mark.sweep
def test_a_limit_of_time_holds_while_the_template_is_stopped(ends: Place) -> None:
    given = f'{{mark: "{mark(ends)}"}}'
    artifacts = source("works", "ends.py:works", "timeout: 3s", args=given)
    wct = ends.start("run", ends.runbook("t.yaml", artifacts), "--executor", "processes")
    until((ends.path / "ready").exists)
    processes = below(wct.pid) | marked(mark(ends))
    kill([one_of("template", wct.pid)], signal.SIGSTOP)
    done = ends.ended(wct)
    assert done.code == 1
    assert "it took longer than its limit of 3 s" in done.err
    gone(processes)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_is_killed_fails_its_artifact(ends: Place, number: int) -> None:
    wct, processes = at_work(ends, "works")
    kill(workers(wct.pid), number)
    done = ends.ended(wct)
    assert done.code == 1
    assert f"its worker was ended by {signal.Signals(number).name}" in done.err
    assert "completed  fine" in done.err
    gone(processes)


def test_a_worker_that_is_killed_before_it_reads_its_call_is_not_to_blame(ends: Place) -> None:
    pause = "touch ready; while [ ! -e go ]; do sleep 0.02; done; echo 1"
    work = f'{{type: command, properties: {{argv: [sh, -c, "{pause}"]}}}}'
    artifacts = (
        source("first", "ends.py:fine")
        + f"  pause: {{after: [first], source: {work}}}\n"
        + source("second", "ends.py:fine", "after: [pause]", args="{x: 2}")
    )
    words = ("--executor", "processes", "--run-id", "main")
    wct = ends.start("run", ends.runbook("u.yaml", artifacts), *words)
    until((ends.path / "ready").exists)
    (worker,) = workers(wct.pid)
    kill([worker], signal.SIGSTOP)
    (ends.path / "go").touch()
    journal = ends.path / ".waivern/runs/main/_system/events.jsonl"
    until(lambda: journal.read_text().count("artifact_started") == 3)
    time.sleep(0.2)  # until the call is sent
    kill([worker])
    done = ends.ended(wct)
    assert done.code == 0, done.err
    assert contents(ends, "main")["second"] == {"value": 2}


def test_what_a_component_leaves_ends_with_the_attempt(ends: Place) -> None:
    (ends.path / "go").touch()
    given = f'{{mark: "{mark(ends)}"}}'
    artifacts = source("leaves", "ends.py:leaves", args=given)
    done = ends.wct("run", ends.runbook("l.yaml", artifacts), "--executor", "processes")
    assert done.code == 0, done.err
    assert "waiting for threads that components have started" in done.err
    gone(marked(mark(ends)))


def events(place: Place, run_id: str) -> tuple[tuple[str, str | None], ...]:
    """Return which events of which artifacts a run has on record; none if there is no run."""
    run = place.path / ".waivern" / "runs" / run_id
    if not run.exists():
        return ()
    return tuple((line.event["type"], line.event.get("artifact")) for line in journal(run))


@pytest.mark.sweep
@pytest.mark.timeout(400)
def test_a_coordinator_that_is_killed_at_any_moment(ends: Place, tried: Count) -> None:
    """From before the first fork until after the last result, at moments a little apart."""
    (ends.path / "go").touch()
    calls = ("streams", "large")
    words = ("--executor", "processes", "--max-concurrency", "2")
    name = book(ends, *calls)
    began = time.monotonic()
    assert ends.wct("run", name, *words, "--run-id", "whole").code == 0
    took, points, slowest = time.monotonic() - began, 40, 0.0
    whole = contents(ends, "whole")
    kill(marked(mark(ends)))
    recovered: set[object] = {()}
    for point in range(points):
        wct = ends.start("run", name, *words, "--run-id", f"run{point}")
        time.sleep(took * (0.2 + 0.8 * point / points))
        wct.send_signal(signal.SIGSTOP)
        processes = below(wct.pid) | marked(mark(ends))
        wct.kill()
        slowest = max(slowest, gone(processes))
        gone(marked(mark(ends)))
        ends.ended(wct)
        left = events(ends, f"run{point}")
        if left not in recovered:  # of runs that were left alike, one is resumed
            recovered.add(left)
            again = ends.wct("run", name, *words, "--resume", f"run{point}")
            assert again.code in (0, 4), again.err
            assert contents(ends, f"run{point}") == whole
            assert staged(ends) == []
    tried(f"coordinator killed in a run on workers, all gone within {slowest:.2f} s", points)
