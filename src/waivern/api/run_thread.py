"""The thread of a run, as an event loop sees it: begun, awaited, and halted when no one waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar, cast

import anyio
from anyio.lowlevel import current_token

from waivern.api.loop_resolver import LoopResolver
from waivern.runs.run_options import RunOptions
from waivern.runs.shutdown import leave, settle

T = TypeVar("T")

Begin: TypeAlias = Callable[[RunOptions], T]
"""Carries a run out, blocking: `start` or one like it, with everything but the options decided."""


class RunThread(Generic[T]):
    """A use case on a daemon thread of its own; its outcome is awaited in an event loop.

    anyio's worker threads are not used: a run that is left behind may wait for a component that
    cannot be stopped, and would hold one of them, and the end of the event loop, for as long.
    """

    def __init__(self) -> None:
        self.ready = anyio.Event()
        """Set in the event loop when there may be something new."""
        self.outcome: T | BaseException | None = None
        """The result or the error of the use case, once it has ended."""
        self._call_soon = _call_soon()
        self._halted = False
        self._halt: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._resolver: LoopResolver | None = None

    def begin(self, begin: Begin[T], options: RunOptions) -> None:
        """Start the thread. Its lookups, if there is a resolver, are awaited in this event loop."""
        mine = options._replace(on_running=self._running)
        if options.resolver is not None:
            self._resolver = LoopResolver(options.resolver)
            mine = mine._replace(resolver=self._resolver)
        self._thread = threading.Thread(
            target=self._carry_out, args=(begin, mine), name="waivern-run", daemon=True
        )
        self._thread.start()

    def halt(self) -> None:
        """Interrupt the run; a second call does nothing. Called by garbage collection, too.

        No lock: of this and `_running`, whichever comes second sees what the first one left.
        """
        self._halted = True
        if self._resolver is not None:
            with suppress(RuntimeError):  # the event loop is closed, and its lookups with it
                self._call_soon(self._resolver.cancel)
        if self._thread is not None:
            leave(self._thread)
        if self._halt is not None:
            self._halt()

    async def over(self) -> None:
        """Wait until the run is over and its thread has ended."""
        while self.outcome is None:
            await self.wait()
        if self._thread is not None:
            self._thread.join()  # it has nothing left to do

    async def wait(self) -> None:
        """Wait until `ready` is set, and prepare it for the next time.

        The event is replaced before the caller looks for news, so that news that arrives while it
        looks sets the new one.
        """
        await self.ready.wait()
        self.ready = anyio.Event()

    def notify(self, call: Callable[[], object] | None = None) -> None:
        """Have the event loop call something, by default wake the reader; any thread may."""
        try:
            self._call_soon(call or self.wake)
        except RuntimeError:  # the event loop is closed: the outcome cannot be read any more
            self.halt()

    def wake(self) -> None:
        """Set `ready`; in the event loop only."""
        self.ready.set()

    def _carry_out(self, begin: Begin[T], options: RunOptions) -> None:
        try:
            settle()
            self.outcome = begin(options)
        except BaseException as error:  # noqa: BLE001 - raised again in the event loop
            self.outcome = error
        self.notify()

    def _running(self, halt: Callable[[], None]) -> None:
        self._halt = halt
        if self._halted:
            halt()


async def result_of(begin: Begin[T], options: RunOptions) -> T:
    """Return the result of a use case that runs on a thread; cancelled, interrupt its run."""
    thread: RunThread[T] = RunThread()
    thread.begin(begin, options)
    try:
        await thread.over()
    except BaseException:  # cancelled: the run is over, and free, before the caller proceeds
        thread.halt()
        with anyio.CancelScope(shield=True):
            await thread.over()
        raise
    if isinstance(thread.outcome, BaseException):
        raise thread.outcome
    return cast(T, thread.outcome)


def _call_soon() -> Callable[[Callable[[], object]], object]:
    """Return what has the running event loop call a function soon, from any thread, unawaited."""
    loop: Any = current_token().native_token
    found: Callable[[Callable[[], object]], object]
    found = loop.run_sync_soon if hasattr(loop, "run_sync_soon") else loop.call_soon_threadsafe
    return found
