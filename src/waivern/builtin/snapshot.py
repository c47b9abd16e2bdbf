"""A snapshot of a SQLite database at one moment; nothing is written beside the database.

Opening a database takes locks and, in WAL mode, leaves `-wal` and `-shm` files behind, even read
only. A database at rest is therefore opened as immutable, where it lies. One with a `-wal` or a
`-journal` beside it is in use, or was left by a crash: a private copy of the files is opened.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

TRIES = 20
PAUSE = 0.01
"""Seconds before the second try; each later one waits that much longer than the one before."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database to read, and the state that its file must still have afterwards."""

    uri: str
    _original: tuple[Path, _Signature] | None = None
    """None for a private copy, which no other process writes to."""
    _copy: Path | None = None
    """The folder of a private copy."""

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for reading. Raises sqlite3.Error if it is no database."""
        with closing(sqlite3.connect(self.uri, uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            if self._copy is not None:
                # Within a transaction, SQLite opens no file by name: no copy outlives the process.
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                shutil.rmtree(self._copy)
            yield connection

    def holds(self) -> bool:
        """Return, after reading, whether the content is of one moment."""
        return self._original is None or _signature(self._original[0]) == self._original[1]


def snapshots(path: Path) -> Generator[Snapshot]:
    """Yield a limited number of snapshots, until one is of one moment.

    `path` has no symlinks in it. Use each snapshot before taking the next, and close the generator:
    that deletes a private copy. Raises OSError if a file cannot be read or copied, or is none.
    """
    for attempt in range(TRIES):
        time.sleep(attempt * PAUSE)
        before = _signature(path)
        if before.beside is None:
            yield Snapshot(path.as_uri() + "?mode=ro&immutable=1", (path, before))
            continue
        with TemporaryDirectory(prefix="wct-sqlite-") as folder:
            Path(folder).chmod(0o700)  # whatever the umask is
            copy = Path(folder, "copy.db")
            # The database before its log: what a checkpoint moves meanwhile is then in both copies.
            _copy(path, copy)
            try:
                _copy(_beside(path, before.beside), _beside(copy, before.beside))
            except FileNotFoundError:
                continue  # its writer has just finished
            if before == _signature(path):
                yield Snapshot(copy.as_uri() + "?mode=rw", None, Path(folder))


def _copy(source: Path, target: Path) -> None:
    target.touch(0o600)
    target.chmod(0o600)  # whatever the umask is
    shutil.copyfile(source, target)


@dataclass(frozen=True, slots=True)
class _Signature:
    """The part of the files that changes if a copy that is being taken is not of one moment.

    With a WAL it is the header: frames are only added until a new header restarts it, and SQLite
    ignores a last, torn transaction. Otherwise it is the whole state of both files.
    """

    beside: str | None
    files: tuple[_File | None, ...]


@dataclass(frozen=True, slots=True)
class _File:
    inode: int
    head: bytes
    size_and_time: tuple[int, int] | None = None


def _signature(path: Path) -> _Signature:
    if wal := _look(_beside(path, "-wal")):
        here = _File(path.stat().st_ino, b"")
        return _Signature("-wal", (here, _File(wal.inode, wal.head[:32])))
    journal = _look(_beside(path, "-journal"))
    return _Signature("-journal" if journal else None, (_look(path), journal))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _look(path: Path) -> _File | None:
    """Return the state of a file, for comparison; None if there is no file, or an empty one.

    The first 100 bytes of a database hold a counter of its transactions: it differs even if two of
    them are closer together than the clock of the file system resolves.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if not status.st_size:
            return None
        head = os.read(descriptor, 100)
        return _File(status.st_ino, head, (status.st_size, status.st_mtime_ns))
    finally:
        os.close(descriptor)
