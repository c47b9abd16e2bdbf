"""Hearing the signals that ask a process to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def listening(tell: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Tell of the first signal; at the second, leave at once. Only in the main thread.

    `tell` is called in a signal handler: it may interrupt anything, itself too.
    """
    first = True

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not first:  # a resume finds what was committed
            os._exit(128 + number)
        first = False
        tell(signal.Signals(number))

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
