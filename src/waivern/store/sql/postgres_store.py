"""The store in a PostgreSQL database: for a team, and for processes of several machines."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from waivern.store.backend import FolderHandle
from waivern.store.backend_store import BackendStore
from waivern.store.layout import RUNS
from waivern.store.sql.database import ROOT
from waivern.store.sql.postgres_url import PostgresPlace, parse, require_driver
from waivern.store.sql.sql_backend import SqlBackend
from waivern.store.sql.sql_folders import SqlFolder
from waivern.store.store_values import AttemptAddress

if TYPE_CHECKING:  # it needs an extra
    from waivern.store.sql.postgres_database import PostgresDatabase


class PostgresBackend(SqlBackend):
    """A schema of a database, which is created when it is first written to."""

    watch_s = 0.5

    def __init__(self, place: PostgresPlace) -> None:
        self.url = self.title = place.url
        self._place = place
        self.database: PostgresDatabase | None = None
        self._opening = threading.Lock()
        self._ready = False

    def opened(self, *, make: bool) -> PostgresDatabase:
        from waivern.store.sql.postgres_database import PostgresDatabase

        if self.database is None:
            with self._opening:
                if self.database is None:
                    self.database = PostgresDatabase(self._place)
        self.database.prepare(make=make)
        if make and not self._ready:
            SqlFolder(self.database, ROOT, self.title).ensure_folder(RUNS).close()
            self._ready = True
        return self.database

    def displaced(self, runs: FolderHandle) -> str | None:  # noqa: ARG002
        return None  # an open file is a row of the one database there is

    def close(self) -> None:
        """Close the connections that are not in use."""
        if self.database is not None:
            self.database.close()


class PostgresStore(BackendStore):
    """A store in a schema of a PostgreSQL database, created when it is needed.

    `url` is `postgresql://user@host/database?schema=name`, with the other parameters of libpq.
    A password in it is refused, unless it is the name of a variable: `${VARIABLE}`.
    """

    def __init__(self, url: str, *, working_folder: str | os.PathLike[str] = ".") -> None:
        require_driver()
        place = parse(url)
        backend = PostgresBackend(place)
        super().__init__(backend)
        self._close = backend.close
        self._working_folder = os.path.abspath(working_folder)

    def attempt(self, run_id: str) -> AttemptAddress | None:
        lease = self._leases.get(run_id)
        if lease is None:
            return None
        staged = lease.staging.name
        return AttemptAddress(
            self.url,
            trust=False,
            working_folder=self._working_folder,
            run_id=run_id,
            attempt=staged,
        )

    async def aclose(self) -> None:
        """Close the connections to the database."""
        self._close()


def open_postgres(url: str, *, trust: bool, working_folder: str) -> PostgresStore:  # noqa: ARG001
    """Open the store at a `postgresql:` URL."""
    return PostgresStore(url, working_folder=working_folder)
