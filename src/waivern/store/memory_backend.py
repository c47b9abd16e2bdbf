"""The backend port over a tree of folders in memory."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from waivern.errors import IntegrityError
from waivern.store.backend import (
    Backend,
    FileHandle,
    FolderEntry,
    FolderHandle,
    OpenHandle,
    OpenMode,
)

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

POLL_S = 0.001
"""How often a handle that waits for a lock tries again."""
_numbers = itertools.count(1)


class MemoryStatus(NamedTuple):
    """The status of a file or folder in memory."""

    st_mode: int
    st_ino: int
    st_size: int
    st_ctime_ns: int
    st_uid: int
    st_dev: int = 0


class _Node:
    """A file or a folder, which lives as long as a name or a handle leads to it."""

    __slots__ = ("changed", "content", "inside", "locks", "number", "removed")

    def __init__(self, *, folder: bool) -> None:
        self.number = next(_numbers)
        self.inside: dict[str, _Node] | None = {} if folder else None
        """The content of a folder, by name; None of a file."""
        self.content = bytearray()
        self.locks: dict[int, bool] = {}
        """The handles that hold a lock, each with whether it is exclusive."""
        self.changed = time.time_ns()
        self.removed = False

    def status(self) -> MemoryStatus:
        """Return the status, readable and writable by this account only."""
        folder = self.inside is not None
        mode = stat.S_IFDIR | 0o700 if folder else stat.S_IFREG | 0o600
        return MemoryStatus(mode, self.number, len(self.content), self.changed, os.geteuid())


class _Mutex:
    """The lock of all trees: a change of names takes more than one step.

    A forked child gets a new one, for a thread that the child does not have may hold the old one.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start with a free lock."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_mutex = _Mutex()
os.register_at_fork(after_in_child=_mutex.renew)


class _MemoryHandle(OpenHandle):
    """The common part of an open file and an open folder."""

    __slots__ = ("_node", "_number")

    def __init__(self, node: _Node, name: str) -> None:
        self.name = name
        self._number = next(_numbers)
        self._node: _Node | None = node

    @property
    def node(self) -> _Node:
        """The open file or folder. Raises OSError if it was closed."""
        if self._node is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.name)
        return self._node

    def sync(self) -> None:
        self.node  # noqa: B018 - nothing to do, but it must be open

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        while not self._try_lock(exclusive):
            if not wait:
                return False
            time.sleep(POLL_S)
        return True

    def _try_lock(self, exclusive: bool) -> bool:
        with _mutex:
            others = [held for number, held in self.node.locks.items() if number != self._number]
            if any(others) or (exclusive and others):
                return False
            self.node.locks[self._number] = exclusive
            return True

    def close(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            node.locks.pop(self._number, None)


class MemoryFile(_MemoryHandle, FileHandle):
    """An open file in memory. It grows at its end only: nothing of a store needs more."""

    __slots__ = ()

    def stat(self) -> FileStatus:
        return self.node.status()

    def read(self, count: int, at: int) -> bytes:
        return bytes(self.node.content[at : at + count])

    def write(self, data: bytes) -> None:
        node = self.node
        node.content += data
        node.changed = time.time_ns()

    def truncate(self, size: int) -> None:
        node = self.node
        del node.content[size:]
        node.changed = time.time_ns()


class MemoryFolder(_MemoryHandle, FolderHandle):
    """An open folder in memory."""

    __slots__ = ()

    @property
    def inside(self) -> dict[str, _Node]:
        """The content of the open folder, by name."""
        inside = self.node.inside
        assert inside is not None
        return inside

    def folder(self, name: str, *, foreign: bool = False) -> MemoryFolder:  # noqa: ARG002
        return MemoryFolder(self._folder_node(name), f"{self.name}/{name}")

    def _folder_node(self, name: str) -> _Node:
        node = self._find(name)
        if node.inside is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return node

    def _find(self, path: str) -> _Node:
        """Return what a path below leads to. Raises FileNotFoundError, NotADirectoryError."""
        node = self.node
        for name in path.split("/"):
            if node.inside is None:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            if name == ".":
                continue
            found = node.inside.get(name)
            if found is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            node = found
        return node

    def make_folder(self, name: str, *, durable: bool = True) -> MemoryFolder:  # noqa: ARG002
        self._add(name, _Node(folder=True))
        return self.folder(name)

    def _add(self, name: str, node: _Node) -> None:
        """Give a new file or folder its name. Raises FileExistsError, FileNotFoundError."""
        with _mutex:
            if self.node.removed:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            if self.inside.setdefault(name, node) is not node:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            self.node.changed = time.time_ns()

    def entries(self) -> list[FolderEntry]:
        with _mutex:
            found = list(self.inside.items())
        return sorted(
            FolderEntry(name, node.inside is not None, node.inside is None) for name, node in found
        )

    def stat(self, name: str = ".") -> FileStatus:
        return self._find(name).status()

    def open(self, name: str, mode: OpenMode) -> MemoryFile:
        if mode == "new":
            node = _Node(folder=False)
            self._add(name, node)
            return MemoryFile(node, name)
        try:
            node = self._find(name)
        except FileNotFoundError:
            if mode == "read":
                raise
            try:
                return self.open(name, "new")
            except FileExistsError:  # another thread was quicker
                return self.open(name, mode)
        if node.inside is not None:
            raise IntegrityError(f"{self.name}/{name} is not a regular file")
        return MemoryFile(node, name)

    def rename(self, old: str, new: str, to: FolderHandle | None = None) -> None:
        target = self if to is None else to
        assert isinstance(target, MemoryFolder)
        with _mutex:
            node, replaced = self._find(old), target.inside.get(new)
            if replaced is not None and (node.inside is not None or replaced.inside is not None):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), new)
            if target.node.removed:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), new)
            target.inside[new] = node
            del self.inside[old]
            node.changed = time.time_ns()

    def unlink(self, name: str) -> None:
        with _mutex:
            node = self.inside.get(name)
            if node is not None and node.inside is not None:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
            self.inside.pop(name, None)

    def rmdir(self, name: str) -> None:
        with _mutex:
            node = self._folder_node(name)
            if node.inside:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name)
            node.removed = True
            del self.inside[name]


class MemoryBackend(Backend):
    """A place in memory, which lives as long as the object; other processes do not see it."""

    url = "memory:"
    title = "this memory store"
    blocks = False
    watch_s = 0.2

    def __init__(self) -> None:
        self._root = _Node(folder=True)

    def open(self, name: str = ".", *, make: bool = False) -> FolderHandle:
        root = MemoryFolder(self._root, self.title)
        if name == ".":
            return root
        return root.ensure_folder(name) if make else root.folder(name)
