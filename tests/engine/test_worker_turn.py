"""The turn to compute on a thread: who waits for it, and for whom a worker is started ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from waivern.engine.workers.slots import AHEAD_S, Turn


class Starts:
    """What starts a worker ahead; it is ready at once."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> threading.Event:
        self.count += 1
        ready = threading.Event()
        ready.set()
        return ready


@pytest.fixture
def starts() -> Starts:
    return Starts()


@contextmanager
def taken(turn: Turn, work: Callable[[threading.Event], object]) -> Iterator[None]:
    """Let another thread have the turn, and `work` until the event is set."""
    began, over = threading.Event(), threading.Event()

    def holds() -> None:
        assert turn.take(nullcontext(), threading.Event)
        began.set()
        work(over)
        turn.give()

    thread = threading.Thread(target=holds)
    thread.start()
    began.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def computes(over: threading.Event) -> None:
    while not over.is_set():
        pass


def computes_little(_over: threading.Event) -> None:
    end = time.thread_time() + AHEAD_S / 5
    while time.thread_time() < end:
        pass


def test_a_worker_is_started_ahead_beside_a_call_that_computes(starts: Starts) -> None:
    turn = Turn()
    with taken(turn, computes):
        while not starts.count:  # a busy machine may let the call compute little at first
            assert not turn.take(nullcontext(), starts)
    assert starts.count == 1


def test_none_is_started_beside_a_call_that_only_waits(starts: Starts) -> None:
    turn = Turn()
    with taken(turn, threading.Event.wait):
        assert not turn.take(nullcontext(), starts)
    assert starts.count == 0


def test_the_turn_is_taken_after_a_short_call(starts: Starts) -> None:
    turn = Turn()
    with taken(turn, computes_little):
        while not turn.take(nullcontext(), starts):
            pass  # a busy machine may let the call wait for longer
    assert starts.count == 0
