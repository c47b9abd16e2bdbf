"""The bytes of the files of a log: read through a cache, put into objects, destroyed."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable

from waivern.store.objects.bucket import Bucket
from waivern.store.objects.object_cache import RangeCache
from waivern.store.objects.object_tree import Extent

AHEAD_BYTES = 1 << 18
"""What is read of a commit at least: its other files are often read next."""


class LogBytes:
    """The way to the bytes of extents."""

    def __init__(self, bucket: Bucket, cache: RangeCache, name: str) -> None:
        self._bucket = bucket
        self._cache = cache
        self._name = name
        self.epoch: int | None = None
        """The epoch of the holder that writes; None for another writer."""

    def note(self, key: str, start: int, data: bytes) -> None:
        """Hold the bytes of an object that was read or written, from `start` on."""
        self._cache.add(key, start, data[start:])

    def read(self, extent: Extent) -> bytes:
        """Return the bytes of an extent. Raises FileNotFoundError if its object is gone."""
        if extent.data or not extent.size:
            return extent.data
        if (data := self._cache.get(extent.key, extent.offset, extent.size)) is not None:
            return data
        size = extent.size
        if extent.key.startswith("logs/"):
            size = max(size, AHEAD_BYTES)
        data = self._bucket.get(extent.key, extent.offset, size)
        self._cache.add(extent.key, extent.offset, data)
        return data[: extent.size]

    def put_blob(self, data: bytes) -> str:
        """Put bytes under a name that cannot be guessed; return it."""
        kind = f"e{self.epoch:06d}" if self.epoch else "s"
        key = f"blobs/{self._name}/{kind}-{secrets.token_hex(12)}"
        self._bucket.put(key, data)
        return key

    def erase(self, extents: Iterable[Extent]) -> None:
        """Destroy bytes that no file has any more: a log would keep them. It may be repeated."""
        by_key: dict[str, list[Extent]] = defaultdict(list)
        for extent in extents:
            by_key[extent.key].append(extent)
        for key, ranges in by_key.items():
            if key.startswith("blobs/"):
                self._bucket.delete([key])
            else:
                self._blank(key, ranges)
            self._cache.forget(key)

    def _blank(self, key: str, ranges: list[Extent]) -> None:
        """Overwrite ranges of a commit with zeros; all else of it stays, and so does its place."""
        try:
            before = self._bucket.get(key)
        except FileNotFoundError:
            return
        data = bytearray(before)
        for extent in ranges:
            data[extent.offset : extent.offset + extent.size] = bytes(extent.size)
        if data != before:
            self._bucket.put(key, bytes(data))
