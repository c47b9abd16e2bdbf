"""A SQLite database: its tables and its transactions.

The database is in WAL mode. A commit is not synced by itself; one with `synchronous=FULL` makes all
commits before it durable, since the log is one file that is read up to its first gap.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from waivern.errors import RefusedError
from waivern.store.ownership import Owners
from waivern.store.sql import database, sqlite_locks
from waivern.store.sql.database import VERSION, Database, DatabaseLock
from waivern.store.sql.sqlite_connections import (
    SqliteConnection,
    SqlitePool,
    begin,
    explained,
    patiently,
)

if TYPE_CHECKING:
    from waivern.store.sql.database import Rows

APPLICATION = 0x57617276
"""The application id of a database of this program: 'Waiv', as it is at byte 68 of the file."""
TABLES = (
    "CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES files, "
    "name TEXT NOT NULL, folder INTEGER NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL, "
    "fence INTEGER NOT NULL DEFAULT 0, UNIQUE (parent, name))",
    "CREATE TABLE chunks (file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE, "
    "at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (file, at))",
    "CREATE TABLE syncs (count INTEGER NOT NULL)",
    "INSERT INTO syncs VALUES (0)",
    "INSERT INTO files (id, name, folder, size, changed) VALUES (1, '', 1, 0, 0)",
    # for people: SELECT path, size FROM paths; SELECT text FROM texts WHERE path = '...'
    "CREATE VIEW paths AS WITH RECURSIVE below (id, path, folder, size, changed) AS ("
    "SELECT id, name, folder, size, changed FROM files WHERE parent = 1 UNION ALL "
    "SELECT f.id, b.path || '/' || f.name, f.folder, f.size, f.changed "
    "FROM files f JOIN below b ON f.parent = b.id) SELECT id, path, CASE folder WHEN 1 THEN "
    "'folder' ELSE 'file' END AS kind, size, datetime(changed / 1000000000, 'unixepoch') "
    "AS changed FROM below",
    "CREATE VIEW texts AS SELECT p.path, (SELECT group_concat(CAST(data AS TEXT), '') FROM "
    "(SELECT data FROM chunks WHERE file = p.id ORDER BY at)) AS text FROM paths p "
    "WHERE kind = 'file'",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


class SqliteTransaction(database.Transaction):
    """A transaction of a SQLite database."""

    def __init__(self, connection: SqliteConnection, path: str, *, durable: bool) -> None:
        super().__init__(durable=durable)
        self.connection = connection
        self._path = path

    def rows(self, statement: str, *values: object) -> Rows:
        verb = statement[:6].lower()
        database.step("look" if verb == "select" else verb, self._path)
        with explained(self._path):
            return self.connection.raw.execute(statement, values).fetchall()

    def _hold(self, number: int) -> bool:  # nothing else writes
        return bool(self.rows("SELECT 1 FROM files WHERE id = ?", number))

    def fence_of(self, number: int) -> int | None:
        found = self.rows("SELECT fence FROM files WHERE id = ?", number)
        return found[0][0] if found else None


class SqliteDatabase(Database):
    """The database in a file, for as long as the file is that one."""

    def __init__(self, path: str, owners: Owners = None) -> None:
        super().__init__()
        self.path = path
        found = os.stat(path)
        self.device, self.owner = found.st_ino, found.st_uid
        self._owners = owners
        self.ready = False
        """Whether it and its name are known to be durable, so that it can be written to."""
        self._has_tables = False
        self._pool = SqlitePool(path, found.st_ino)

    def prepare(self, *, make: bool) -> None:
        """Check that it has the tables; with `make` they are created where there are none.

        Raises FileNotFoundError without tables, RefusedError for a database that is another's.
        """
        if self._has_tables:
            return
        with self._pool.connection() as connection, explained(self.path):
            raw = connection.raw
            # one transaction: another process may be creating the tables between two statements
            raw.execute("BEGIN")
            try:
                version = _version(raw, self.path)
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
            if version is None:
                if not make:
                    raise FileNotFoundError(errno.ENOENT, "it has no tables yet", self.path)
                _create(raw, self.path)
        self._has_tables = True

    def rows(self, statement: str, *values: object) -> Rows:
        if (current := self.current) is not None:
            return current.rows(statement, *values)
        database.step("look", self.path)
        with self._pool.connection() as connection, explained(self.path):
            return connection.raw.execute(statement, values).fetchall()

    def begin(self, *, durable: bool) -> SqliteTransaction:
        connection = self._pool.take(writing=True)
        try:
            database.step("begin", self.path)
            with explained(self.path):
                connection.let_be_durable(durable)
                begin(connection.raw)
        except BaseException:
            self._pool.give_back(connection, writing=True)
            raise
        return SqliteTransaction(connection, self.path, durable=durable)

    def commit(self, transaction: database.Transaction) -> None:
        assert isinstance(transaction, SqliteTransaction)
        raw = transaction.connection.raw
        try:
            database.step("commit", self.path)
            with explained(self.path):
                raw.execute("COMMIT")
        except BaseException:
            self._end(transaction, undo=True)
            raise
        self._end(transaction)

    def roll_back(self, transaction: database.Transaction) -> None:
        assert isinstance(transaction, SqliteTransaction)
        self._end(transaction, undo=True)

    def _end(self, transaction: SqliteTransaction, *, undo: bool = False) -> None:
        connection = transaction.connection
        usable = True
        if undo:
            try:
                if connection.raw.in_transaction:  # after some errors SQLite has ended it
                    connection.raw.execute("ROLLBACK")
            except sqlite3.Error:
                usable = False
        self._pool.give_back(connection, writing=True, usable=usable)

    def _sync(self) -> None:
        with self._pool.one_sync() as needed:
            if needed:
                database.step("sync", self.path)
                with self.transaction(durable=True) as transaction:
                    transaction.rows("UPDATE syncs SET count = count + 1")

    def lock(self, number: int, *, exclusive: bool, wait: bool, probe: bool) -> DatabaseLock | None:
        return sqlite_locks.take(
            f"{self.path}-locks", number, self._owners, exclusive=exclusive, wait=wait, probe=probe
        )

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._pool.close()


def _version(raw: sqlite3.Connection, path: str) -> int | None:
    """Return the version of the tables; None if the database is empty. Raises RefusedError."""
    (application,) = raw.execute("PRAGMA application_id").fetchone()
    (version,) = raw.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION and version:
        if version > VERSION:
            raise RefusedError(
                f"the database {path} was written by a newer version of waivern (version {version} "
                f"of its tables; this one knows {VERSION})",
                hint="upgrade waivern, and use that version",
            )
        return int(version)
    if application or version or raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise RefusedError(
            f"{path} is a database of another program, not a store",
            hint="name another file with --store",
        )
    return None


def _create(raw: sqlite3.Connection, path: str) -> None:
    """Create the tables; another process may do the same."""
    database.step("begin", path)
    patiently(lambda: raw.execute("PRAGMA journal_mode = WAL"))
    raw.execute("PRAGMA synchronous = FULL")
    begin(raw)
    try:
        if _version(raw, path) is None:
            for statement in TABLES:
                database.step("create", path)
                raw.execute(statement)
        database.step("commit", path)
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise
    raw.execute("PRAGMA synchronous = NORMAL")
