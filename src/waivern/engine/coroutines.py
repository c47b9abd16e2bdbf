"""An event loop on a thread of its own, for components that are coroutines."""

from __future__ import annotations

import asyncio
import threading

from waivern.engine.calls import Awaiting
from waivern.message import Json


class Coroutines:
    """A running event loop; its thread is left behind when the process ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        run = self._loop.run_forever
        threading.Thread(target=run, name="waivern-coroutines", daemon=True).start()

    def run(self, awaited: Awaiting) -> Json:
        """Return what a component's result comes to; blocks the caller until then."""

        async def wait() -> tuple[Json, BaseException | None]:
            try:
                return await awaited.result, None
            except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop itself
                return None, error

        content, error = asyncio.run_coroutine_threadsafe(wait(), self._loop).result()
        if error:
            raise error
        return content

    def close(self, patience_s: float) -> bool:
        """Cancel what is being awaited; say whether something did not let itself be cancelled."""
        idle = threading.Event()
        asyncio.run_coroutine_threadsafe(_cancel_others(idle), self._loop)
        return not idle.wait(patience_s)


async def _cancel_others(idle: threading.Event) -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
    idle.set()
