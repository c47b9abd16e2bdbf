"""A bucket in memory, which counts its requests and fails on request."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from waivern.store.objects.bucket import Bucket, BucketEntry

PAGE = 1000


class MemoryBucket(Bucket):
    """A bucket in memory. `requests` counts what is asked of it, by the name of the operation.

    `on_request` is called with operation and key before each request; what it raises, the request
    raises without an effect.
    """

    def __init__(self, url: str = "s3://memory") -> None:
        self.url = url
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.requests: Counter[str] = Counter()
        self.on_request: Callable[[str, str], None] = lambda *_: None
        self._mutex = threading.Lock()

    def _request(self, operation: str, key: str) -> None:
        self.requests[operation] += 1
        self.on_request(operation, key)

    def put(self, key: str, data: bytes) -> None:
        self._request("put", key)
        with self._mutex:
            self.objects[key] = bytes(data), time.time_ns()

    def create(self, key: str, data: bytes) -> None:
        self._request("create", key)
        with self._mutex:
            if key in self.objects:
                raise FileExistsError(errno.EEXIST, "there is such an object", key)
            self.objects[key] = bytes(data), time.time_ns()

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self._request("get", key)
        data = self._found(key)[0]
        return data[start:] if size is None else data[start : start + size]

    def changed_ns(self, key: str) -> int:
        self._request("head", key)
        return self._found(key)[1]

    def _found(self, key: str) -> tuple[bytes, int]:
        with self._mutex:
            if key not in self.objects:
                raise FileNotFoundError(errno.ENOENT, "there is no such object", key)
            return self.objects[key]

    def list(self, prefix: str, after: str = "") -> Iterator[BucketEntry]:
        with self._mutex:
            found = [
                BucketEntry(key, len(data), changed_ns)
                for key, (data, changed_ns) in self.objects.items()
                if key.startswith(prefix) and key > after
            ]
        for _ in range(0, max(1, len(found)), PAGE):
            self._request("list", prefix)
        yield from sorted(found)

    def delete(self, keys: Iterable[str]) -> None:
        doomed = list(keys)
        for start in range(0, len(doomed), PAGE):
            self._request("delete", doomed[start])
            with self._mutex:
                for key in doomed[start : start + PAGE]:
                    self.objects.pop(key, None)
