"""An event loop on a thread of its own, for components that are coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Any

from waivern.engine.calls import Awaiting
from waivern.message import Json


class Awaited:
    """A component's result that is being awaited."""

    def __init__(self, result: Awaitable[Json], loop: asyncio.AbstractEventLoop) -> None:
        self.task: asyncio.Task[Any] | None = None
        """For the event loop alone; None until it has begun."""
        self._end = asyncio.run_coroutine_threadsafe(self._wait(result), loop)

    def content(self) -> Json:
        """Block until it has come, or was cancelled and has cleaned up; raise what was raised."""
        content, error = self._end.result()
        if error:
            raise error
        return content

    async def _wait(self, result: Awaitable[Json]) -> tuple[Json, BaseException | None]:
        self.task = asyncio.current_task()
        try:
            return await result, None
        except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop itself
            return None, error


class Coroutines:
    """A running event loop, until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._cancelled: set[asyncio.Task[Any]] = set()
        """Once is enough: twice would break off what they do to clean up."""
        self._thread = threading.Thread(target=self._serve, name="waivern-coroutines", daemon=True)
        self._thread.start()

    def submit(self, awaiting: Awaiting) -> Awaited:
        """Begin to await a component's result; not after `close`."""
        return Awaited(awaiting.result, self._loop)

    def cancel(self, awaited: Awaited) -> None:
        """Have what is being awaited clean up and end; not after `close`."""

        async def cancel() -> None:  # what was submitted before has begun before
            if awaited.task is not None:
                self._cancel({awaited.task})

        asyncio.run_coroutine_threadsafe(cancel(), self._loop)

    def close(self, patience_s: float) -> bool:
        """Cancel what is being awaited; say whether something did not let itself be cancelled."""
        asyncio.run_coroutine_threadsafe(self._cancel_others(), self._loop)
        self._thread.join(patience_s)
        return self._thread.is_alive()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _cancel_others(self) -> None:
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._cancel(others)
            await asyncio.wait(others)
        self._loop.stop()

    def _cancel(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks - self._cancelled:
            self._cancelled.add(task)
            task.add_done_callback(self._cancelled.discard)
            task.cancel()
