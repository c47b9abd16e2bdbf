"""What components fork and start: children of their own, which end when they are told to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from wct_process import Place

pytestmark = pytest.mark.sweep

FORKS = '''
import multiprocessing, os, signal, subprocess, sys, time

def square(x):
    return x * x

def pool(method="fork"):
    work = square if method == "fork" else abs
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(work, range(4))

def terminated():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    child.terminate()
    child.join()
    return child.exitcode

def interrupted():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    os.kill(child.pid, signal.SIGHUP)
    child.join()
    return child.exitcode

def says():
    child = multiprocessing.get_context("fork").Process(target=print, args=("said in a child",))
    child.start()
    child.join()
    return child.exitcode

def returns():
    pid = os.fork()
    if pid == 0:
        return {"in": "the child"}
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def raises():
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the child")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

async def returns_async():
    return returns()

def inherited():
    """The files of the run that a forked child has open."""
    into, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        found = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                path = os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                continue
            found += [path] if "/.waivern" in path else []
        os.write(out, (" ".join(found) or "nothing").encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(into, 65536).decode()

def leaves(pids):
    child = subprocess.Popen(["sleep", "600"])
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    forked.start()
    with open(pids, "w") as out:
        out.write(f"{child.pid} {forked.pid}")

def waits(pids):
    leaves(pids)
    time.sleep(600)
'''


def runbook(place: Place, *calls: str, **args: str) -> str:
    (place.path / "forks.py").write_text(FORKS)
    given = ", ".join(f"{key}: {value}" for key, value in args.items())
    return place.runbook(
        "f.yaml",
        "\n".join(
            f"  {call}: {{source: {{type: python, properties: "
            f'{{call: "forks.py:{call}", args: {{{given}}}}}}}}}'
            for call in calls
        ),
    )


def contents(place: Place) -> dict[str, object]:
    whole = place.wct("inspect", "@last", "--full", "--json").data("inspect")
    found: dict[str, object] = whole["contents"]
    return found


def alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


def test_children_end_when_they_are_told_to(place: Place) -> None:
    calls = ("terminated", "interrupted", "says", "returns", "raises", "returns_async")
    done = place.wct("run", runbook(place, *calls), "--json")
    assert done.data("run")["status"] == "completed", done
    assert contents(place) == {
        "terminated": -signal.SIGTERM,
        "interrupted": -signal.SIGHUP,
        "says": 0,
        "returns": 0,
        "raises": 1,
        "returns_async": 0,
    }
    logs = place.run_folder() / "_system/logs"
    assert (logs / "says.log").read_text() == "said in a child\n"
    assert "ValueError: in the child" in (logs / "raises.log").read_text()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes(place: Place, method: str) -> None:
    done = place.wct("run", runbook(place, "pool", method=method), "--json")
    assert done.data("run")["status"] == "completed", done
    expected = [0, 1, 4, 9] if method == "fork" else [0, 1, 2, 3]
    assert contents(place) == {"pool": expected}


def test_a_child_has_nothing_of_the_run_open(place: Place) -> None:
    assert place.wct("run", runbook(place, "inherited")).code == 0
    assert contents(place) == {"inherited": "nothing"}


def test_what_a_component_leaves_ends_with_the_command(place: Place) -> None:
    pids = place.path / "pids"
    done = place.wct("run", runbook(place, "leaves", pids=str(pids)))
    assert done.code == 0, done
    assert not any(map(alive, map(int, pids.read_text().split())))


@pytest.mark.parametrize("times", [1, 2])
def test_no_orphans_after_an_interrupt(place: Place, times: int) -> None:
    pids = place.path / "pids"
    os.mkfifo(pids)
    process = place.start("run", runbook(place, "waits", pids=str(pids)), "--grace", "0.2")
    children = list(map(int, pids.read_text().split()))
    assert all(map(alive, children))
    process.send_signal(signal.SIGINT)
    if times == 2:
        assert process.stderr is not None
        while "waiting for running artifacts" not in (line := process.stderr.readline()):
            assert line, "it ended at the first signal"
        process.send_signal(signal.SIGINT)
    assert place.ended(process).code == 130
    assert not any(map(alive, children))
