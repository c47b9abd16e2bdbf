"""Functions of the process that a run restricts, and gives back when the last run has ended."""

from __future__ import annotations

import _thread
import os
import posix
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import waivern

OWN = """
import os
import threading

def quick():
    return 1

def closes(fifo):
    with open(fifo) as word:
        word.read()
    os.closerange(10**6, 10**6)  # closes nothing

def leaves(fifo, result):
    def late():
        try:
            closes(fifo)
            outcome = "closed"
        except Exception as error:
            outcome = str(error)
        with open(result, "w") as file:
            file.write(outcome)

    threading.Thread(target=late, name="late").start()
    return 1
"""
REFUSED = "a component cannot call os.closerange"


def functions() -> list[object]:
    """Return the functions of the process that a component may not use as it likes."""
    names = ("_exit", "abort", "execv", "execve", "closerange", "kill", "killpg", "umask")
    found: list[object] = [getattr(os, name) for name in (*names, "chdir", "fchdir")]
    found += [getattr(posix, name) for name in (*names, "chdir", "fchdir")]
    found += [signal.raise_signal, signal.pthread_kill, signal.alarm, signal.setitimer]
    return [*found, _thread.interrupt_main, threading.Thread.start]


BEFORE = functions()


@pytest.fixture(autouse=True)
def own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    os.mkfifo(tmp_path / "word")
    os.mkfifo(tmp_path / "result")


def run(folder: Path, call: str, limit: str = "1h", **args: str) -> waivern.RunResult:
    work = {"type": "python", "properties": {"call": f"own.py:{call}", "args": args}}
    book = {"config": {"timeout": limit}, "artifacts": {"a": {"source": work}}}
    return waivern.run(waivern.load(text=str(book), folder=folder), store="memory:")


def test_a_run_gives_back_the_functions_of_the_process(tmp_path: Path) -> None:
    assert run(tmp_path, "quick").status == "completed"
    assert functions() == BEFORE


def test_the_first_run_to_end_leaves_the_other_one_restricted(tmp_path: Path) -> None:
    word = tmp_path / "word"
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run, tmp_path, "closes", fifo=str(word))
        with word.open("w") as file:  # it is at work when it reads
            assert run(tmp_path, "quick").status == "completed"
            assert functions() != BEFORE
            file.write("go")
        error = other.result().record.steps["a"].error
    assert error is not None
    assert REFUSED in error["message"]
    assert functions() == BEFORE


def test_work_that_a_run_leaves_behind_remains_restricted(tmp_path: Path) -> None:
    word, result = tmp_path / "word", tmp_path / "result"
    run(tmp_path, "leaves", "0.5s", fifo=str(word), result=str(result))
    word.write_text("go")
    assert REFUSED in result.read_text()
    for thread in threading.enumerate():
        if thread.name == "late":
            thread.join()
    assert run(tmp_path, "quick").status == "completed"
    assert functions() == BEFORE
