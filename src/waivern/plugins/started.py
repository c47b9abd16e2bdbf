"""The process groups that components have started: none outlives a process that leaves at once."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_groups: set[int] = set()


@contextmanager
def known(group: int) -> Iterator[None]:
    """Have a process group killed by `kill_all`, for as long as this lasts."""
    _groups.add(group)
    try:
        yield
    finally:
        _groups.discard(group)


def kill_all() -> None:
    """Kill every known group. May be called in a signal handler: it waits for nothing.

    Whoever ends the process with `os._exit` calls it; at any other end it is called by itself.
    """
    for group in tuple(_groups):
        send(group, signal.SIGKILL)


atexit.register(kill_all)


def send(group: int, number: signal.Signals) -> None:
    """Send a signal to all that is left of a process group, which may be nothing."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where all are zombies
        os.killpg(group, number)
