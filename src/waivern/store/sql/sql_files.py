"""Open files of a store in a database: rows of the table `files`, with their chunks."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from waivern.store.backend import FileHandle, OpenHandle, OpenMode
from waivern.store.sql.database import Database, DatabaseLock, Transaction

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

CHUNK_BYTES = 1 << 17
"""More is written as several chunks, so that none must be held in memory to read a part of it."""
Fence: TypeAlias = "tuple[int, int] | None"
"""The number of a locked file, and the count of its holders so far."""

_ADD_CHUNK = "INSERT INTO chunks (file, at, data) VALUES (?, ?, ?)"
_GROW = "UPDATE files SET size = size + ?, changed = ? WHERE id = ? RETURNING size"
_CUT = "UPDATE files SET size = ?, changed = ? WHERE id = ?"
_DROP = "DELETE FROM chunks WHERE file = ? AND at >= ?"
_LAST = "SELECT at, data FROM chunks WHERE file = ? ORDER BY at DESC LIMIT 1"
_SHORTEN = "UPDATE chunks SET data = ? WHERE file = ? AND at = ?"
_PART = (
    "SELECT at, data FROM chunks WHERE file = ? AND at < ? AND at >= "
    "(SELECT coalesce(max(at), 0) FROM chunks WHERE file = ? AND at <= ?) ORDER BY at"
)
STATUS = "SELECT id, folder, size, changed FROM files WHERE id = ?"


class SqlStatus(NamedTuple):
    """The status of a file or folder in a database."""

    st_mode: int
    st_ino: int
    st_size: int
    st_ctime_ns: int
    st_uid: int
    st_dev: int


def status(database: Database, row: Sequence[int]) -> SqlStatus:
    """Return the status that a row of the table describes."""
    number, folder, size, changed = row
    mode = stat.S_IFDIR | 0o700 if folder else stat.S_IFREG | 0o600
    return SqlStatus(mode, number, size, changed, database.owner, database.device)


def system_error(code: int, name: str) -> OSError:
    """Return the error of the system with this number."""
    return OSError(code, os.strerror(code), name)


class SqlHandle(OpenHandle):
    """The common part of an open file and an open folder."""

    __slots__ = ("_lock", "_probes", "closed", "database", "fence", "number")

    def __init__(self, database: Database, number: int, name: str, fence: Fence = None) -> None:
        self.name = name
        self.number = number
        self.database = database
        self.fence: Fence = fence
        """The lock without which this handle writes nothing."""
        self.closed = False
        self._lock: DatabaseLock | None = None
        self._probes = False
        """Whether a lock is taken only to see whether it is free."""

    def stat(self, name: str = ".") -> FileStatus:  # noqa: ARG002 - of a folder, it is used
        self.check_open()
        if not self.is_usable():
            raise system_error(errno.ENOLCK, self.name)
        found = self.database.rows(STATUS, self.number)
        return status(self.database, found[0] if found else (self.number, 0, 0, 0))

    def is_usable(self) -> bool:
        """Return whether it is open, and the lock that it has taken is still held."""
        return not self.closed and (self._lock is None or self._lock.is_held())

    def check_open(self) -> None:
        """Raise OSError if it was closed."""
        if self.closed:
            raise system_error(errno.EBADF, self.name)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Change something in one transaction, if the lock that guards it is still held."""
        self.check_open()
        with self.database.transaction() as transaction:
            transaction.check(self.fence)
            yield transaction

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        self.check_open()
        self._release()
        self._lock = self.database.lock(
            self.number, exclusive=exclusive, wait=wait, probe=self._probes
        )
        return self._lock is not None

    def fenced_by(self, lock: OpenHandle) -> None:
        assert isinstance(lock, SqlFile)
        self.fence = lock.taken

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def close(self) -> None:
        self.closed = True
        self._release()


class SqlFile(SqlHandle, FileHandle):
    """An open file of a database. It grows at its end only: nothing of a store needs more."""

    __slots__ = ("_mode", "_written", "taken")

    def __init__(
        self, database: Database, number: int, name: str, mode: OpenMode, fence: Fence = None
    ) -> None:
        super().__init__(database, number, name, fence)
        self._mode = mode
        self._probes = mode == "read"
        self._written: Transaction | None = None
        """The transaction in which it was last written by this handle."""
        self.taken: Fence = None
        """The fence of the lock that this handle has taken."""

    def lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        if not super().lock(exclusive=exclusive, wait=wait):
            return False
        if self._mode == "lock":  # from now on, a holder before writes nothing more
            with self.writing() as transaction:
                found = transaction.rows(
                    "UPDATE files SET fence = fence + 1 WHERE id = ? RETURNING fence", self.number
                )
            self.taken = (self.number, found[0][0]) if found else None
        return True

    def read(self, count: int, at: int) -> bytes:
        self.check_open()
        found = self.database.rows(_PART, self.number, at + count, self.number, at)
        if not found:
            if not self.database.rows(STATUS, self.number):
                raise FileNotFoundError(errno.ESTALE, "it was removed while it was read", self.name)
            return b""
        first = found[0][0]
        return b"".join(bytes(data) for _, data in found)[at - first : at - first + count]

    def write(self, data: bytes) -> None:
        with self.writing() as transaction:
            grown = transaction.rows(_GROW, len(data), time.time_ns(), self.number)
            if not grown:
                raise system_error(errno.ESTALE, self.name)
            put(transaction, self.number, grown[0][0] - len(data), data)
            self._written = transaction

    def truncate(self, size: int) -> None:
        with self.writing() as transaction:
            transaction.rows(_DROP, self.number, size)
            last = transaction.rows(_LAST, self.number)
            if last and last[0][0] + len(last[0][1]) > size:
                at, data = last[0]
                transaction.rows(_SHORTEN, bytes(data)[: size - at], self.number, at)
            transaction.rows(_CUT, size, time.time_ns(), self.number)
            self._written = transaction

    def wrote(self, transaction: Transaction) -> None:
        """Record that the file was written in a transaction."""
        self._written = transaction

    def sync(self) -> None:
        self.check_open()
        if self._written is None or not self._written.durable:
            self.database.sync()


def put(transaction: Transaction, number: int, at: int, data: bytes) -> None:
    """Write bytes of a file, in chunks."""
    for start in range(0, len(data), CHUNK_BYTES):
        transaction.rows(_ADD_CHUNK, number, at + start, data[start : start + CHUNK_BYTES])


def put_all(transaction: Transaction, files: Iterable[tuple[int, bytes]]) -> None:
    """Write the bytes of new files, in one statement if they are small."""
    values: list[object] = []
    for number, data in files:
        if len(data) > CHUNK_BYTES:
            put(transaction, number, 0, data)
        elif data:
            values += [number, 0, data]
    if values:
        marks = ", ".join(["(?, ?, ?)"] * (len(values) // 3))
        statement = f"INSERT INTO chunks (file, at, data) VALUES {marks}"  # noqa: S608 - only '?'
        transaction.rows(statement, *values)
