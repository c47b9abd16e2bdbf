"""A cache of ranges of immutable objects: what was written or read last is read again soon."""

from __future__ import annotations

import threading
from collections import OrderedDict

CACHE_BYTES = 64 << 20


class RangeCache:
    """One range of each of the objects that were used last. Thread-safe."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._ranges: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._held = 0
        self._mutex = threading.Lock()

    def add(self, key: str, start: int, data: bytes) -> None:
        """Hold a range of an object in place of the one that was held."""
        with self._mutex:
            self._remove(key)
            if len(data) > self._limit // 4:
                return
            self._ranges[key] = start, data
            self._held += len(data)
            while self._held > self._limit:
                self._remove(next(iter(self._ranges)))

    def get(self, key: str, start: int, size: int) -> bytes | None:
        """Return a range of an object; None if not all of it is held."""
        with self._mutex:
            first, data = self._ranges.get(key, (0, b""))
            if not data or start < first or start + size > first + len(data):
                return None
            self._ranges.move_to_end(key)
            return data[start - first : start - first + size]

    def forget(self, key: str) -> None:
        """Release the range of an object whose bytes have changed."""
        with self._mutex:
            self._remove(key)

    def _remove(self, key: str) -> None:
        self._held -= len(self._ranges.pop(key, (0, b""))[1])
