"""The slots of a run: as many calls compute at once as there are processor cores for.

On threads of one interpreter only one of them makes progress at a time: it has the turn.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

PATIENCE_S = 0.25
"""How long a call waits for its turn: to start the first worker takes about as long."""
MORE_PATIENCE_S = 2.0
"""How long one with a small input waits: a detector in a new worker first loads its rules."""
AHEAD_S = 0.1
"""How long a call has computed before a worker is started ahead for another one that waits for its
turn. The first call of a detector computes for less if its input is small."""
LOOK_S = 0.01
"""The interval at which a call that waits looks at the one that has the turn."""
EACH_S = 0.005
"""How long calls compute, on average, that are worth a worker: the way to it takes about 1 ms."""


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Slots:
    """A number of slots, and what waits for one, in order. Thread-safe."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = count
        self.lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def wanted(self) -> bool:
        """Whether something waits for a slot."""
        return bool(self._waiting)

    @property
    def taken(self) -> int:
        """The number of slots that are in use."""
        return self.count - self._free

    def take(self) -> bool:
        """Take a slot; return false if none is free."""
        with self.lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def enter(self, begin: Callable[[], None]) -> None:
        """Call `begin` with a slot taken: now, or when one is given back."""
        with self.lock:
            if self._free == 0:
                self._waiting.append(begin)
                return
            self._free -= 1
        begin()

    def give(self) -> None:
        """Give a slot back: to what waits first, if anything does."""
        with self.lock:
            if not self._waiting:
                self._free += 1
                return
            begin = self._waiting.popleft()
        begin()

    def withdraw(self) -> None:
        """Let nothing wait any more."""
        with self.lock:
            self._waiting.clear()


class Turn:
    """The turn to compute on a thread, which one call has at a time. Thread-safe.

    To wait for it costs nothing, because the threads of an interpreter share its lock. A call that
    does not get it soon is worth a worker: another one computes for long, or many do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = self._spent = 0.0
        self._computed: Callable[[], float] = time.monotonic
        """Returns how long the call that has the turn has computed."""
        self._calls = 0

    def take(
        self,
        waiting: AbstractContextManager[None],
        start_ahead: Callable[[], threading.Event],
        patience: float = PATIENCE_S,
    ) -> bool:
        """Wait for the turn; return false if a worker is worth its start instead.

        `waiting` is entered for as long as this waits. `start_ahead` starts what workers need, and
        returns the event that one can be had at once; no core waits for that meanwhile.
        """
        if not self._lock.acquire(blocking=False):
            if self._spent >= max(patience, EACH_S * self._calls):
                return False
            with waiting:
                if not self._comes(start_ahead, patience):
                    return False
        self._began, self._computed = time.monotonic(), _stopwatch()
        return True

    def give(self) -> None:
        """Give the turn back."""
        self._spent += time.monotonic() - self._began
        self._calls += 1
        self._lock.release()

    def _comes(self, start_ahead: Callable[[], threading.Event], patience: float) -> bool:
        """Wait until the turn is taken, a worker can be had, or the patience is over."""
        deadline, ready = time.monotonic() + patience, None
        ahead = AHEAD_S * patience / PATIENCE_S
        while time.monotonic() < deadline:
            if self._lock.acquire(timeout=LOOK_S):
                return True
            if ready is None and self._computed() >= ahead:
                ready = start_ahead()
            if ready is not None and ready.is_set():
                break
        return False


def _stopwatch() -> Callable[[], float]:
    """Return what returns the time for which this thread has computed since now.

    A machine that is busy does not change it, where the system counts the time of threads.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        start = time.monotonic()
        return lambda: time.monotonic() - start
    clock = time.pthread_getcpuclockid(threading.get_ident())
    began = time.clock_gettime(clock)

    def computed() -> float:
        try:
            return time.clock_gettime(clock) - began
        except OSError:  # the thread has ended
            return 0.0

    return computed
