"""The bucket port: the six operations that a store in a bucket needs.

A bucket has objects under keys. An object is put whole; `create` puts it only if there is none,
and of several writers exactly one succeeds. Everything that a store promises rests on that.

Errors are those of the operating system: FileNotFoundError, FileExistsError, and any other OSError
for a failure, after which it is not known whether the request had an effect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class BucketEntry(NamedTuple):
    """One object of a listing."""

    key: str
    size: int
    changed_ns: int
    """The time at which it was put, by the clock of the bucket."""


class Bucket(ABC):
    """A bucket, or the part of one below a prefix."""

    url: str
    """The URL that `open_store` opens to reach the same store."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Put an object, in place of an earlier one."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> None:
        """Put an object unless there is one. Raises FileExistsError.

        It may raise that for one's own object too, if an earlier request of this call had an
        effect although it failed.
        """

    @abstractmethod
    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Return an object's bytes, or `size` of them from `start`. Raises FileNotFoundError."""

    @abstractmethod
    def changed_ns(self, key: str) -> int:
        """Return when an object was put, by the clock of the bucket. Raises FileNotFoundError."""

    @abstractmethod
    def list(self, prefix: str, after: str = "") -> Iterator[BucketEntry]:
        """Yield the objects whose keys begin with `prefix`, ordered by key, those after `after`.

        `prefix` ends with '/'. A page has a thousand.
        """

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; nothing happens for a key that has none."""
