"""Patches of functions and streams that belong to the process, shared by the runs in it.

Output, logging, signals and the working folder are the process's, not a run's. A set of patches is
therefore installed when the first run needs it and removed when the last one has released it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Protocol


class Work(Protocol):
    """Work that a run has left behind, such as the threads of a call that timed out."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""


class SharedPatches:
    """One set of patches for several holders. Thread-safe; create it once a process.

    `install` puts the patches in place, and registers on the stack how each is undone.
    """

    def __init__(self, install: Callable[[ExitStack], None]) -> None:
        self._install = install
        self._holders = 0
        self._left: list[Work] = []
        self._installed = ExitStack()
        self._renew_lock()
        os.register_at_fork(after_in_child=self._renew_lock)

    def hold(self) -> None:
        """Install the patches unless they are in place."""
        with self._lock:
            if self._holders == 0:
                self._install(self._installed)
            self._holders += 1

    def release(self, left: Iterable[Work] = ()) -> None:
        """Remove the patches if this was the last holder.

        As long as work that was `left` behind is not over, they stay; a later release removes them.
        """
        with self._lock:
            self._holders -= 1
            self._left = [work for work in (*self._left, *left) if not work.over]
            if self._holders == 0 and not self._left:
                self._installed.close()

    def _renew_lock(self) -> None:
        """Have a lock that is free: the thread that held it does not exist in a forked child."""
        self._lock = threading.Lock()


def replace(stack: ExitStack, owner: Any, name: str, value: object) -> None:
    """Replace an attribute, and undo that with the stack.

    An attribute that other code has replaced meanwhile is left as it is: to restore ours would undo
    the work of that code.
    """
    before = getattr(owner, name)

    def restore() -> None:
        if getattr(owner, name) is value:
            setattr(owner, name, before)

    setattr(owner, name, value)
    stack.callback(restore)
