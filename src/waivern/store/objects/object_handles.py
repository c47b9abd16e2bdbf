"""Open files and folders of a tree that is kept as a log of commits.

`sync` of a file that the log has, or of a folder, commits everything that was changed before, in
one object. A file that the log does not have yet is nothing that a crash could damage: `sync` only
puts its bytes into the bucket if they are many. What is not synced is committed by the next commit,
or when the last handle is closed.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from waivern.errors import IntegrityError
from waivern.store.backend import (
    FileHandle,
    FolderEntry,
    FolderHandle,
    OpenHandle,
    OpenMode,
)
from waivern.store.objects.object_log import ObjectLog
from waivern.store.objects.object_tree import TreeNode, TreeStatus

POLL_S = 0.005
NUMBER_BITS = 53
"""Numbers of files survive any reader of JSON."""


_groups = threading.local()


@contextmanager
def grouped() -> Iterator[None]:
    """Let this thread commit once, at the end, what several calls of `sync` would commit."""
    if getattr(_groups, "handles", None) is not None:
        yield
        return
    handles: dict[ObjectLog, _TreeHandle] = {}
    _groups.handles = handles
    try:
        yield
    finally:
        _groups.handles = None
    for handle in handles.values():
        handle.commit_now()


class _TreeHandle(OpenHandle):
    """The common part of an open file and an open folder."""

    __slots__ = ("_locked", "_log", "_lost", "_node")

    def __init__(self, log: ObjectLog, node: TreeNode, name: str) -> None:
        self.name = name
        self._log = log
        self._lost = log.lost
        self._node: TreeNode | None = node
        self._locked: bool | None = None
        """Whether the lock that it holds is exclusive; None if it holds none."""
        log.enter()

    @property
    def node(self) -> TreeNode:
        """The open file or folder, as it is now. Raises OSError if the handle was closed."""
        if self._node is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.name)
        self._node = self._log.resolve(self._node.number) or self._node
        return self._node

    def _status(self) -> TreeStatus:
        return self.node.status()._replace(st_dev=self._log.device)

    def _commit(self) -> None:
        if (group := getattr(_groups, "handles", None)) is not None:
            group[self._log] = self
        else:
            self.commit_now()

    def commit_now(self) -> None:
        """Commit what was changed. Raises BlockingIOError if it was given up."""
        self._log.commit()
        if self._log.lost != self._lost:
            self._lost = self._log.lost
            raise BlockingIOError(errno.EAGAIN, "another writer was quicker", self.name)

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        while not self._log.locks.take(self.node.number, self, exclusive=exclusive):
            if not wait:
                return False
            time.sleep(POLL_S)
        if exclusive and not self._locked:
            try:
                self._log.refresh()  # what is read under the lock is up to date
            except BaseException:
                self._log.locks.release(self.node.number, self)
                raise
            self._lost = self._log.lost
            self._log.guards += 1
        self._locked = exclusive
        return True

    def close(self) -> None:
        node, self._node = self._node, None
        if node is None or self._log.process != os.getpid():  # a forked child owns nothing here
            return
        try:
            if self._locked is not None:
                self._unlock(node)
        finally:
            self._log.leave()

    def _unlock(self, node: TreeNode) -> None:
        try:
            if self._locked:
                self._commit()
        finally:
            self._log.guards -= bool(self._locked)
            self._log.locks.release(node.number, self)


class TreeFile(_TreeHandle, FileHandle):
    """An open file of a tree."""

    __slots__ = ()

    def stat(self) -> TreeStatus:
        return self._status()

    def check(self) -> None:
        """Raise the OSError after which nothing more is written to the tree, if there was one."""
        self._log.check()

    def sync(self) -> None:
        node = self.node
        if self._log.is_committed(node):
            self._commit()
        else:
            self._log.upload(node)

    def read(self, count: int, at: int) -> bytes:
        for tries_left in reversed(range(3)):
            with self._log.mutex:
                extents = list(self.node.between(at, at + count))
            try:
                return b"".join(map(self._log.bytes.read, extents))
            except FileNotFoundError as error:
                if not tries_left or self.node.folder is None:
                    raise OSError(errno.EIO, "its bytes are gone", self.name) from error
                self._log.reload()  # a newer snapshot has taken the place of the one that had them
        raise AssertionError("unreachable")

    def write(self, data: bytes) -> None:
        self._log.extend(self.node, data)

    def truncate(self, size: int) -> None:
        self._log.cut(self.node, size)


class TreeFolder(_TreeHandle, FolderHandle):
    """An open folder of a tree."""

    __slots__ = ()

    def _file(self, node: TreeNode, name: str) -> FileHandle:
        return TreeFile(self._log, node, name)

    def _folder(self, node: TreeNode, name: str) -> FolderHandle:
        return type(self)(self._log, node, name)

    def sync(self) -> None:
        self.node  # noqa: B018 - it must be open
        self._commit()

    def folder(self, name: str, *, foreign: bool = False) -> FolderHandle:  # noqa: ARG002
        if name == ".":
            return self._folder(self.node, self.name)
        node = self._find(name)
        if node.inside is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return self._folder(node, f"{self.name}/{name}")

    def _find(self, name: str) -> TreeNode:
        """Return what has a name, also if another process has just created it."""
        with self._log.mutex:
            try:
                return self._log.tree.find(self.node.number, name)
            except FileNotFoundError:
                self._log.refresh()
                return self._log.tree.find(self.node.number, name)

    def make_folder(self, name: str, *, durable: bool = True) -> FolderHandle:  # noqa: ARG002
        # it is in the log before anything that will be in it
        node = self._new(name, is_folder=True, may_exist=False)
        return self._folder(node, f"{self.name}/{name}")

    def _new(self, name: str, *, is_folder: bool, may_exist: bool) -> TreeNode:
        number = secrets.randbits(NUMBER_BITS)
        with self._log.mutex:
            if not may_exist and name in self._log.tree.inside(self.node.number):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            # two writers that need the same folder at once both get it
            there = ["new", self.node.number, name, number, is_folder, is_folder or may_exist]
            return self._log.tree.nodes[self._log.change(there)]

    def entries(self) -> list[FolderEntry]:
        with self._log.mutex:
            self._log.refresh(settled=True)
            inside, nodes = self._log.tree.inside(self.node.number), self._log.tree.nodes
            kinds = {name: nodes[number].inside is not None for name, number in inside.items()}
        return [FolderEntry(name, kinds[name], not kinds[name]) for name in sorted(kinds)]

    def stat(self, name: str = ".") -> TreeStatus:
        if name == ".":
            return self._status()
        with self._log.mutex:
            node = self.node
            for part in name.split("/"):
                node = self._log.tree.find(node.number, part)
            return node.status()._replace(st_dev=self._log.device)

    def open(self, name: str, mode: OpenMode) -> FileHandle:
        if mode == "read":
            node = self._find(name)
        elif mode == "new":
            node = self._new(name, is_folder=False, may_exist=False)
        else:
            with self._log.mutex:
                inside = self._log.tree.inside(self.node.number)
                if name in inside:
                    node = self._log.tree.nodes[inside[name]]
                else:
                    node = self._new(name, is_folder=False, may_exist=True)
        if node.inside is not None:
            raise IntegrityError(f"{self.name}/{name} is not a regular file")
        return self._file(node, name)

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        target = self if to is None else to
        assert isinstance(target, TreeFolder)
        if self._log.tree.find(self.node.number, old).inside is not None:
            self._log.refresh()  # a folder is moved to be removed, with all that is in it
        self._log.change(["move", self.node.number, old, target.node.number, new])

    def unlink(self, name: str) -> None:
        with self._log.mutex:
            inside = self._log.tree.inside(self.node.number)
            if name not in inside:
                return
            if self._log.tree.nodes[inside[name]].inside is not None:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
            self._log.change(["drop", self.node.number, name])

    def rmdir(self, name: str) -> None:
        with self._log.mutex:
            if self._log.tree.find(self.node.number, name).inside is None:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
            self._log.change(["drop", self.node.number, name])
