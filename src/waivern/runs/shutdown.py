"""The runs of this process that were told to end, and are about to."""

from __future__ import annotations

import threading
from itertools import takewhile

_leaving: dict[threading.Thread, None] = {}
"""In the order in which they were told."""


def leave(thread: threading.Thread) -> None:
    """Take note of a thread whose run was told to end. Garbage collection may call this."""
    _leaving[thread] = None


def settle() -> None:
    """Wait until those runs are free: within the second that their components are given.

    Who was told to end itself waits only for those that were told before: they do not wait for it.
    """
    me = threading.current_thread()
    for thread in takewhile(lambda each: each is not me, list(_leaving)):
        thread.join()
        _leaving.pop(thread, None)
