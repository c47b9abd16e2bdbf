"""A tree of folders and files whose state is the fold of operations, as a log of commits has them.

A file is a sequence of extents: each is a range of an object in the bucket, or bytes that are not
committed yet. Files and folders have numbers, which no two writers give twice; operations name
them by these, so that an open file stays the same one whatever happens to its name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

Operation: TypeAlias = list[Any]
"""One change of names, as JSON:

    ["new", folder, name, number, is_folder, may_exist]
    ["move", folder, name, folder, name]
    ["drop", folder, name]

`may_exist`: what has the name already is used instead, if it is of the same kind.
"""
ROOT = 1
"""The number of the first folder of a tree."""


class Extent(NamedTuple):
    """A range of an object, or bytes that are in no object yet."""

    size: int
    key: str = ""
    offset: int = 0
    data: bytes = b""
    """The bytes, if there is no object with them yet."""

    def cut(self, start: int, end: int) -> Extent:
        """Return a part of it."""
        return Extent(end - start, self.key, self.offset + start, self.data[start:end])


class TreeStatus(NamedTuple):
    """The status of a file or folder in a tree."""

    st_mode: int
    st_ino: int
    st_size: int
    st_ctime_ns: int
    st_uid: int
    st_dev: int = 0


class TreeNode:
    """A file or a folder."""

    __slots__ = ("changed_ns", "extents", "folder", "inside", "kept", "name", "number", "size")

    def __init__(self, number: int, *, is_folder: bool, changed_ns: int = 0) -> None:
        self.number = number
        self.inside: dict[str, int] | None = {} if is_folder else None
        """The numbers of what a folder has, by name; None of a file."""
        self.extents: list[Extent] = []
        self.size = 0
        self.kept = 0
        """The bytes at the beginning of a file that are as the log has them."""
        self.changed_ns = changed_ns
        self.folder: int | None = None
        """The folder that has it; None once its name is gone."""
        self.name = ""

    def status(self) -> TreeStatus:
        """Return the status, readable and writable by this account only."""
        mode = stat.S_IFREG | 0o600 if self.inside is None else stat.S_IFDIR | 0o700
        return TreeStatus(mode, self.number, self.size, self.changed_ns, os.geteuid())

    def append(self, extent: Extent) -> None:
        """Add bytes at the end of a file."""
        last = self.extents[-1] if self.extents else None
        if last and last.data and extent.data and last.size + extent.size < JOIN_BYTES:
            self.extents[-1] = Extent(last.size + extent.size, data=last.data + extent.data)
        elif extent.size:
            self.extents.append(extent)
        self.size += extent.size

    def truncate(self, size: int) -> None:
        """Cut a file to a size that is not larger than its own."""
        self.extents = list(self.between(0, size))
        self.size = size
        self.kept = min(self.kept, size)

    def between(self, start: int, end: int) -> Iterator[Extent]:
        """Yield the extents, or parts of them, of a range of a file."""
        at = 0
        for extent in self.extents:
            first, last = max(start - at, 0), min(end - at, extent.size)
            if first < last:
                yield extent if last - first == extent.size else extent.cut(first, last)
            at += extent.size
            if at >= end:
                return


JOIN_BYTES = 1 << 16
"""Short writes are joined up to this size, and not beyond: joining copies."""


class ObjectTree:
    """The names, files and folders of a tree."""

    def __init__(self) -> None:
        self.nodes: dict[int, TreeNode] = {ROOT: TreeNode(ROOT, is_folder=True)}
        self.removed: list[tuple[TreeNode, int]] = []
        """The files that lost their names since this was cleared, each with its folder."""

    def node(self, number: int) -> TreeNode:
        """Return a file or folder. Raises FileNotFoundError if it is gone."""
        try:
            return self.nodes[number]
        except KeyError:
            raise _missing(f"file {number}") from None

    def inside(self, folder: int) -> dict[str, int]:
        """Return the names in a folder. Raises FileNotFoundError, NotADirectoryError."""
        node = self.node(folder)
        if node.inside is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), node.name)
        if node.folder is None and folder != ROOT:
            raise _missing(node.name)
        return node.inside

    def find(self, folder: int, name: str) -> TreeNode:
        """Return what has a name in a folder. Raises FileNotFoundError."""
        try:
            return self.nodes[self.inside(folder)[name]]
        except KeyError:
            raise _missing(name) from None

    def apply(self, operation: Operation, changed_ns: int = 0) -> int:
        """Carry out an operation; return the number of what it is about.

        Raises what the operating system raises.
        """
        verb, *rest = operation
        if verb == "new":
            return self._create(*rest, changed_ns=changed_ns)
        if verb == "move":
            return self._move(*rest, changed_ns=changed_ns)
        return self._drop(*rest)

    def _create(
        self,
        folder: int,
        name: str,
        number: int,
        is_folder: bool,
        may_exist: bool,
        *,
        changed_ns: int,
    ) -> int:
        inside = self.inside(folder)
        if (other := inside.get(name)) is not None:
            if may_exist and (self.nodes[other].inside is not None) == bool(is_folder):
                return other
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        node = self.nodes[number] = TreeNode(
            number, is_folder=bool(is_folder), changed_ns=changed_ns
        )
        inside[name], node.folder, node.name = number, folder, name
        return number

    def _move(self, folder: int, name: str, target: int, new: str, *, changed_ns: int) -> int:
        node, inside = self.find(folder, name), self.inside(target)
        other = inside.get(new)
        if other == node.number:
            return other
        if other is not None:
            if node.inside is not None or self.nodes[other].inside is not None:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), new)
            self._forget(self.nodes[other])
        del self.inside(folder)[name]
        inside[new] = node.number
        node.folder, node.name, node.changed_ns = target, new, changed_ns
        return node.number

    def _drop(self, folder: int, name: str) -> int:
        node = self.find(folder, name)
        if node.inside:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name)
        del self.inside(folder)[name]
        self._forget(node)
        return node.number

    def _forget(self, node: TreeNode) -> None:
        if node.folder is not None and node.inside is None:
            self.removed.append((node, node.folder))
        node.folder = None
        del self.nodes[node.number]


def _missing(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
