"""The runs of this process that were told to end, and are about to."""

from __future__ import annotations

import threading

_leaving: set[threading.Thread] = set()


def leave(thread: threading.Thread) -> None:
    """Take note of a thread whose run was told to end. Garbage collection may call this."""
    _leaving.add(thread)


def settle() -> None:
    """Wait until those runs are free: within the second that their components are given."""
    for thread in list(_leaving):
        if thread is not threading.current_thread():
            thread.join()
            _leaving.discard(thread)
