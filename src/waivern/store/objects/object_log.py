"""A tree kept as a log of commits in a bucket, one object each, created only if there is none.

What is written gathers in memory; a commit puts all of it as the next object of the log. If there
is one already, another writer was quicker: its commit is folded first, and the operations of this
one are carried out again on the result. A commit may claim an epoch; the holder of an earlier one
that meets it is fenced, and never commits again.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store.objects import commit_form
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.handle_locks import HandleLocks
from waivern.store.objects.object_cache import RangeCache
from waivern.store.objects.object_tree import Extent, ObjectTree, Operation, TreeNode

INLINE_BYTES = 1 << 16
"""More new bytes of one file go to an object of their own, before the commit that names it."""
BLOB_BYTES = 8 << 20
"""The bytes of a file that are held in memory while it is written."""
AHEAD_BYTES = 1 << 18
"""What is read of a commit at least: its other files are often read next."""
SETTLE_S = 1.0
"""How long a holder believes that no other writer has committed."""
DIGITS = 12


class FencedError(OSError):
    """Another process has claimed the run: nothing more of this one gets into it."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, "another process has taken over the run")


class ObjectLog:
    """A tree, the end of its log as it is known here, and the changes that are not committed.

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
        self.tree = ObjectTree()
        self.number = 0
        """The number of the last commit that is folded."""
        self.snapshot_number = 0
        """The number of the commit after which the newest known snapshot was taken."""
        self.epoch = 0
        self.held: int | None = None
        """The epoch that this process has claimed, and not released."""
        self.gone = False
        """Whether a commit has removed the tree."""
        self.guards = 0
        """The locks under which changes must not be repeated on another state."""
        self.is_orphan = False
        """Whether another process has removed the tree, with its log."""
        self.broken: OSError | None = None
        self.lost = 0
        """How often changes were given up, because they do not fit what others have committed."""
        self.device = int.from_bytes(name.encode()[:16], "big")
        """The number of the tree among others, in the status of its files."""
        self.locks = HandleLocks()
        self.begun = True
        """Whether the tree is in the bucket; of one that is not, nothing is committed yet."""
        self._cache = cache
        self._snapshot = snapshot
        self._operations: list[Operation] = []
        self._fresh: set[int] = set()
        """The files and folders that the log does not have yet."""
        self._dirty: dict[int, int] = {}
        """The files with new bytes, each with its size in the log."""
        self._doomed: list[Extent] = []
        """The bytes to be destroyed after the next commit, which removes the files that had them."""
        self._unerased: list[Extent] = []
        """The bytes that a commit has announced to be destroyed."""
        self._alias: dict[int, int] = {}
        """The files and folders that another writer had created first, by our numbers."""
        self._handles = 0
        self._looked = 0.0
        self.process = os.getpid()

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

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._operations or self._dirty)

    def end(self) -> None:
        """Commit what is left when the last handle is closed."""
        if self.broken is None:
            self.commit()

    # changes

    def change(self, operation: Operation) -> int:
        """Carry out an operation; it is in the log after the next commit."""
        with self.mutex:
            self.check()
            number = self.tree.apply(operation, time.time_ns())
            if operation[0] == "new":
                if number != operation[3]:  # it was there
                    return number
                self._fresh.add(number)
            self._operations.append(operation)
            for node, folder in self.tree.removed:
                if self.erases(folder):
                    self._doomed += [each for each in node.extents if each.key]
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
            self._touch(node)
            node.append(Extent(len(data), data=bytes(data)))
        if node.size - node.kept >= BLOB_BYTES and node.folder is not None:
            self.upload(node, BLOB_BYTES)

    def cut(self, node: TreeNode, size: int) -> None:
        """Cut a file to a size."""
        with self.mutex:
            self.check()
            self._touch(node)
            node.truncate(size)

    def _touch(self, node: TreeNode) -> None:
        node.changed_ns = time.time_ns()
        if node.folder is not None:  # a file without a name is of no interest any more
            self._dirty.setdefault(node.number, node.kept)

    def is_committed(self, node: TreeNode) -> bool:
        """Return whether the log has a file of this number."""
        return node.number not in self._fresh

    def upload(self, node: TreeNode, at_least: int = INLINE_BYTES) -> None:
        """Put the new bytes of a file into an object of their own, if they are many."""
        with self.mutex:
            loose = [each for each in node.extents if each.data]
            first = len(node.extents) - len(loose)
            size = sum(each.size for each in loose)
            if size < at_least:
                return
        key = self.put_blob(b"".join(each.data for each in loose))  # others write meanwhile
        with self.mutex:
            if node.extents[first : first + len(loose)] == loose:
                node.extents[first : first + len(loose)] = [Extent(size, key)]

    def put_blob(self, data: bytes) -> str:
        """Put bytes under a name that cannot be guessed; return it."""
        kind = f"e{self.held:06d}" if self.held else "s"
        key = f"blobs/{self.name}/{kind}-{secrets.token_hex(12)}"
        self.bucket.put(key, data)
        return key

    # commits

    def commit(self, **more: Json) -> None:
        """Make all changes durable, in one object. Raises OSError, FencedError."""
        with self.mutex:
            self.check()
            if not self.begun or not (self.has_changes or more):
                return
            for number in self._dirty:
                if (node := self.tree.nodes.get(number)) is not None:
                    self.upload(node)
            self._put(more)
            self.erase()

    def _put(self, more: dict[str, Json]) -> None:
        nonce = secrets.token_hex(12)
        while True:
            data, start = self._encoded(nonce, more)
            key = self._key(self.number + 1)
            try:
                created = self._created(key, data, nonce)
            except OSError as error:  # it may be in the log or not: nothing can follow it
                self.broken = error
                raise
            if created:
                break
            self._rebase()
            if "claim" in more and self.epoch >= int(str(more["epoch"])):
                raise FencedError
        self._settle(key, data, start)
        if "claim" in more:
            self.epoch = int(str(more["epoch"]))

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

    def _encoded(self, nonce: str, more: dict[str, Json]) -> tuple[bytes, int]:
        body: list[bytes] = []
        at = 0
        contents: list[Json] = []
        for number in self._dirty:
            if (node := self.tree.nodes.get(number)) is None:
                continue
            extents: list[Json] = []
            for extent in node.between(node.kept, node.size):
                extents.append([extent.size, extent.key, at if extent.data else extent.offset])
                body.append(extent.data)
                at += len(extent.data)
            contents.append([number, node.kept, extents])
        head: dict[str, Any] = {
            "number": self.number + 1,
            "nonce": nonce,
            "at_ns": time.time_ns(),
            "epoch": self.epoch,
            **more,
            "operations": self._operations,
            "contents": contents,
        }
        if self._doomed:
            head["erase"] = _document(self._doomed)
        return commit_form.encode(head, b"".join(body))

    def _settle(self, key: str, data: bytes, start: int) -> None:
        """Record that all changes are in a commit."""
        at = start
        for number in self._dirty:
            if (node := self.tree.nodes.get(number)) is not None:
                at = _placed(node, key, at)
        self._cache.add(key, start, data[start:])
        self._unerased += self._doomed
        self._clear()
        self.number += 1
        self._looked = time.monotonic()

    def _clear(self) -> None:
        self._operations, self._dirty, self._fresh, self._doomed = [], {}, set(), []

    # the commits of other writers

    def refresh(self, *, settled: bool = False) -> None:
        """Fold what other writers have committed; with `settled` only after a moment."""
        with self.mutex:
            if not self.begun or self.broken or self.process != os.getpid():
                return
            if settled and time.monotonic() - self._looked < SETTLE_S:
                return
            if self.has_changes:
                if self._exists(self.number + 1):
                    self._rebase()
            else:
                self._follow()
            self._looked = time.monotonic()

    def _exists(self, number: int) -> bool:
        try:
            return bool(self.bucket.get(self._key(number), 0, 1))
        except FileNotFoundError:
            return False

    def _follow(self) -> None:
        """Fold the commits after the last one that is known, one by one."""
        while True:
            key = self._key(self.number + 1)
            try:
                data = self.bucket.get(key)
            except FileNotFoundError:
                break
            self._fold(key, data)
        self._fence()

    def load(self) -> None:
        """Read the tree from its newest snapshot and the commits after it."""
        with self.mutex:
            self.tree, self.number, self.epoch, self.gone = ObjectTree(), 0, 0, False
            self._unerased = []
            if (found := self._snapshot()) is not None:
                self.unfold(*found)
            self.catch_up()

    def catch_up(self) -> None:
        """Fold the commits that a listing has after the last one that is known.

        Raises IntegrityError if one is missing: what follows it cannot be understood.
        """
        with self.mutex:
            for entry in self.bucket.list(f"logs/{self.name}/", self._key(self.number)):
                if entry.key != self._key(self.number + 1):
                    raise IntegrityError(
                        f"the object {self._key(self.number + 1)} is missing",
                        hint="restore it from a copy of the bucket",
                    )
                self._fold(entry.key, self.bucket.get(entry.key))
            self._looked = time.monotonic()
            self._fence()

    def _fold(self, key: str, data: bytes) -> None:
        head, start = commit_form.decode(data, key)
        try:
            self._carry_out(head, key, start)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise IntegrityError(
                f"the object {key} does not follow the one before it",
                hint="restore both from a copy of the bucket",
            ) from error
        if len(data) - start <= AHEAD_BYTES:
            self._cache.add(key, start, data[start:])

    def _carry_out(self, head: dict[str, Any], key: str, start: int) -> None:
        changed_ns = int(head["at_ns"])
        if int(head["number"]) != self.number + 1:
            raise ValueError(head["number"])
        for operation in commit_form.listed(head, key, "operations"):
            self.tree.apply(operation, changed_ns)
        for number, kept, extents in commit_form.listed(head, key, "contents"):
            node = self.tree.node(number)
            node.truncate(kept)
            for extent in extents:
                node.append(_located(extent, key, start))
            node.kept, node.changed_ns = node.size, changed_ns
        for extent in commit_form.listed(head, key, "erase"):
            self._unerased.append(_located(extent, key, start))
        self.tree.removed.clear()
        self.number += 1
        if head.get("claim"):
            self.epoch = int(head["epoch"])
        self.gone = self.gone or bool(head.get("gone"))

    def _fence(self) -> None:
        if self.held is not None and (self.epoch > self.held or self.gone):
            self.broken = FencedError()
            raise self.broken

    def look_for_end(self) -> None:
        """Look whether another writer has claimed or removed the tree. Raises FencedError."""
        with self.mutex:
            if self.number and not self._exists(1):  # no log is without it
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
        operations, dirty, before = self._operations, self._dirty, self.tree
        doomed = self._doomed
        self._clear()
        self.load()  # a fenced holder ends here
        if self.gone:
            self.lost += 1
            raise FileNotFoundError(errno.ENOENT, "it was removed meanwhile", self.name)
        if self.guards and (operations or dirty):
            self.lost += 1
            raise BlockingIOError(errno.EAGAIN, "another writer was quicker")
        try:
            for operation in operations:
                self._again(operation)
            self._doomed = doomed
            for number, size in dirty.items():
                self._written_again(before.nodes.get(number), number, size)
        except OSError as error:
            self._clear()
            self.lost += 1
            if self.held is not None:
                self.broken = error
            self.load()
            raise

    def _again(self, operation: Operation) -> None:
        verb, folder, *rest = operation
        mapped: Operation = [verb, self._alias.get(folder, folder), *rest]
        if verb == "move":
            mapped[3] = self._alias.get(mapped[3], mapped[3])
        try:
            number = self.tree.apply(mapped, time.time_ns())
        except FileNotFoundError:
            if verb == "move":
                raise
            return  # it is gone with the folder that had it
        if verb == "new" and number != mapped[3]:
            self._alias[mapped[3]] = number
            return
        if verb == "new":
            self._fresh.add(number)
        self._operations.append(mapped)

    def _written_again(self, before: TreeNode | None, number: int, size: int) -> None:
        node = self.tree.nodes.get(self._alias.get(number, number))
        if before is None or node is None:  # what was written to it is gone with it
            return
        self._dirty[node.number] = node.size
        if before.kept < size:  # it was overwritten
            node.truncate(min(before.kept, node.size))
        for extent in before.between(before.kept, before.size):
            node.append(extent)

    # reading

    def read(self, extent: Extent) -> bytes:
        """Return the bytes of an extent. Raises FileNotFoundError if its object is gone."""
        if extent.data or not extent.size:
            return extent.data
        if (data := self._cache.get(extent.key, extent.offset, extent.size)) is not None:
            return data
        size = extent.size
        if extent.key.startswith("logs/"):
            size = max(size, AHEAD_BYTES)
        data = self.bucket.get(extent.key, extent.offset, size)
        self._cache.add(extent.key, extent.offset, data)
        return data[: extent.size]

    # destruction

    def erase(self) -> None:
        """Destroy the bytes of files that a commit has removed: a log keeps them otherwise.

        After a failure the next holder does it. It may be repeated.
        """
        with self.mutex:
            by_key: dict[str, list[Extent]] = {}
            for extent in self._unerased:
                by_key.setdefault(extent.key, []).append(extent)
            for key, extents in by_key.items():
                if key.startswith("blobs/"):
                    self.bucket.delete([key])
                else:
                    self._blank(key, extents)
                self._cache.forget(key)
            self._unerased = []

    def _blank(self, key: str, extents: list[Extent]) -> None:
        """Overwrite ranges of a commit with zeros; all else of it stays, and so does its place."""
        try:
            data = bytearray(self.bucket.get(key))
        except FileNotFoundError:
            return
        before = bytes(data)
        for extent in extents:
            data[extent.offset : extent.offset + extent.size] = bytes(extent.size)
        if data != before:
            self.bucket.put(key, bytes(data))

    # snapshots

    def unfold(self, key: str, data: bytes) -> None:
        head, start = commit_form.decode(data, key)
        tree = ObjectTree()
        try:
            for number, folder, name, is_folder, changed_ns, extents in head["nodes"]:
                tree.apply(["new", folder, name, number, is_folder, False], changed_ns)
                node = tree.node(number)
                for extent in extents:
                    node.append(_located(extent, key, start))
                node.kept = node.size
            self.number, self.epoch = int(head["number"]), int(head["epoch"])
            unerased = [_located(each, key, 0) for each in commit_form.listed(head, key, "erase")]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise IntegrityError(
                f"the snapshot {key} is damaged",
                hint="delete it: the log has everything that it has",
            ) from error
        self.tree, self.snapshot_number, self._unerased = tree, self.number, unerased
        self._cache.add(key, start, data[start:])

    def image(self, hot: Callable[[TreeNode], bool]) -> bytes:
        """Return a snapshot of what is committed; it has the ends of `hot` files itself."""
        with self.mutex:
            body: list[bytes] = []
            at = 0
            nodes: list[Json] = []
            for node in self._ordered():
                extents: list[Json] = []
                for extent in self._compact(node, hot(node)):
                    extents.append([extent.size, extent.key, at if extent.data else extent.offset])
                    body.append(extent.data)
                    at += len(extent.data)
                is_folder = node.inside is not None
                nodes.append(
                    [node.number, node.folder, node.name, is_folder, node.changed_ns, extents]
                )
            head: dict[str, Any] = {"number": self.number, "epoch": self.epoch, "nodes": nodes}
            if self._unerased:
                head["erase"] = _document(self._unerased)
            return commit_form.encode(head, b"".join(body))[0]

    def _ordered(self) -> Iterator[TreeNode]:
        """Yield the files and folders, each folder before what it has."""
        waiting = [self.tree.node(1)]
        while waiting:
            for number in (waiting.pop().inside or {}).values():
                node = self.tree.nodes[number]
                yield node
                if node.inside is not None:
                    waiting.append(node)

    def _compact(self, node: TreeNode, hot: bool) -> list[Extent]:
        """Return the extents of a file for a snapshot: few, and the last ones of a hot file loose.

        What is loose stays where it is, too: a snapshot may be deleted when there is a newer one.
        """
        blobs = [each for each in node.extents if each.key.startswith("blobs/")]
        loose = node.extents[len(blobs) :]
        if node.extents[: len(blobs)] != blobs:
            blobs, loose = [], node.extents
        if not hot and len(loose) <= FEW_EXTENTS:
            return node.extents
        if not hot:  # few of them, also of a file that has grown for years
            size = sum(each.size for each in loose)
            while blobs and blobs[-1].size <= 2 * size:
                loose.insert(0, blobs.pop())
                size += loose[0].size
        data = b"".join(map(self.read, loose))
        if not hot:
            node.extents = [*blobs, Extent(len(data), self.put_blob(data))]
            return node.extents
        settled = 0
        if len(data) > (2 if len(loose) > MANY_EXTENTS else 8) * HOT_BYTES:
            settled = len(data) - HOT_BYTES
            blobs.append(Extent(settled, self.put_blob(data[:settled])))
            node.extents = [*blobs, *node.between(sum(e.size for e in blobs), node.size)]
        rest = data[settled:]
        return [*blobs, Extent(len(rest), data=rest)] if rest else blobs

    def _key(self, number: int) -> str:
        return f"logs/{self.name}/{number:0{DIGITS}d}"

    def check(self) -> None:
        """Raise the OSError after which nothing more is written, if there was one."""
        if self.process != os.getpid():
            raise OSError(errno.EBADF, "it belongs to the process that opened it")
        if self.broken is not None:
            raise self.broken


FEW_EXTENTS, MANY_EXTENTS = 16, 64
HOT_BYTES = 1 << 16


def _document(extents: list[Extent]) -> list[Json]:
    return [[each.size, each.key, each.offset] for each in extents]


def _located(extent: list[Any], key: str, start: int) -> Extent:
    size, other, offset = extent
    return (
        Extent(int(size), str(other), int(offset)) if other else Extent(size, key, start + offset)
    )


def _placed(node: TreeNode, key: str, at: int) -> int:
    """Give the new extents of a file their places in a commit; return the end of the last one."""
    extents: list[Extent] = []
    for extent in node.extents:
        if extent.data:
            extents.append(Extent(extent.size, key, at))
            at += extent.size
        else:
            extents.append(extent)
    node.extents, node.kept = extents, node.size
    return at
