"""The connections of a process to a SQLite database, and its errors as those of a system.

A forked child must not inherit an open connection: SQLite keeps, for each process, what it has
locked, and the child would believe that it holds what its parent holds. So all connections are
closed before a fork; each process opens its own.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote
from weakref import WeakSet, finalize

from waivern.errors import IntegrityError, RefusedError
from waivern.store.sql import database

OLDEST = (3, 35, 0)
"""The version of SQLite from which on it knows RETURNING."""
LOG_BYTES = 64 << 20
"""The size to which the log shrinks when it is begun anew."""
SHARED_BYTES = 1 << 15
"""The size by which the `-shm` file beside a database grows."""
_PAUSE_S = 0.2


class SqliteConnection:
    """A connection, and whether what it commits is synced."""

    __slots__ = ("durable", "raw")

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.durable = False

    def let_be_durable(self, durable: bool) -> None:
        """Let the next transaction be synced at its end, or not."""
        if self.durable is not durable:
            self.raw.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.durable = durable


class SqlitePool:
    """The connections of this process to one database: one that writes at a time, any that read.

    `file` is the inode of the database.
    """

    def __init__(self, path: str, file: int) -> None:
        self._path = path
        self._file = file
        self._idle: list[SqliteConnection] = []
        self._reset()
        _pools.add(self)
        # also at the end of the process: the last one that closes empties the log into the file
        finalize(self, _close_all, self._idle)

    def _reset(self) -> None:
        self._gate = threading.Condition(threading.Lock())
        self._writer = threading.Lock()
        self._syncing = threading.Lock()
        self._syncs = 0
        """The number of syncs that have begun."""
        self._in_use = 0
        self._forking = False

    @contextmanager
    def connection(self) -> Iterator[SqliteConnection]:
        """Lend a connection for one statement that reads."""
        connection = self.take()
        usable = False
        try:
            yield connection
            usable = True
        finally:
            self.give_back(connection, usable=usable)

    def take(self, *, writing: bool = False) -> SqliteConnection:
        """Lend a connection; one that writes when no other thread of this process does."""
        if writing:  # waiting here is quicker than in SQLite, which polls
            self._writer.acquire()
        try:
            self._check()
            with self._gate:
                self._gate.wait_for(lambda: not self._forking)
                self._in_use += 1
                if self._idle:
                    return self._idle.pop()
            try:
                with explained(self._path):
                    return _connect(self._path)
            except BaseException:
                with self._gate:
                    self._in_use -= 1
                    self._gate.notify_all()
                raise
        except BaseException:
            if writing:
                self._writer.release()
            raise

    def _check(self) -> None:
        """Raise IntegrityError if the file was moved: SQLite would find another's log by name."""
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise IntegrityError(f"{self._path} is gone ({error.strerror})") from error
        if found.st_ino != self._file:
            raise IntegrityError(f"another file has taken the place of {self._path}")

    def give_back(
        self, connection: SqliteConnection, *, writing: bool = False, usable: bool = True
    ) -> None:
        """Take a connection back; one that is not usable any more is closed."""
        if not usable:
            with suppress(sqlite3.Error):
                connection.raw.close()
        with self._gate:
            self._in_use -= 1
            if usable:
                self._idle.append(connection)
            self._gate.notify_all()
        if writing:
            self._writer.release()

    @contextmanager
    def one_sync(self) -> Iterator[bool]:
        """Let threads that sync at the same time do it once; yield whether this one has to."""
        needed = self._syncs + 1  # one that begins from now on will do
        with self._syncing:
            if self._syncs >= needed:
                yield False
            else:
                self._syncs += 1
                yield True

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._gate:
            _close_all(self._idle)

    # a fork

    def before_fork(self) -> None:
        """Wait until no statement is being executed, and close all connections."""
        self._gate.acquire()
        self._forking = True
        self._gate.wait_for(lambda: not self._in_use, database.PATIENCE_S)
        _close_all(self._idle)

    def after_fork(self) -> None:
        """Let the parent go on."""
        self._forking = False
        self._gate.notify_all()
        self._gate.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: no thread of the parent is there to release what it holds."""
        self._reset()


def _close_all(connections: list[SqliteConnection]) -> None:
    while connections:
        with suppress(sqlite3.Error):
            connections.pop().raw.close()


_pools: WeakSet[SqlitePool] = WeakSet()
_forking: list[SqlitePool] = []


def _before_fork() -> None:
    _forking[:] = list(_pools)
    for pool in _forking:
        pool.before_fork()


def _after_fork() -> None:
    for pool in _forking:
        pool.after_fork()
    _forking.clear()


def _after_fork_in_child() -> None:
    for pool in _forking:
        pool.after_fork_in_child()
    _forking.clear()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)


def _connect(path: str) -> SqliteConnection:
    if sqlite3.sqlite_version_info < OLDEST:
        raise RefusedError(
            f"SQLite {sqlite3.sqlite_version} is too old for a store: 3.35 is needed",
            hint="use a newer Python, or a store in a folder",
        )
    database.step("look", path)
    uri = f"file:{quote(path)}?{_access(path)}"
    raw = sqlite3.connect(
        uri, uri=True, timeout=_PAUSE_S, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in (
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "secure_delete = ON",  # what is redacted or removed must not stay in free pages
            "trusted_schema = OFF",  # the file may have been received
            "cell_size_check = ON",
            f"journal_size_limit = {LOG_BYTES}",
            *(("fullfsync = ON", "checkpoint_fullfsync = ON") if sys.platform == "darwin" else ()),
        ):
            raw.execute(f"PRAGMA {pragma}")
        patiently(lambda: raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall())
    except BaseException:
        raw.close()
        raise
    return SqliteConnection(raw)


def _access(path: str) -> str:
    """Return how a database is opened: to be written, or, without the right to, only to be read."""
    if os.access(path, os.W_OK):
        return "mode=rw"
    if os.access(os.path.dirname(path), os.W_OK) or os.path.exists(f"{path}-wal"):
        return "mode=ro"
    return "mode=ro&immutable=1"  # no process writes to it: none could write beside it


def begin(raw: sqlite3.Connection) -> None:
    """Begin a transaction that writes; wait while another process is in one."""
    patiently(lambda: raw.execute("BEGIN IMMEDIATE"))


def patiently(execute: Callable[[], object]) -> None:
    """Execute a statement; try again while another process has the database locked."""
    deadline = time.monotonic() + database.PATIENCE_S
    while True:
        try:
            execute()
        except sqlite3.OperationalError as error:
            busy = (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
        else:
            return


_CODES = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn an error of SQLite into the error of a system that it amounts to."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except UnicodeEncodeError as error:  # a name that is not Unicode
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ), path) from error


def _explained(path: str, error: sqlite3.Error) -> Exception:
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if code in _DAMAGED:
        return IntegrityError(
            f"the database {path} is damaged: {error}",
            hint="restore it from a copy, or recover it: sqlite3 OLD .recover | sqlite3 NEW",
        )
    if code == sqlite3.SQLITE_CONSTRAINT:  # its file or folder was removed meanwhile
        return OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR) and not os.path.exists(path):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    found = errno.ENOSPC if _is_full(code, path) else _CODES.get(code, errno.EIO)
    return OSError(found, f"{os.strerror(found)} (SQLite: {error})", path)


def _is_full(code: int, path: str) -> bool:
    """Return whether there was no room for the file that all processes share beside a database.

    SQLite reports that as an error of the device.
    """
    if code != sqlite3.SQLITE_IOERR:
        return False
    try:
        found = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < SHARED_BYTES
