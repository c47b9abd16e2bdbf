"""Workers where descriptors run out, and workers that are left over."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from wct_process import WCT, Done, Place
from worker_kit import contents, gone, marked, python, source, steps, until

import waivern
from waivern.engine.workers import kept_sessions
from waivern.engine.workers.slots import cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

LIMITS = """
import os, subprocess, sys, threading, time

def small(x=1):
    return {"value": x}

def large(x=1):
    return {"value": "x" * 200_000}

def streams(x=1):
    for number in range(3000):
        yield {"number": number, "text": "x" * 100}

def leaves(x=1):
    mark = f"left-in-{os.getcwd()}"
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", mark])
    return {"value": x}

def threads(x=1):
    threading.Thread(target=time.sleep, args=(3,)).start()
    return {"value": x}

def sleeps(x=1):
    time.sleep(60)

def counts(inputs):
    here, parent = set(), os.getppid()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and int(fields[3]) == int(pid):  # leads a session: a worker
            here.add(pid)
    return {"workers": len(here)}
"""

LOG = "_system/logs/threads{}.log"


@pytest.fixture
def limits(place: Place) -> Place:
    (place.path / "limits.py").write_text(LIMITS)
    return place


def many(call: str, count: int) -> str:
    return "".join(
        source(f"{call}{number}", f"limits.py:{call}", args=f"{{x: {number}}}")
        for number in range(count)
    )


@pytest.mark.parametrize(
    "most", [48, *(pytest.param(most, marks=pytest.mark.sweep) for most in (64, 256))]
)
def test_few_descriptors(limits: Place, most: int) -> None:
    book = limits.runbook("d.yaml", many("small", 10) + many("large", 4) + many("streams", 4))
    words = [WCT, "run", book, "--executor", "processes", "--max-concurrency", "8", "--json"]
    ended = subprocess.run(
        words,
        cwd=limits.path,
        env=limits.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)),
    )
    done = Done(ended.returncode, ended.stdout, ended.stderr)
    assert done.code in ((0, 1, 74) if most < 256 else (0,)), done.err
    assert "Traceback" not in done.err
    for step in steps(done).values():
        if step["status"] == "failed":
            assert "Too many open files" in step["error"]["message"], step
    again = limits.wct("run", book, "--resume", "@last")
    assert again.code in (0, 4), again.err


def test_workers_with_children_that_were_left_do_not_add_up(limits: Place) -> None:
    inputs = ", ".join(f"leaves{number}" for number in range(12))
    artifacts = many("leaves", 12)
    artifacts += f"  counts: {{inputs: [{inputs}], process: {python('limits.py:counts')}}}\n"
    done = limits.wct("run", limits.runbook("k.yaml", artifacts), "--executor", "processes")
    assert done.code == 0, done.err
    gone(marked(f"left-in-{limits.path}"))
    assert 0 < contents(limits)["counts"]["workers"] <= 2 * cores() + 1


def test_workers_with_threads_that_were_left_do_not_add_up(
    limits: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "MOST_WITH_THREADS", 2)
    monkeypatch.chdir(limits.path)
    book = limits.runbook("t.yaml", many("threads", 4))
    result = waivern.run(waivern.load(book), executor="processes", max_concurrency=1)
    assert result.exit_code == 0
    ended = [name for name in range(4) if (limits.run_folder() / LOG.format(name)).exists()]
    assert ended == [0, 1]


def test_nothing_of_a_run_that_was_ended_keeps_this_process_busy(
    limits: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = limits.runbook("s.yaml", many("sleeps", 4), "config: {timeout: 1s}")
    monkeypatch.chdir(limits.path)
    before, threads = set(Path("/proc/self/fd").iterdir()), set(threading.enumerate())
    for _ in range(2):
        result = waivern.run(waivern.load(book), executor="processes", max_concurrency=4)
        assert result.exit_code == 8
    until(lambda: not set(threading.enumerate()) - threads)
    used = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - used < 0.25
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 2
