"""A short interval at which threads hand over the interpreter's lock.

A thread that computes keeps the lock for 5 ms after another one has asked for it, and to import a
module or to start a process takes the lock back dozens of times: beside a call that computes, the
first worker would start a quarter of a second late.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_S = 0.0005


class _Handover:
    """The interval of this process, and how many threads need it short at the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before = 0.0

    def shorten(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(SHORT_S, self._before))

    def restore(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0 and sys.getswitchinterval() <= SHORT_S:  # else: set by a component
                sys.setswitchinterval(self._before)


_handover = _Handover()  # per process, as the interval is


@contextmanager
def brisk() -> Iterator[None]:
    """Have other threads hand over the interpreter's lock soon, for as long as this lasts."""
    _handover.shorten()
    try:
        yield
    finally:
        _handover.restore()
