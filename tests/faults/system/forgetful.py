"""A file system that forgets, on power loss, what was not synced.

    python forgetful.py MOUNT_POINT KEPT CUT SEED

Begins with what lies in the folder KEPT. Before change number CUT (0: never) the power fails: one
of the states that powerloss.py says may be left is laid out in KEPT in its place, and the process
is gone, its mount with it. When it is unmounted, all it holds goes to KEPT.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import mfusepy  # type: ignore[import-untyped, import-not-found, unused-ignore]
from powerloss import LINK, Dir, Disk, File, Node, Tree
from powerloss_check import Bed


class Forgetful(mfusepy.Operations):  # type: ignore[misc]
    """The operations of the kernel, on a Disk."""

    use_ns = True

    def __init__(self, kept: Path, cut: int, seed: int) -> None:
        self._kept = kept
        self._cut = cut
        self._chance = random.Random(seed)
        self._count = 0
        self.disk = Disk(kept)
        self._numbers = {node: number for number, node in self.disk.nodes.items()}
        self._fresh = itertools.count(max(self._numbers.values()) + 1)
        self._open: dict[int, File] = {}
        self._handles = itertools.count(1)

    # what changes the disk

    def _follow(self, word: str, *rest: Any) -> None:
        self._count += 1
        if self._count == self._cut:
            states = [state.tree for state in self.disk.states()]
            self.keep(self._chance.choice(states))
            os._exit(0)
        self.disk.follow((word, *rest))

    def keep(self, tree: Tree) -> None:
        shutil.rmtree(self._kept)
        Bed(self._kept).lay(tree)

    def _make(self, word: str, path: str, *more: str) -> None:
        folder, name = self._place(path)
        number = next(self._fresh)
        self._follow(word, folder, name, number, *more)
        self._numbers[self._at(path)] = number

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._make("create", path)
        return self.open(path, 0)

    def mkdir(self, path: str, mode: int) -> int:
        self._make("mkdir", path)
        return 0

    def symlink(self, target: str, source: str) -> int:
        self._make("symlink", target, source)
        return 0

    def rename(self, old: str, new: str) -> int:
        self._follow("rename", *self._place(old), *self._place(new))
        return 0

    def unlink(self, path: str) -> int:
        self._at(path)
        self._follow("unlink", *self._place(path))
        return 0

    def rmdir(self, path: str) -> int:
        if self.disk.inside(self._at(path)):
            raise mfusepy.FuseOSError(errno.ENOTEMPTY)
        return self.unlink(path)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._follow("write", self._numbers[self._open[fh]], offset, bytes(data))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        node = self._open[fh] if fh else self._at(path)
        self._follow("truncate", self._numbers[node], length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._follow("sync", self._numbers[self._open[fh]])
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._follow("sync", self._numbers[self._at(path)])
        return 0

    # what only looks

    def _at(self, path: str) -> Node:
        node: Node = self.disk.root
        for name in path.strip("/").split("/"):
            inside = self.disk.inside(node) if isinstance(node, Dir) else {}
            if name and name not in inside:
                raise mfusepy.FuseOSError(errno.ENOENT)
            node = inside[name] if name else node
        return node

    def _place(self, path: str) -> tuple[int, str]:
        folder, _, name = path.rpartition("/")
        return self._numbers[self._at(folder)], name

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        return self._attributes(self._open[fh] if fh in self._open else self._at(path))

    def _attributes(self, node: Node) -> dict[str, Any]:
        held = {"st_ino": self._numbers[node], "st_uid": os.getuid(), "st_gid": os.getgid()}
        if isinstance(node, Dir):
            return held | {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        kind = stat.S_IFLNK if node.link else stat.S_IFREG
        size = len(node.now) - (len(LINK) if node.link else 0)
        return held | {"st_mode": kind | 0o600, "st_nlink": 1, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, Any], int]]:
        folder = self._at(path)
        named = {".": folder, "..": folder} | self.disk.inside(folder)
        return [(name, self._attributes(node), 0) for name, node in named.items()]

    def readlink(self, path: str) -> str:
        node = self._at(path)
        assert isinstance(node, File)
        return node.now.removeprefix(LINK).decode()

    def open(self, path: str, flags: int) -> int:
        node = self._at(path)
        assert isinstance(node, File)
        handle = next(self._handles)
        self._open[handle] = node
        return handle

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return self._open[fh].now[offset : offset + size]

    def release(self, path: str, fh: int) -> int:
        del self._open[fh]
        return 0

    def chmod(self, path: str, mode: int) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 20, "f_bfree": 1 << 20}


def main() -> None:
    mount_point, kept, cut, seed = sys.argv[1:]
    files = Forgetful(Path(kept), int(cut), int(seed))
    mfusepy.FUSE(
        files,
        mount_point,
        foreground=True,
        nothreads=True,
        use_ino=True,
        hard_remove=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )
    files.keep(files.disk.tree())


if __name__ == "__main__":
    main()
