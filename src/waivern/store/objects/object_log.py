"""A tree kept as a log of commits in a bucket, one object each, created only if there is none.

What is written gathers in memory; a commit puts all of it as the next object of the log. If there
is one already, another writer was quicker: its commit is folded first, and the changes of this one
are carried out again on the result. A commit may claim an epoch; the holder of an earlier one that
meets it is fenced, and never commits again.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable

from waivern.message import Json
from waivern.store.objects import commit_form
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.handle_locks import HandleLocks
from waivern.store.objects.log_reader import FencedError, LogReader
from waivern.store.objects.object_cache import RangeCache
from waivern.store.objects.object_tree import Extent, ObjectTree, Operation, TreeNode
from waivern.store.objects.pending_changes import PendingChanges

INLINE_BYTES = 1 << 16
"""More new bytes of one file go to an object of their own, before the commit that names it."""
BLOB_BYTES = 8 << 20
"""The bytes of a file that are held in memory while it is written."""
SETTLE_S = 1.0
"""How long a holder believes that no other writer has committed."""


class ObjectLog(LogReader):
    """A tree, the end of its log as it is known here, and the changes that are not committed."""

    def __init__(
        self,
        bucket: Bucket,
        cache: RangeCache,
        name: str,
        snapshot: Callable[[], tuple[str, bytes] | None],
    ) -> None:
        super().__init__(bucket, cache, name, snapshot)
        self.locks = HandleLocks()
        self.process = os.getpid()
        self.device = int.from_bytes(name.encode()[:16], "big")
        """The number of the tree among others, in the status of its files."""
        self.begun = True
        """Whether the tree is in the bucket; of one that is not, nothing is committed yet."""
        self.is_orphan = False
        """Whether another process has removed the tree, with its log."""
        self.guards = 0
        """The locks under which changes must not be repeated on another state."""
        self.lost = 0
        """How often changes were given up, because they do not fit what others have committed."""
        self._changes = PendingChanges()
        self._alias: dict[int, int] = {}
        """The files and folders that another writer had created first, by our numbers."""
        self._handles = 0
        self._committed = 0.0

    @property
    def tree(self) -> ObjectTree:
        """The files and folders as they are now."""
        return self.state.tree

    def check(self) -> None:
        """Raise the OSError after which nothing more is written, if there was one."""
        if self.process != os.getpid():
            raise OSError(errno.EBADF, "it belongs to the process that opened it")
        if self.broken is not None:
            raise self.broken

    # handles

    def enter(self) -> None:
        """Count a handle that was opened."""
        with self.mutex:
            self._handles += 1

    def leave(self) -> None:
        """Count a handle that was closed; the last one commits what was not synced."""
        with self.mutex:
            self._handles -= 1
            if not self._handles and self.process == os.getpid():
                self.end()

    @property
    def is_open(self) -> bool:
        """Whether there are open handles."""
        return self._handles > 0

    def end(self) -> None:
        """Commit what is left when the last handle is closed."""
        if self.broken is None:
            self.commit()

    # changes

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._changes)

    def change(self, operation: Operation) -> int:
        """Carry out an operation; it is in the log after the next commit."""
        with self.mutex:
            self.check()
            number = self.tree.apply(operation, time.time_ns())
            self._changes.add(operation, number)
            for node, folder in self.tree.removed:
                if self.erases(folder):
                    self._changes.doomed += [each for each in node.extents if each.key]
            self.tree.removed.clear()
            return number

    def erases(self, folder: int) -> bool:  # noqa: ARG002
        """Return whether the bytes of a file that this folder had are to be destroyed with it."""
        return False

    def resolve(self, number: int) -> TreeNode | None:
        """Return a file or folder; None if it is gone."""
        while number in self._alias:
            number = self._alias[number]
        return self.tree.nodes.get(number)

    def extend(self, node: TreeNode, data: bytes) -> None:
        """Append bytes to a file."""
        with self.mutex:
            self.check()
            self._changes.touch(node)
            node.append(Extent(len(data), data=bytes(data)))
        if node.size - node.kept >= BLOB_BYTES and node.folder is not None:
            self.upload(node, BLOB_BYTES)

    def cut(self, node: TreeNode, size: int) -> None:
        """Cut a file to a size."""
        with self.mutex:
            self.check()
            self._changes.touch(node)
            node.truncate(size)

    def is_committed(self, node: TreeNode) -> bool:
        """Return whether the log has a file of this number."""
        return node.number not in self._changes.fresh

    def upload(self, node: TreeNode, at_least: int = INLINE_BYTES) -> None:
        """Put the new bytes of a file into an object of their own, if they are many."""
        with self.mutex:
            loose = [each for each in node.extents if each.data]
            first = len(node.extents) - len(loose)
            size = sum(each.size for each in loose)
            if size < at_least:
                return
        # other threads write meanwhile
        key = self.bytes.put_blob(b"".join(each.data for each in loose))
        with self.mutex:
            if node.extents[first : first + len(loose)] == loose:
                node.extents[first : first + len(loose)] = [Extent(size, key)]

    # commits

    def commit(self, **more: Json) -> None:
        """Make all changes durable, in one object. Raises OSError, FencedError."""
        with self.mutex:
            self.check()
            if not self.begun or not (self._changes or more):
                return
            for number in self._changes.dirty:
                if (node := self.tree.nodes.get(number)) is not None:
                    self.upload(node)
            self._put(more)
            self.erase()

    def commit_overdue(self, after_s: float) -> None:
        """Commit the changes if nothing was committed for a while."""
        with self.mutex:
            overdue = time.monotonic() - self._committed >= after_s
            if self.broken is None and self.held is not None and overdue:
                self.commit()

    def _put(self, more: dict[str, Json]) -> None:
        claimed = int(str(more["epoch"])) if "claim" in more else None
        nonce = secrets.token_hex(12)
        while True:
            head = {
                "number": self.state.number + 1,
                "nonce": nonce,
                "at_ns": time.time_ns(),
                "epoch": self.state.epoch,
                **more,
            }
            data, start = self._changes.encoded(self.tree, head)
            key = self.key_of(self.state.number + 1)
            try:
                created = self._created(key, data, nonce)
            except OSError as error:  # it may be in the log or not: nothing can follow it
                self.broken = error
                raise
            if created:
                break
            self._rebase()
            if claimed is not None and self.state.epoch >= claimed:
                raise FencedError
        self._settle(key, data, start)
        self.state.epoch = claimed or self.state.epoch

    def _created(self, key: str, data: bytes, nonce: str) -> bool:
        """Create a commit; return false if there is one of another writer."""
        for _ in range(3):
            try:
                self.bucket.create(key, data)
            except FileExistsError:
                try:
                    found = self.bucket.get(key)
                except FileNotFoundError:  # a request of another writer that failed after all
                    continue
                # equal bytes prove nothing: it is ours only if it has our nonce
                return commit_form.decode(found, key).head.get("nonce") == nonce
            return True
        raise OSError(errno.EIO, f"{key} cannot be created, and does not exist")

    def _settle(self, key: str, data: bytes, start: int) -> None:
        """Record that all changes are in a commit."""
        self._changes.settle(self.tree, key, start)
        self.bytes.note(key, start, data)
        self.state.doomed += self._changes.doomed
        self._changes = PendingChanges()
        self.state.number += 1
        self.looked = self._committed = time.monotonic()

    def erase(self) -> None:
        """Destroy what commits have announced; after a failure the next holder does it."""
        with self.mutex:
            self.bytes.erase(self.state.doomed)
            self.state.doomed = []

    # the commits of other writers

    def refresh(self, *, settled: bool = False) -> None:
        """Fold what other writers have committed; with `settled` only after a moment."""
        with self.mutex:
            if not self.begun or self.broken or self.process != os.getpid():
                return
            if settled and time.monotonic() - self.looked < SETTLE_S:
                return
            if not self._changes:
                self.follow()
            elif self.exists(self.state.number + 1):
                self._rebase()
            self.looked = time.monotonic()

    def look_for_end(self) -> None:
        """Look whether another writer has claimed or removed the tree. Raises FencedError."""
        with self.mutex:
            if self.state.number and not self.exists(1):  # no log is without it
                self.is_orphan = True
                self.broken = FencedError()
            self.check()
            self.refresh()

    def reload(self) -> None:
        """Read the tree anew, and carry out again what is not committed."""
        with self.mutex:
            self._rebase()

    def _rebase(self) -> None:
        """Carry out the changes again, on the state that other writers have left."""
        changes, before = self._changes, self.tree
        self._changes = PendingChanges()
        try:
            self.load()  # a fenced holder ends here
            if self.state.gone:
                raise FileNotFoundError(errno.ENOENT, "it was removed meanwhile", self.name)
            if self.guards and changes:
                raise BlockingIOError(errno.EAGAIN, "another writer was quicker")
            self._changes = changes.repeated(before, self.tree, self._alias)
        except OSError as error:
            self.lost += 1
            if self.held is not None or not self._recovered():
                self.broken = self.broken or error
            raise

    def _recovered(self) -> bool:
        """Read the tree without the changes that do not fit; return whether that was possible."""
        try:
            self.load()
        except OSError:
            return False
        return True
