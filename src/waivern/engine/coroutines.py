"""The failure domain of a component that is a coroutine: one event loop for each call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from waivern.engine.calls import Awaiting
from waivern.errors import ComponentError
from waivern.message import Json

CLEANUP_S = 2.0
"""Seconds that tasks which outlive their component's result have to end after cancellation."""


class CoroutineDomain:
    """One call's event loop, which runs on the thread that calls `run`.

    Other calls have loops of their own: cancelling every task, stopping the loop, `sys.exit` in a
    task or blocking the thread affects this call only.
    """

    def __init__(self, awaiting: Awaiting) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._report)
        _accept_other_threads(self._loop)
        self._ctx = awaiting.working.ctx
        self._task = self._loop.create_task(_result(awaiting.result))
        self._cancelled: set[asyncio.Task[Any]] = set()
        """The tasks cancelled so far: a second time would interrupt their cleanup."""

    def run(self) -> Json:
        """Await the result; cancel the tasks it left behind; raise what the component raised."""
        try:
            return self._await_result()
        finally:
            self._end_other_tasks()
            self._close()

    def cancel(self) -> None:
        """Cancel the component's task; it may clean up. Callable from any thread."""
        with suppress(RuntimeError):  # the loop is closed: the call has ended
            self._loop.call_soon_threadsafe(self._cancel, {self._task})

    def _await_result(self) -> Json:
        try:
            return self._loop.run_until_complete(self._task)
        except asyncio.CancelledError as error:
            if self._task in self._cancelled:
                raise
            why = error.args or ("its task was cancelled by its own code",)
            raise asyncio.CancelledError(*why) from error
        except RuntimeError as error:
            if self._task.done():
                raise
            raise ComponentError(
                "it stopped its event loop before it returned",
                hint="return or raise an error; the event loop ends by itself",
            ) from error

    def _end_other_tasks(self) -> None:
        deadline = time.monotonic() + CLEANUP_S
        while tasks := asyncio.all_tasks(self._loop):
            left = deadline - time.monotonic()
            if left <= 0:
                names = ", ".join(sorted(task.get_name() for task in tasks))
                self._ctx.log.warning("tasks that ignore their cancellation are dropped: %s", names)
                break
            self._cancel(tasks)
            self._run_briefly(lambda: asyncio.wait(tasks, timeout=left))  # noqa: B023 - run here
        self._run_briefly(lambda: asyncio.wait_for(self._loop.shutdown_asyncgens(), CLEANUP_S))

    def _run_briefly(self, step: Callable[[], Awaitable[object]]) -> None:
        """Run the loop for one step of the cleanup, whatever the component's tasks raise."""
        task = self._loop.create_task(_result(step()))
        try:
            self._loop.run_until_complete(task)
        except BaseException as error:  # noqa: BLE001 - the result or the failure is known already
            self._ctx.log.warning("cleanup of its tasks: %s: %s", type(error).__name__, error)

    def _close(self) -> None:
        self._loop.set_exception_handler(lambda _loop, _context: None)  # reported above
        self._loop.close()

    def _cancel(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks - self._cancelled:
            self._cancelled.add(task)
            task.cancel()

    def _report(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._ctx.log.error("%s", context["message"], exc_info=context.get("exception"))


def _accept_other_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Let an event loop wake up for what another call's thread schedules in it.

    Calls that share an `asyncio.Lock` or future would otherwise wait for ever: what one of them
    releases, the other's loop does not notice. More of them get an error from asyncio.
    """
    call_soon, own = loop.call_soon, threading.get_ident()

    def call_soon_anywhere(*args: Any, **named: Any) -> asyncio.Handle:
        same = threading.get_ident() == own
        return (call_soon if same else loop.call_soon_threadsafe)(*args, **named)

    with suppress(AttributeError):  # an event loop written in C
        loop.call_soon = call_soon_anywhere  # type: ignore[method-assign, assignment]


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
