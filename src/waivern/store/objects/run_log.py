"""The log of one run: its begin, its lock, its snapshots and its end."""

from __future__ import annotations

import errno
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from waivern.ids import SYSTEM
from waivern.message import Json
from waivern.store.objects import presence, run_keys
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.log_reader import FencedError
from waivern.store.objects.log_snapshot import image
from waivern.store.objects.object_cache import RangeCache
from waivern.store.objects.object_log import ObjectLog
from waivern.store.objects.object_tree import ROOT, TreeNode
from waivern.store.objects.presence import Heartbeat, HeldPresence

SNAPSHOT_COMMITS = 64
"""After so many commits a holder takes a snapshot, so that others need not read more of them."""
REFUSED_S = 0.2
"""How long a run that was found to be held is not looked at again: each look takes requests."""
LOST_MARK_NS = 3600 * 1_000_000_000
"""The age from which on the mark of a writer that is no holder is one of a killed process."""


class RunLog(ObjectLog):
    """The tree of a run. One that is not begun is in memory only."""

    def __init__(
        self,
        bucket: Bucket,
        cache: RangeCache,
        heartbeat: Heartbeat,
        run_id: str,
        log: str | None = None,
    ) -> None:
        super().__init__(bucket, cache, log or secrets.token_hex(16), self._newest)
        self.run_id = run_id
        self.begun = log is not None
        self._heartbeat = heartbeat
        self._presence: HeldPresence | None = None
        self._mark: str | None = None
        """The key of the mark that this writer has put."""
        self._own_snapshot: str | None = None
        self._refused = -REFUSED_S
        """When the run was last found to be held."""

    def _newest(self) -> tuple[str, bytes] | None:
        for _ in range(5):  # a newer one may take its place between the two requests
            keys = run_keys.logs_of(self.bucket, self.run_id).get(self.name)
            if keys is None or not keys.snapshots:
                return None
            with suppress(FileNotFoundError):
                key = keys.snapshots[-1].key
                return key, self.bucket.get(key)
        raise OSError(errno.EIO, "its snapshots change too quickly", self.run_id)

    def advance(self, keys: run_keys.LogKeys) -> None:
        """Bring the tree up to date with what a listing shows of the log.

        Raises FileNotFoundError if a snapshot was replaced meanwhile.
        """
        with self.mutex:
            newest = keys.snapshots[-1] if keys.snapshots else None
            number = run_keys.snapshot_number(newest.key) if newest else 0
            if self.has_changes:
                try:
                    self.refresh()
                except FileNotFoundError as error:
                    raise OSError(errno.EAGAIN, "it was changed meanwhile", self.run_id) from error
                return
            if newest is not None and number > self.state.number:
                self.advance_to((newest.key, self.bucket.get(newest.key)))
            if not keys.is_quiet:
                self.catch_up()

    # the beginning

    def begin(self, run_id: str) -> None:
        """Put the run into the bucket, whole. Raises FileExistsError if the id is taken."""
        with self.mutex:
            self.run_id, self.begun = run_id, True
            try:
                self.bucket.put(trash_key(self.name), run_id.encode())  # until it has its name
                if self.held is not None:
                    self.commit(claim=True, epoch=self.held)
                else:
                    self.commit(begun=True)
                self._take_name()
                if self.held is not None:
                    self._show()
            except BaseException:
                self.broken = self.broken or OSError(errno.EIO, "the run was not begun")
                self._conceal()
                raise

    def _take_name(self) -> None:
        """Let the name of the run lead to this log: with that it is begun."""
        data = run_keys.name_bytes(self.name)
        for _ in range(2):
            try:
                self.bucket.create(run_keys.name_key(self.run_id), data)
            except FileExistsError:
                named = run_keys.name_of(self.bucket, self.run_id)
                if named == self.name:  # an earlier request of this call had succeeded
                    return
                found = run_keys.find(self.bucket, self.run_id)
                if named and (found is None or found.log != named) and self._is_over(named):
                    erase(self.bucket, self.run_id, named)  # its removal was cut off
                    continue
                raise
            return
        raise FileExistsError(errno.EEXIST, "there is such a run", self.run_id)

    def _is_over(self, log: str) -> bool:
        """Return whether a log has ended, or is gone."""
        other = RunLog(self.bucket, RangeCache(), self._heartbeat, self.run_id, log)
        other.load()
        return other.state.gone or not other.state.number

    def _conceal(self) -> None:
        """Remove what a beginning that failed has left, as far as the bucket lets it."""
        with suppress(OSError):
            if run_keys.name_of(self.bucket, self.run_id) != self.name:
                erase(self.bucket, self.run_id, self.name)

    # lock

    def claim(self) -> bool:
        """Try to take the lock of the run; return whether it was free."""
        with self.mutex:
            if self.held is not None or self.state.gone:
                return False
            if not self.begun:
                self.held = self.bytes.epoch = 1
                return True
            if time.monotonic() - self._refused < REFUSED_S:
                return False
            if presence.is_held(self, may_write=True):
                self._refused = time.monotonic()
                return False
            self.load()
            epoch = self.state.epoch + 1
            try:
                self.commit(claim=True, epoch=epoch)
            except FencedError:  # another process was quicker
                return False
            self.held = self.bytes.epoch = epoch
            self._show()
            self._erase_earlier()
            return True

    def _erase_earlier(self) -> None:
        """Destroy what earlier holders wrote and no commit names, and what they had to destroy."""
        with suppress(OSError):  # the next holder does it
            self.erase()
            prefix = f"blobs/{self.name}/e"
            named = {extent.key for node in self.tree.nodes.values() for extent in node.extents}
            orphans = [
                entry.key
                for entry in self.bucket.list(f"blobs/{self.name}/")
                if entry.key.startswith(prefix) and entry.key not in named
            ]
            self.bucket.delete([key for key in orphans if _epoch_of(key) < self.state.epoch])

    def erases(self, folder: int) -> bool:
        return folder != (self.tree.nodes[ROOT].inside or {}).get(SYSTEM)

    def is_free(self) -> bool:
        """Return whether the run is held by no process, as far as can be seen."""
        with self.mutex:
            if self.held is not None:
                return False
        return not presence.is_held(self, may_write=False)

    def _show(self) -> None:
        self._presence = HeldPresence(self)
        with suppress(OSError):  # a courtesy
            self._presence.show()
        self._heartbeat.add(self._presence)

    def release(self) -> None:
        """Release the lock, with everything committed and a snapshot of it."""
        with self.mutex:
            if self.held is None:
                return
            try:
                if self.broken is None:
                    self.commit()
                    self._finish()
            finally:
                shown, self._presence, self.held = self._presence, None, None
                self.bytes.epoch = None
                if shown is not None:
                    self._heartbeat.remove(shown)
                    with suppress(OSError):
                        shown.end()
                if self.is_orphan:  # what was written before that was known
                    with suppress(OSError):
                        erase(self.bucket, self.run_id, self.name)

    # commits, with marks and snapshots around them

    def commit(self, **more: Json) -> None:
        with self.mutex:
            if self._mark is None and self.begun and (more or self.has_changes):
                epoch = more.get("epoch", self.held)
                key = run_keys.mark_key(self.run_id, self.name, epoch and int(str(epoch)))
                self.bucket.put(key, b"")
                self._mark = key
            super().commit(**more)
            if (
                self.held is not None
                and self.state.number - self.snapshot_number >= SNAPSHOT_COMMITS
            ):
                self._snapshot_now()

    def end(self) -> None:
        if self.held is None and self.begun and self.broken is None:
            self.commit()
            self._finish()

    def _snapshot_now(self) -> None:
        """Put a snapshot, and remove the one before that this writer has put."""
        key = run_keys.snapshot_key(self.run_id, self.name, self.state.number)
        self.bucket.put(key, image(self.state, self.bytes, _is_record(self)))
        self.snapshot_number = self.state.number
        before, self._own_snapshot = self._own_snapshot, key
        if before is not None:
            self.bucket.delete([before])

    def _finish(self) -> None:
        """Put a snapshot that has all commits, then remove the mark and what is outdated."""
        if self._mark is None or self.state.gone:
            return
        mark, self._mark = self._mark, None
        self._snapshot_now()
        logs = run_keys.logs_of(self.bucket, self.run_id)
        keys = logs.pop(self.name, run_keys.LogKeys([], []))
        if run_keys.name_of(self.bucket, self.run_id) != self.name:
            erase(self.bucket, self.run_id, self.name)  # it was removed, while this one slept
            return
        now_ns = max((each.changed_ns for each in keys.snapshots), default=0)
        for log, other in logs.items():  # of beginnings that were cut off
            if all(mark.changed_ns < now_ns - LOST_MARK_NS for mark in other.marks):
                erase(self.bucket, self.run_id, log)
        outdated = [
            each.key
            for each in keys.snapshots
            if run_keys.snapshot_number(each.key) <= self.state.number
            and each.key != self._own_snapshot
        ]
        done = [*self._dead_marks(keys, mark), trash_key(self.name), mark]
        self.bucket.delete([*outdated, *done])
        self._own_snapshot = None

    def _dead_marks(self, keys: run_keys.LogKeys, mark: str) -> list[str]:
        """Return the marks of writers that cannot commit any more: fenced, or long dead."""
        now = max((each.changed_ns for each in keys.snapshots), default=0)
        dead: list[str] = []
        for each in keys.marks:
            epoch = run_keys.mark_epoch(each.key)
            fenced = epoch is not None and epoch < self.state.epoch
            old = epoch is None and each.changed_ns < now - LOST_MARK_NS
            if (fenced or old) and each.key != mark:
                dead.append(each.key)
        return dead

    # removal

    def take_away(self) -> None:
        """End the log: from now on there is no such run, and no writer gets into it."""
        with self.mutex:
            self.bucket.put(trash_key(self.name), self.run_id.encode())
            self.commit(gone=True)
            self.state.gone = True


def trash_key(log: str) -> str:
    """Return the key of the note that a log is to be erased."""
    return f"trash/{log}"


def erase(bucket: Bucket, run_id: str, log: str) -> None:
    """Remove all objects of a log that is over; the note of it last, so that it can be repeated."""
    for prefix in (f"{run_keys.RUNS}{run_id}/{log}/", f"blobs/{log}/", f"logs/{log}/"):
        bucket.delete([each.key for each in bucket.list(prefix)])
    if run_keys.name_of(bucket, run_id) == log:
        bucket.delete([run_keys.name_key(run_id)])
    bucket.delete([f"locks/{log}", trash_key(log)])


def sweep(bucket: Bucket) -> None:
    """Erase logs whose removal was cut off, and those of runs that never got their names."""
    now_ns: int | None = None
    for entry in list(bucket.list("trash/")):
        log = entry.key.partition("/")[2]
        with suppress(OSError):
            run_id = bucket.get(entry.key).decode(errors="replace")
            other = RunLog(bucket, RangeCache(), Heartbeat(), run_id, log)
            other.load()
            if other.state.gone:
                erase(bucket, run_id, log)
            elif run_keys.name_of(bucket, run_id) == log:
                bucket.delete([entry.key])
            else:
                now_ns = now_ns or presence.now_ns(bucket)
                if entry.changed_ns < now_ns - LOST_MARK_NS:
                    erase(bucket, run_id, log)


def _epoch_of(blob: str) -> int:
    """Return the epoch of the holder that put a blob."""
    number = blob.rpartition("/")[2].partition("-")[0][1:]
    return int(number) if number.isdecimal() else 0


def _is_record(log: ObjectLog) -> Callable[[TreeNode], bool]:
    """Return the test for the records of a run: files right below `_system`, read by every list."""
    system = (log.tree.nodes[ROOT].inside or {}).get(SYSTEM)
    return lambda node: node.inside is None and node.folder == system
