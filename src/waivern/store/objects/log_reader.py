"""The reading side of a log in a bucket: the commits of all writers, folded into a tree."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

from waivern.errors import IntegrityError
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.log_bytes import AHEAD_BYTES, LogBytes
from waivern.store.objects.log_folding import FoldedLog, unfolded
from waivern.store.objects.object_cache import RangeCache

DIGITS = 12


class FencedError(OSError):
    """Another process has claimed the run: nothing more of this one gets into it."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, "another process has taken over the run")


class LogReader:
    """A log as far as it is known here; a writer of it reads it through this, too.

    `snapshot` returns the newest snapshot to start from, its key and its bytes, if there is one.
    """

    def __init__(
        self,
        bucket: Bucket,
        cache: RangeCache,
        name: str,
        snapshot: Callable[[], tuple[str, bytes] | None],
    ) -> None:
        self.bucket = bucket
        self.name = name
        self.mutex = threading.RLock()
        self.state = FoldedLog()
        """The log as far as it is folded, with the pending changes carried out on its tree."""
        self.bytes = LogBytes(bucket, cache, name)
        self.snapshot_number = 0
        """The number of the commit after which the newest known snapshot was taken."""
        self.held: int | None = None
        """The epoch that this process has claimed, and not released."""
        self.broken: OSError | None = None
        self.looked = 0.0
        """When the log was last read to its end, by the monotonic clock."""
        self._snapshot = snapshot

    def key_of(self, number: int) -> str:
        """Return the key of a commit."""
        return f"logs/{self.name}/{number:0{DIGITS}d}"

    def exists(self, number: int) -> bool:
        """Return whether there is a commit with this number."""
        try:
            return bool(self.bucket.get(self.key_of(number), 0, 1))
        except FileNotFoundError:
            return False

    def follow(self) -> None:
        """Fold the commits after the last one that is known, one by one."""
        while True:
            try:
                self._fold(self.state, self.key_of(self.state.number + 1))
            except FileNotFoundError:
                break
        self._fence()

    def load(self) -> None:
        """Read the tree from its newest snapshot and the commits after it."""
        with self.mutex:
            self._follow_listing(self._unfolded(self._snapshot()))

    def advance_to(self, snapshot: tuple[str, bytes]) -> None:
        """Go on from a snapshot that is newer than what is known."""
        with self.mutex:
            self.state = self._unfolded(snapshot)
            self.looked = time.monotonic()
            self._fence()

    def catch_up(self) -> None:
        """Fold the commits that a listing has after the last one that is known."""
        with self.mutex:
            self._follow_listing(self.state)

    def _unfolded(self, snapshot: tuple[str, bytes] | None) -> FoldedLog:
        if snapshot is None:
            return FoldedLog()
        key, data = snapshot
        state, start = unfolded(key, data)
        self.bytes.note(key, start, data)
        self.snapshot_number = state.number
        return state

    def _follow_listing(self, state: FoldedLog) -> None:
        """Fold the commits that a listing has.

        Raises IntegrityError if one is missing: what follows it cannot be understood.
        """
        for entry in self.bucket.list(f"logs/{self.name}/", self.key_of(state.number)):
            if entry.key != (key := self.key_of(state.number + 1)):
                raise IntegrityError(
                    f"the object {key} is missing", hint="restore it from a copy of the bucket"
                )
            self._fold(state, key)
        self.state = state
        self.looked = time.monotonic()
        self._fence()

    def _fold(self, state: FoldedLog, key: str) -> None:
        data = self.bucket.get(key)
        start = state.fold(key, data)
        if len(data) - start <= AHEAD_BYTES:
            self.bytes.note(key, start, data)

    def _fence(self) -> None:
        if self.held is not None and (self.state.epoch > self.held or self.state.gone):
            self.broken = FencedError()
            raise self.broken
