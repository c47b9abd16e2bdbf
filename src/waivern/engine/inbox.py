"""Everything the loop has to look at, one item at a time, from whichever thread it comes."""

from __future__ import annotations

import asyncio
import signal
import threading
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from waivern.clock import Clock
from waivern.engine.calls import Call, Outcome
from waivern.errors import WaivernError


@dataclass(frozen=True, slots=True)
class Began:
    call: Call
    at: str
    monotonic: float


@dataclass(frozen=True, slots=True)
class Finished:
    call: Call
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Signalled:
    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Cancelled:
    by: str
    note: str | None


@dataclass(frozen=True, slots=True)
class TimedOut:
    pass


@dataclass(frozen=True, slots=True)
class GraceOver:
    pass


@dataclass(frozen=True, slots=True)
class Committed:
    pass


@dataclass(frozen=True, slots=True)
class StoreFailed:
    error: WaivernError


Item: TypeAlias = (
    Began | Finished | Signalled | Cancelled | TimedOut | GraceOver | Committed | StoreFailed
)


class Inbox:
    """What the loop has to look at; items come from any thread, one wake-up for many.

    It is the Report that executors are given.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._signalled = False
        self._closed = False

    def put(self, item: Item) -> None:
        """Add an item; after `close` it is dropped: a late result is garbage."""
        with self._lock:
            if self._closed:
                return
            self._items.append(item)
            if not self._signalled:
                self._signalled = True
                self._loop.call_soon_threadsafe(self._event.set)

    def began(self, call: Call) -> None:
        """Note the time, and wake nobody: `take` looks often enough while a call is to begin."""
        item = Began(call, self._clock.now(), self._clock.monotonic())
        with self._lock:
            self._items.append(item)

    def done(self, call: Call, outcome: Outcome) -> None:
        self.put(Finished(call, outcome))

    async def take(self, timeout_s: float | None) -> list[Item]:
        """Wait for items, at most so long, and return them all."""
        with anyio.move_on_after(timeout_s):
            await self._event.wait()
        self._event.clear()
        with self._lock:
            self._signalled = False
            items, self._items = self._items, []
        return items

    def close(self) -> None:
        """Take no more items."""
        with self._lock:
            self._closed = True
