"""Locks beside a SQLite database: kernel locks on files that exist only while they are held.

SQLite's own locks belong to transactions, and a row that says "held" outlives its process. A lock
of the kernel is released at any death. A file is removed by its last holder, under an exclusive
lock; who opened it before that finds another file, or none, under its name, and tries again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from weakref import WeakSet

from waivern.files import high
from waivern.store.ownership import Owners, check_owner
from waivern.store.sql import database
from waivern.store.sql.database import FREE, DatabaseLock

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
POLL_S = 0.002
"""The first pause before a lock is tried again; each is twice as long, up to LONGEST_S."""
LONGEST_S = 0.05


class FileLock(DatabaseLock):
    """A lock that this process holds, by an open file.

    A forked child shares the open file: it only closes it, or it would release its parent's lock.
    """

    __slots__ = ("__weakref__", "_descriptor", "_path", "_process")

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._process = os.getpid()
        _held.add(self)

    def is_held(self) -> bool:
        return self._descriptor >= 0 and _is_at(self._path, self._descriptor)

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            with suppress(OSError):
                if self._process != os.getpid():
                    return
                # the other holders of a shared lock keep the file
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(self._path, descriptor):
                    os.unlink(self._path)
        finally:
            os.close(descriptor)


_held: WeakSet[FileLock] = WeakSet()


def _after_fork() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_after_fork)


def take(
    folder: str, number: int, owners: Owners, *, exclusive: bool, wait: bool, probe: bool
) -> DatabaseLock | None:
    """Lock the file of this number in a folder of locks, which is created when it is needed."""
    path = f"{folder}/{number}"
    pause = POLL_S
    while True:
        database.step("look" if probe else "flock", path)
        descriptor = _open(folder, path, owners, create=not probe)
        if descriptor is None:  # no process holds it
            return FREE
        if _lock(descriptor, exclusive=exclusive):
            if _is_at(path, descriptor):
                return FileLock(path, descriptor)
            os.close(descriptor)
            continue
        os.close(descriptor)
        if not wait:
            return None
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_S)


def _open(folder: str, path: str, owners: Owners, *, create: bool) -> int | None:
    """Open the file of a lock; None if it is missing and not to be created."""
    while True:
        try:
            flags = _FLAGS | (os.O_CREAT if create else 0)
            descriptor = high(os.open(path, flags, FILE_MODE))
        except FileNotFoundError:
            if not create:
                return None
            with suppress(FileExistsError):
                os.mkdir(folder, FOLDER_MODE)
            check_owner(os.lstat(folder), owners, folder)
            continue
        except OSError as error:
            if error.errno == errno.EACCES and not create:  # of another account, which holds it
                return None
            raise
        try:
            check_owner(os.fstat(descriptor), owners, path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except BaseException:
        os.close(descriptor)
        raise
    return True


def _is_at(path: str, descriptor: int) -> bool:
    try:
        there, mine = os.lstat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
