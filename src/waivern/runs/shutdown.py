"""The runs of this process that were asked to end, and have not yet."""

from __future__ import annotations

import threading
from itertools import takewhile

_leaving: dict[threading.Thread, None] = {}
"""In the order in which they were asked."""


def leave(thread: threading.Thread) -> None:
    """Record a thread whose run was asked to end. Garbage collection may call this."""
    _leaving[thread] = None


def settle() -> None:
    """Wait until those runs are free: within the second that their components are given.

    A thread that was asked itself waits only for those asked before it, so that no two wait for
    each other.
    """
    me = threading.current_thread()
    for thread in takewhile(lambda each: each is not me, list(_leaving)):
        thread.join()
        _leaving.pop(thread, None)
