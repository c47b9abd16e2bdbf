"""The store in a SQLite database: one file, for many processes of one machine."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from waivern.data_directory import data_directory
from waivern.errors import IntegrityError, RefusedError, UsageError
from waivern.files import absolute, high
from waivern.ids import STORE
from waivern.store.backend import FolderHandle
from waivern.store.backend_store import BackendStore
from waivern.store.disk import make_way, sync_way
from waivern.store.disk_backend import IGNORE, IGNORED
from waivern.store.layout import RUNS
from waivern.store.ownership import Owners, check_found, check_links, owners_of
from waivern.store.sql.database import ROOT
from waivern.store.sql.sql_backend import SqlBackend
from waivern.store.sql.sql_folders import SqlFolder
from waivern.store.sql.sqlite_database import SqliteDatabase
from waivern.store.store_values import AttemptAddress

PREFIX = "sqlite:///"
BESIDE = ("", "-wal", "-shm", "-journal", "-locks")
"""What belongs to a database, by the end of its name."""


class SqliteBackend(SqlBackend):
    """The database at a path. The file is looked at for each use: databases come and go."""

    def __init__(self, path: str, owners: Owners = None) -> None:
        self.path = path
        self.url = PREFIX + path
        self.title = path
        self._owners = owners
        self.database: SqliteDatabase | None = None
        self._opening = threading.Lock()

    def opened(self, *, make: bool) -> SqliteDatabase:
        """Return the database that is at the path now."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            if not make:
                raise FileNotFoundError(2, os.strerror(2), self.path) from None
            self._make_file()
            found = os.stat(self.path)
        known = self.database
        if known is None or known.device != found.st_ino:
            check_links(self.path, self._owners)
            self._check()
            known = self._agreed(known, SqliteDatabase(os.path.realpath(self.path), self._owners))
        known.prepare(make=make)
        if make and not known.ready:
            SqlFolder(known, ROOT, self.title).ensure_folder(RUNS).close()
            known.sync()
            sync_way(self.path)
            known.ready = True
        return known

    def _agreed(self, before: SqliteDatabase | None, opened: SqliteDatabase) -> SqliteDatabase:
        """Return the database for all threads: a group of operations is one of its transactions."""
        with self._opening:
            if self.database is before or self.database is None:
                self.database = opened
            return self.database

    def _make_file(self) -> None:
        folder = os.path.dirname(self.path)
        make_way(folder)
        self._check()
        if os.path.basename(folder) == STORE:
            with suppress(FileExistsError):
                _create(os.path.join(folder, IGNORE), IGNORED)
        with suppress(FileExistsError):  # another process was quicker
            _create(self.path, b"")

    def _check(self) -> None:
        """Refuse a database that an account which is not trusted could have written."""
        folder = os.path.dirname(self.path)
        check_found(os.stat(folder), folder, self._owners, self.path)
        path = os.path.realpath(self.path)
        if os.path.isdir(path):
            raise IntegrityError(f"{self.path} is a folder, not a database")
        for end in BESIDE:
            with suppress(FileNotFoundError):
                check_found(os.lstat(path + end), path + end, self._owners, self.path)

    def displaced(self, runs: FolderHandle) -> str | None:
        assert isinstance(runs, SqlFolder)
        try:
            there = os.stat(self.path)
        except PermissionError:
            return None
        except OSError as error:
            return f"{self.path} is gone ({error.strerror})"
        if there.st_ino != runs.database.device:
            return f"another file has taken the place of {self.path}"
        return None

    def close(self) -> None:
        """Close the connections that are not in use."""
        if self.database is not None:
            self.database.close()


def _create(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = high(os.open(path, flags, 0o600))
    try:
        os.fchmod(descriptor, 0o600)  # the umask may have taken bits away
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SqliteStore(BackendStore):
    """A store in a SQLite database. `path` is created, readable by its owner only, when needed.

    A relative path starts from the data directory of `working_folder`: the folder of the nearest
    `waivern.yaml` upward, else that of the nearest `.waivern`, else `working_folder` itself.
    `trust` is that of a LocalFilesystemStore.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        trust: bool = False,
        working_folder: str | os.PathLike[str] = ".",
    ) -> None:
        folder = os.path.abspath(working_folder)
        text = os.fspath(path)
        if not os.path.isabs(text) and not text.startswith("~"):
            text = os.path.join(data_directory(folder), text)
        self.path = os.path.normpath(absolute(text))
        backend = SqliteBackend(self.path, owners_of(self.path, folder, trust=trust))
        super().__init__(backend)
        self._close = backend.close
        self._trust = trust
        self._working_folder = folder

    def attempt(self, run_id: str) -> AttemptAddress | None:
        lease = self._leases.get(run_id)
        if lease is None:
            return None
        staged = lease.staging.name
        return AttemptAddress(self.url, self._trust, self._working_folder, run_id, staged)

    async def aclose(self) -> None:
        """Close the connections to the database."""
        self._close()


def open_sqlite(url: str, *, trust: bool, working_folder: str) -> SqliteStore:
    """Open the store at a `sqlite:` URL."""
    path = url.removeprefix(PREFIX)
    if path == url or not path or "?" in path:
        raise UsageError(
            f"{url[:80]!r} does not name a SQLite store",
            hint="write sqlite:///runs.db for a file in the data directory, the folder of "
            "waivern.yaml or .waivern, or sqlite:////srv/runs.db for an absolute path",
        )
    if os.path.isdir(path):
        raise RefusedError(f"{path} is a folder, not a database", hint="name a file")
    return SqliteStore(path, trust=trust, working_folder=working_folder)
