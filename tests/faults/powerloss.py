"""A disk that may lose its power: what may be left of a recorded trace, at every point of it.

What POSIX promises is little. Of a file that was written since its last sync there may be left
what there was, nothing of the new, a part of it, blocks of zeros, or all. Of the names that were
changed since their folder's last sync, any subset ("weak"). An ordered journal, such as ext4's,
keeps the order of all names ("ordered"): any prefix. A rename is one change, never half of one.

Bounds, so that the states can be counted: what a file may hold is what `images` returns; at one
point at most one file differs from the rest, which all hold the old or all the new, and only
where all names are there, or none of the pending; with other sets of names the files hold all the
old, all the new, all zeros or all half. Of more than SUBSETS pending names all prefixes are taken,
all suffixes, all sets without one, and all sets of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from powerloss_recorder import Operation

PAGE, SECTOR = 4096, 512
SUBSETS = 5
LINK = b"-> "
"""Stands before the target of a symbolic link, which is kept as a file's bytes are."""

Tree = dict[str, bytes | None]
"""What a reader finds: path to bytes; None is a folder."""


@dataclass(eq=False)
class File:
    """A file: what is on the disk for certain, and what was written since."""

    safe: bytes = b""
    now: bytes = b""
    steps: list[bytes] = field(default_factory=list)
    """What it held after each write since the last sync."""
    link: bool = False
    _images: list[bytes] | None = None

    def change(self, data: bytes) -> None:
        self.now = data
        self.steps.append(data)
        self._images = None

    def sync(self) -> None:
        self.safe, self.steps, self._images = self.now, [], None

    @property
    def pending(self) -> bool:
        return bool(self.steps)

    def images(self) -> list[bytes]:
        """Return what it may hold after a power loss: the old first, the new last."""
        if self._images is None:
            self._images = images(self.safe, self.steps) if self.steps else [self.now]
        return self._images

    def uniform(self, kind: int) -> bytes:
        """Return the old, the new, zeros in place of the new, or half of the new."""
        if not self.steps:
            return self.now
        old, new = self.safe, self.now
        common = len(old) if new.startswith(old) else 0
        half = (common + len(new)) // 2
        return (old, new, new[:common] + bytes(len(new) - common), new[:half])[kind]


def images(safe: bytes, steps: Sequence[bytes]) -> list[bytes]:
    """Return what a file may hold that had `safe` synced, and then was changed in `steps`."""
    new = steps[-1]
    found = [safe, *steps]
    common = len(safe) if new.startswith(safe) else 0
    size = len(new) - common
    if size:
        found.append(new[:common] + bytes(size))  # the size is there, the data is not
        found += [new[: common + n] for n in (1, size // 2, size - 1) if 0 < n < size]
        blocks = _blocks(common, len(new))
        for start, end in blocks:
            found.append(new[:start] + bytes(end - start) + new[end:])  # all but one block
            found.append(new[:end])
            only = bytes(start - common) + new[start:end] + bytes(len(new) - end)
            found.append(new[:common] + only)
    if safe and not common:
        found.append(new + safe[len(new) :])  # written over, the truncation lost
        found.append(b"")
    return list(dict.fromkeys([*found, new]))


def _blocks(start: int, end: int, most: int = 12) -> list[tuple[int, int]]:
    """Cut what was written into pages, or into sectors if it is only one."""
    for size in (SECTOR, PAGE):
        cuts = [start, *range((start // size + 1) * size, end, size), end]
        if len(cuts) - 1 <= most:
            break
    pairs = list(itertools.pairwise(cuts))
    return pairs if len(pairs) <= most else [*pairs[: most // 2], *pairs[-most // 2 :]]


@dataclass(eq=False)
class Dir:
    """A folder; its names are in the namespace."""


Node = File | Dir
Names = dict[Dir, dict[str, Node]]


@dataclass(eq=False)
class Change:
    """One change of names: sets are made, then removals; durable once `folder` is synced."""

    folder: Dir
    sets: tuple[tuple[Dir, str, Node], ...]
    removals: tuple[tuple[Dir, str], ...]
    durable: bool = False

    def apply(self, names: Names) -> None:
        for folder, name in self.removals:
            names.setdefault(folder, {}).pop(name, None)
        for folder, name, node in self.sets:
            names.setdefault(folder, {})[name] = node


class State(NamedTuple):
    """Something a reader may find after a power loss."""

    tree: Tree
    key: frozenset[tuple[str, bytes | None]]


class Disk:
    """Follows a trace; `states` says what a power loss now may leave below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = Dir()
        self.nodes: dict[int, Node] = {root.stat().st_ino: self.root}
        """By inode number."""
        self._base: Names = {self.root: {}}
        self._now: Names = {self.root: {}}
        self._changes: list[Change] = []
        self._adopt(root, self.root)

    def _adopt(self, path: Path, folder: Dir) -> None:
        """Take in what is there already, as durable."""
        for child in sorted(path.iterdir()):
            node: Node
            if child.is_symlink():
                target = LINK + str(child.readlink()).encode()
                node = File(target, target, link=True)
            elif child.is_dir():
                node = Dir()
                self._adopt(child, node)
            else:
                data = child.read_bytes()
                node = File(data, data)
            self.nodes[child.lstat().st_ino] = node
            for names in (self._base, self._now):
                names.setdefault(folder, {})[child.name] = node

    # the trace

    def follow(self, operation: Operation) -> None:
        """Take in what was done next."""
        word, *rest = operation
        getattr(self, f"_{word}")(*rest)

    def _open(self) -> None:
        """Nothing changes; it is there so that an operation's number is its place in the trace."""

    def _create(self, folder: int, name: str, inode: int) -> None:
        self._set(folder, name, inode, File())

    def _mkdir(self, folder: int, name: str, inode: int) -> None:
        self._set(folder, name, inode, Dir())

    def _link(self, folder: int, name: str, inode: int) -> None:
        place = self._folder(folder)
        self._change(Change(place, ((place, name, self.nodes[inode]),), ()))

    def _symlink(self, folder: int, name: str, inode: int, target: str) -> None:
        data = LINK + target.encode()  # short enough to lie in the inode
        self._set(folder, name, inode, File(data, data, link=True))

    def _set(self, folder: int, name: str, inode: int, node: Node) -> None:
        self.nodes[inode] = node
        place = self._folder(folder)
        self._change(Change(place, ((place, name, node),), ()))

    def _rename(self, old_folder: int, old: str, new_folder: int, new: str) -> None:
        source, target = self._folder(old_folder), self._folder(new_folder)
        node = self._now[source][old]
        self._change(Change(target, ((target, new, node),), ((source, old),)))

    def _unlink(self, folder: int, name: str) -> None:
        place = self._folder(folder)
        self._change(Change(place, (), ((place, name),)))

    def _write(self, inode: int, at: int, data: bytes) -> None:
        file = self._file(inode)
        file.change(file.now[:at].ljust(at, b"\0") + data + file.now[at + len(data) :])

    def _truncate(self, inode: int, size: int) -> None:
        file = self._file(inode)
        file.change(file.now[:size].ljust(size, b"\0"))

    def _sync(self, inode: int) -> None:
        node = self.nodes.get(inode)  # None: a folder above the root
        if isinstance(node, File):
            node.sync()
            return
        for change in self._changes:
            change.durable = change.durable or change.folder is node
        while self._changes and self._changes[0].durable:
            self._changes.pop(0).apply(self._base)

    def _change(self, change: Change) -> None:
        change.apply(self._now)
        self._changes.append(change)

    def _folder(self, inode: int) -> Dir:
        node = self.nodes[inode]
        assert isinstance(node, Dir)
        return node

    def _file(self, inode: int) -> File:
        node = self.nodes[inode]
        assert isinstance(node, File)
        return node

    def inside(self, folder: Node) -> dict[str, Node]:
        """Return what a folder holds now."""
        return self._now.get(folder, {}) if isinstance(folder, Dir) else {}

    def path(self, inode: int) -> str | None:
        """Return where a file or folder is now."""
        wanted = self.nodes.get(inode)
        return next((p for p, node in _walk(self._now, self.root) if node is wanted), None)

    def tree(self) -> Tree:
        """Return what a reader finds while there is power."""
        walked = _walk(self._now, self.root)
        return {p: node.now if isinstance(node, File) else None for p, node in walked}

    # what may be left

    def states(self) -> Iterator[State]:
        """Yield what a power loss now may leave, each once."""
        seen = set()
        for names, thorough in self._namespaces():
            nodes = dict(_walk(names, self.root))
            files = {p: node for p, node in nodes.items() if isinstance(node, File)}
            fixed: Tree = dict.fromkeys(nodes.keys() - files.keys())
            fixed |= {p: file.now for p, file in files.items() if not file.pending}
            pending = {p: file for p, file in files.items() if file.pending}
            for held in _holdings(pending, thorough):
                tree = fixed | held
                key = frozenset(tree.items())
                if key not in seen:
                    seen.add(key)
                    yield State(tree, key)

    def _namespaces(self) -> Iterator[tuple[Names, bool]]:
        """Yield what names there may be, and whether to go through all that the files may hold."""
        least = sum(change.durable for change in self._changes)
        for chosen in self._choices():
            names = {folder: dict(inside) for folder, inside in self._base.items()}
            for change in chosen:
                change.apply(names)
            yield names, len(chosen) in (least, len(self._changes))

    def _choices(self) -> Iterator[list[Change]]:
        changes = self._changes
        least = max((n for n, each in enumerate(changes, 1) if each.durable), default=0)
        for n in range(least, len(changes) + 1):  # ordered: a prefix of all
            yield changes[:n]
        pending = [each for each in changes if not each.durable]
        for lost in _subsets(len(pending)):  # weak: any of those whose folder was not synced
            gone = {id(pending[n]) for n in lost}
            yield [each for each in changes if id(each) not in gone]


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    every = range(count)
    if count <= SUBSETS:
        for size in range(count + 1):
            yield from itertools.combinations(every, size)
        return
    for n in every:
        yield (n,)
        yield tuple(other for other in every if other != n)
    for n in range(count + 1):
        yield tuple(every[n:])


def _holdings(pending: dict[str, File], thorough: bool) -> Iterator[dict[str, bytes]]:
    """Yield what the files that are not synced may hold."""
    for kind in range(4):
        yield {path: file.uniform(kind) for path, file in pending.items()}
    for path, file in pending.items() if thorough else ():
        for image in file.images():
            yield {p: f.safe for p, f in pending.items()} | {path: image}
            yield {p: f.now for p, f in pending.items()} | {path: image}


def _walk(names: Names, folder: Dir, prefix: str = "") -> Iterator[tuple[str, Node]]:
    for name, node in names.get(folder, {}).items():
        yield prefix + name, node
        if isinstance(node, Dir):
            yield from _walk(names, node, f"{prefix}{name}/")
