"""The locks that open files and folders of one tree hold against each other in one process."""

from __future__ import annotations

import threading

from waivern.store.backend import OpenHandle


class HandleLocks:
    """The locks that handles of this process hold on files and folders of a tree.

    Those of other processes are not excluded: their commits are found instead, and then the caller
    of `sync` gets a BlockingIOError, and starts again.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held: dict[int, dict[OpenHandle, bool]] = {}

    def take(self, number: int, handle: OpenHandle, *, exclusive: bool) -> bool:
        """Take a lock; return whether it was free."""
        with self._mutex:
            holders = self._held.setdefault(number, {})
            others = [held for other, held in holders.items() if other is not handle]
            if any(others) or (exclusive and others):
                return False
            holders[handle] = exclusive
            return True

    def release(self, number: int, handle: OpenHandle) -> None:
        """Release the lock of a handle."""
        with self._mutex:
            self._held.get(number, {}).pop(handle, None)
