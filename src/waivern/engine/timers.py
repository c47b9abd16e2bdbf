"""Timers: the calls that the loop has to make at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from waivern.clock import Clock


class Timers:
    """Calls that are due later; their owner polls them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` due in so many seconds."""
        heapq.heappush(self._heap, (self._clock.monotonic() + seconds, next(self._order), call))

    @property
    def next_s(self) -> float | None:
        """How long until something is due; None if nothing will be."""
        return max(0.0, self._heap[0][0] - self._clock.monotonic()) if self._heap else None

    def due(self) -> Iterator[Callable[[], None]]:
        """Yield what is due, in the order of its time."""
        while self._heap and self._heap[0][0] <= self._clock.monotonic():
            yield heapq.heappop(self._heap)[2]
