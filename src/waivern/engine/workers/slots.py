"""The slots of a run: as many calls compute at once as there are processor cores for."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable


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
