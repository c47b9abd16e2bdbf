"""Runs in a process of its own: carries a command out, and records what it does to the disk.

    python powerloss_recorder.py TRACE KILL_AT PACE FORGET wct-arguments...

`waivern.store.disk` is given an `os` that appends every change to TRACE once it has happened; the
inode numbers say which file or folder it happened to. Before operation KILL_AT (from 1; 0: never)
the process kills itself. PACE is `usual`; or `eager`, the ledger waits for no company and projects
after every commit, so that what a long run does now and then is done in a short one; or `wide`, a
few files are enough for several threads to sync them. FORGET is `nothing`, or what is never synced,
`files` or `folders`: a program with that defect.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KILL = os.kill
"""As it is before a run refuses it to components: the cache is written in a component's call."""

Operation = tuple[Any, ...]
"""A word, then what it was done to: inode numbers of folders and files, names, bytes."""


class RecordingOs:
    """The `os` module, with an ear at everything that changes a disk."""

    def __init__(self, trace: int, kill_at: int = 0, forget: str = "nothing") -> None:
        self._trace = trace
        self._forget = forget
        self._kill_at = kill_at
        self._count = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _note(self, *operation: Any) -> None:
        os.write(self._trace, pickle.dumps(operation))

    def _about_to(self) -> None:
        self._count += 1
        if self._count == self._kill_at:
            KILL(os.getpid(), signal.SIGKILL)

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_CREAT:
            return os.open(path, flags, mode, dir_fd=dir_fd)
        with self._lock:
            self._about_to()
            there = _exists(path, dir_fd)
            fd = os.open(path, flags, mode, dir_fd=dir_fd)
            if not there:
                folder, name = _place(path, dir_fd)
                self._note("create", folder, name, os.fstat(fd).st_ino)
            elif flags & os.O_TRUNC:
                self._note("truncate", os.fstat(fd).st_ino, 0)
            else:
                self._note("open")
            return fd

    def write(self, fd: int, data: bytes) -> int:
        with self._lock:
            self._about_to()
            taken = os.write(fd, data)
            at = os.lseek(fd, 0, os.SEEK_CUR) - taken
            self._note("write", os.fstat(fd).st_ino, at, bytes(data[:taken]))
            return taken

    def copy_file_range(self, source: int, fd: int, count: int, offset_src: int) -> int:
        with self._lock:
            self._about_to()
            at = os.lseek(fd, 0, os.SEEK_CUR)
            taken = os.copy_file_range(source, fd, count, offset_src)
            if taken:
                self._note("write", os.fstat(fd).st_ino, at, os.pread(source, taken, offset_src))
            return taken

    def ftruncate(self, fd: int, size: int) -> None:
        with self._lock:
            self._about_to()
            os.ftruncate(fd, size)
            self._note("truncate", os.fstat(fd).st_ino, size)

    def fsync(self, fd: int) -> None:
        with self._lock:
            self._about_to()
            if self._forget == ("folders" if stat.S_ISDIR(os.fstat(fd).st_mode) else "files"):
                return
            os.fsync(fd)
            self._note("sync", os.fstat(fd).st_ino)

    def fdatasync(self, fd: int) -> None:
        self.fsync(fd)

    def mkdir(self, path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._about_to()
            os.mkdir(path, mode, dir_fd=dir_fd)
            self._note("mkdir", *_place(path, dir_fd), _inode(path, dir_fd))

    def makedirs(self, path: str, mode: int = 0o777, *, exist_ok: bool = False) -> None:
        for each in reversed([Path(path), *Path(path).parents]):
            if not each.exists():
                self.mkdir(str(each), mode)

    def rename(
        self, old: str, new: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        with self._lock:
            self._about_to()
            os.rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._note("rename", *_place(old, src_dir_fd), *_place(new, dst_dir_fd))

    def link(self, old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        with self._lock:
            self._about_to()
            os.link(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            self._note("link", *_place(new, dst_dir_fd), _inode(new, dst_dir_fd))

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._about_to()
            os.unlink(path, dir_fd=dir_fd)
            self._note("unlink", *_place(path, dir_fd))

    def rmdir(self, path: str, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._about_to()
            os.rmdir(path, dir_fd=dir_fd)
            self._note("unlink", *_place(path, dir_fd))

    def symlink(self, target: str, path: str, *, dir_fd: int | None = None) -> None:
        with self._lock:
            self._about_to()
            os.symlink(target, path, dir_fd=dir_fd)
            self._note("symlink", *_place(path, dir_fd), _inode(path, dir_fd), target)


def _exists(path: str, dir_fd: int | None) -> bool:
    try:
        _inode(path, dir_fd)
    except FileNotFoundError:
        return False
    return True


def _inode(path: str, dir_fd: int | None) -> int:
    return os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino


def _place(path: str, dir_fd: int | None) -> tuple[int, str]:
    """Return the folder's inode and the name in it."""
    if dir_fd is None:
        return Path(path).parent.stat().st_ino, Path(path).name
    return os.fstat(dir_fd).st_ino, path


def record(trace: str, kill_at: int, forget: str, pace: str) -> None:
    """Record this process's operations from now on."""
    from waivern.engine import ledger
    from waivern.store import disk, syncers

    fd = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    setattr(disk, "os", RecordingOs(fd, kill_at, forget))  # noqa: B010
    if pace == "wide":
        ledger.GATHER_S, syncers.FEW = 0.1, 2
    if pace == "eager":
        ledger.GATHER_S = ledger.IDLE_S = ledger.PROJECT_EVERY_S = 0.0
        ledger.PROJECTION_SHARE = 0


def recorded(trace: Path) -> list[Operation]:
    """Return the operations in a trace."""
    return list(_operations(trace.read_bytes())) if trace.exists() else []


def _operations(data: bytes) -> Iterator[Operation]:
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        yield pickle.load(stream)


def main() -> None:
    from waivern.cli.main import main as wct

    trace, kill_at, pace, forget, *words = sys.argv[1:]
    record(trace, int(kill_at), forget, pace)
    sys.argv = ["wct", *words]
    sys.exit(wct())


if __name__ == "__main__":
    main()
