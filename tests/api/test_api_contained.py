"""Components that leave work behind or reach for the process, in a run of somebody's program."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

import waivern

OWN = """
import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

def wait(fifo):
    with open(fifo) as word:
        return word.read()

async def blocked(fifo):
    await asyncio.to_thread(wait, fifo)

def pool(fifo):
    ThreadPoolExecutor(1, thread_name_prefix="mine").submit(wait, fifo)
    return 1

def ends():
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def never(tmp_path: Path) -> str:
    (tmp_path / "own.py").write_text(OWN)
    os.mkfifo(tmp_path / "never")
    return str(tmp_path / "never")


def run(folder: Path, call: str, **args: str) -> waivern.RunResult:
    """Run one function of own.py, which has half a second."""
    work = {"type": "python", "properties": {"call": f"own.py:{call}", "args": args}}
    book = {"config": {"timeout": "0.5s"}, "artifacts": {"a": {"source": work}}}
    text = waivern.load(text=str(book), folder=folder)
    return waivern.run(text, store="memory:")


def release(fifo: str) -> None:
    """Let the thread that reads end, and wait until it has."""
    Path(fifo).write_text("go")
    for thread in threading.enumerate():
        if thread.name.startswith(("asyncio_", "mine")):
            thread.join(0 if thread.name.startswith("mine") else 10)


def test_a_run_returns_at_its_limit(tmp_path: Path, never: str) -> None:
    result = run(tmp_path, "blocked", fifo=never)
    assert (result.status, result.reason) == ("failed", "timeout")
    assert result.stuck
    (left,) = [each for each in result.warnings if "left behind" in each]
    assert left == (
        "thread 'asyncio_0' of 'a' was still at work when the run ended, and was left behind"
    )
    release(never)


def test_a_run_names_the_thread_that_it_left(tmp_path: Path, never: str) -> None:
    result = run(tmp_path, "pool", fifo=never)
    assert result.status == "completed"
    (left,) = result.warnings
    assert left.startswith("thread 'mine_0' of 'a' was still at work")
    release(never)


def test_only_components_are_restricted(tmp_path: Path, never: str) -> None:
    """The run has failed; the program's own threads signal as ever."""
    result = run(tmp_path, "ends")
    assert result.error == "a: ComponentError: a component cannot call os.kill"
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: came.append(number))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert came == [signal.SIGUSR1] * 2
