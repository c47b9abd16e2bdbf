"""An event loop on a thread of its own, for components that are coroutines."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TypeAlias

from waivern.engine.calls import Awaiting
from waivern.message import Json

Awaited: TypeAlias = Future[tuple[Json, BaseException | None]]


class Coroutines:
    """A running event loop, until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="waivern-coroutines", daemon=True)
        self._thread.start()

    def submit(self, awaited: Awaiting) -> Awaited:
        """Begin to await a component's result; not after `close`."""

        async def wait() -> tuple[Json, BaseException | None]:
            try:
                return await awaited.result, None
            except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop itself
                return None, error

        return asyncio.run_coroutine_threadsafe(wait(), self._loop)

    def close(self, patience_s: float) -> bool:
        """Cancel what is being awaited; say whether something did not let itself be cancelled."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)
        self._thread.join(patience_s)
        return self._thread.is_alive()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.close()


async def _cancel_others() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
    asyncio.get_running_loop().stop()
