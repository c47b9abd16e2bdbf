"""Signals that ask a process to end: reported to the run, and held back where they would harm."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from waivern.plugins.child_processes import leave

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler: TypeAlias = Callable[[int, FrameType | None], object]


@contextmanager
def listening(report: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Report the first signal; at the second, exit at once. Only in the main thread.

    Signals that the process was started to ignore, as `nohup` does with SIGHUP, stay ignored.
    `report` is called in a signal handler: it may interrupt anything, itself too.
    """
    first, process = True, os.getpid()

    def hear(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if os.getpid() != process:  # a child that is just being forked
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if not first:  # a resume finds what was committed
            leave(number)
        first = False
        report(signal.Signals(number))

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    with _handled(dict.fromkeys(heard, hear)):
        yield


class Interrupts:
    """Holds back what the program's own signal handlers do, KeyboardInterrupt among it.

    A handler that raises would break off whatever runs in the main thread. Here it is called
    only where `let_in` says that it may be, and otherwise at the end of `held`.
    """

    def __init__(self) -> None:
        self._holds = True
        self._came: list[tuple[Handler, int, FrameType | None]] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold them back from here on; in other threads than the main one nothing is raised."""
        found = {}
        if threading.current_thread() is threading.main_thread():
            found = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            with _handled({n: self._holding(each) for n, each in found.items() if callable(each)}):
                yield
        finally:
            self._pass_on()

    @contextmanager
    def let_in(self) -> Iterator[None]:
        """Let what came, and the first that comes, reach the program; then hold back again."""
        self._holds = False
        try:
            self._pass_on()
            yield
        finally:
            self._holds = True

    def _holding(self, handler: Handler) -> Handler:
        def hear(number: int, frame: FrameType | None) -> None:
            if self._holds:
                self._came.append((handler, number, frame))
                return
            self._holds = True  # a second one must not break off what follows from the first
            handler(number, frame)
            self._holds = False  # it did not raise: nothing follows

        return hear

    def _pass_on(self) -> None:
        while self._came:
            handler, number, frame = self._came.pop(0)
            handler(number, frame)


@contextmanager
def _handled(handlers: dict[signal.Signals, Handler]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    _replaced.append(before)
    try:
        yield
    finally:
        _replaced.remove(before)
        for number, handler in before.items():
            signal.signal(number, handler)


_replaced: list[dict[signal.Signals, Any]] = []
"""The handlers that were there before, by signal, of everything that has replaced some."""


_forking = threading.local()


def _before_fork() -> None:
    # Python forgets what comes between the fork and its own first steps in the child: held back
    # by the kernel, it meets the handlers that any process has
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS if _replaced else ())


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_fork_in_child() -> None:
    while _replaced:
        for number, handler in _replaced.pop().items():
            signal.signal(number, handler)
    _after_fork()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
