"""The scope of a component call: the threads that work for it, and what it changes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_MARK = "waivern_call_scope"
POLL_S = 0.05
"""The interval at which a scope checks whether its threads are at work."""


class CallScope:
    """One call of a component: the thread that runs it, and the threads that it starts."""

    wanted: Callable[[], bool] = staticmethod(lambda: True)
    """Returns whether anybody still waits for the result."""

    def __init__(self, artifact: str) -> None:
        self.artifact = artifact
        self.returned = False
        """Whether the component has returned; its threads may still be at work."""
        self.restore: dict[str, Callable[[], object]] = {}
        """Functions that undo the changes of the component to the process, by what was changed."""
        self.discards: tuple[Callable[[], None], ...] = ()
        """Functions that remove what was written for the call, unless it was staged."""
        self.output: Any = None
        """The log of its artifact: its threads print there."""
        self._threads: list[threading.Thread] = []

    def entered(self) -> AbstractContextManager[None]:
        """Attribute the work of the current thread, and the threads it starts, to this call.

        Changes to the process are undone at the end.
        """
        return _Entered(self)

    def adopt(self, thread: threading.Thread) -> None:
        """Attribute a thread that is about to start to this call."""
        setattr(thread, _MARK, self)
        self._threads.append(thread)

    @property
    def over(self) -> bool:
        """Whether no thread works for this call any more."""
        return self.returned and not self.at_work()

    @property
    def has_threads(self) -> bool:
        """Whether one of its threads has not ended, at work or not."""
        return any(thread.is_alive() for thread in self._threads)

    def at_work(self) -> list[threading.Thread]:
        """Return its threads that have not ended, except those that only wait for work."""
        if not self._threads:
            return []
        frames = sys._current_frames()  # noqa: SLF001 - there is no other way to see a thread's work
        return [
            thread
            for thread in tuple(self._threads)
            if thread.is_alive() and not _is_idle(thread, frames.get(thread.ident or 0))
        ]

    def join(self) -> None:
        """Wait until none of its threads is at work."""
        while threads := self.at_work():
            threads[0].join(POLL_S)


class _Entered:
    """The context of a thread that works for a call.

    A class, because a generator takes twice as long and each artifact enters its call three times.
    """

    __slots__ = ("_before", "_scope", "_thread")

    def __init__(self, scope: CallScope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._thread = threading.current_thread()
        self._before = getattr(self._thread, _MARK, None)
        setattr(self._thread, _MARK, self._scope)

    def __exit__(self, *_error: object) -> None:
        setattr(self._thread, _MARK, self._before)
        restore = self._scope.restore
        while restore:
            restore.popitem()[1]()


def current() -> CallScope | None:
    """Return the call that the current thread works for; None outside of components."""
    return getattr(threading.current_thread(), _MARK, None)


def _leave_call() -> None:
    setattr(threading.current_thread(), _MARK, None)


os.register_at_fork(after_in_child=_leave_call)  # a forked child is not restricted


def adopting(_called: str, start: Callable[[threading.Thread], None]) -> Callable[..., None]:
    """Return a `Thread.start` that attributes each thread of a component to its call."""
    # Imported here, before any component runs: the module registers a fork hook that releases its
    # lock. If it were imported during a fork, the hook would release a lock that was not acquired.
    importlib.import_module("concurrent.futures.thread")

    def start_adopted(thread: threading.Thread) -> None:
        if (scope := current()) is not None:
            scope.adopt(thread)
        start(thread)

    return start_adopted


def _is_idle(thread: threading.Thread, frame: object) -> bool:
    """Return whether a thread waits for work: in an executor, or as a daemon on a lock or queue."""
    code = getattr(frame, "f_code", None)
    module = sys.modules.get("concurrent.futures.thread")
    if module is not None and code is module._worker.__code__:  # noqa: SLF001 - as above
        return True
    queue = sys.modules.get("queue")
    waits = (threading.__file__, getattr(queue, "__file__", None))
    return thread.daemon and getattr(code, "co_filename", "") in waits
