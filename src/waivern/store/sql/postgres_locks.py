"""Advisory locks of PostgreSQL, each held by a connection that does nothing else."""

from __future__ import annotations

import os
import threading
import time

from waivern.store.sql import database
from waivern.store.sql.database import DatabaseLock
from waivern.store.sql.postgres_connections import PostgresConnection, PostgresPool

PING_S = 0.5
"""The age from which on a connection that holds a lock is asked whether it still is one."""


class AdvisoryLock(DatabaseLock):
    """A lock of the server, held by a connection that does nothing else."""

    __slots__ = ("_connection", "_exclusive", "_key", "_mutex", "_pool", "_process", "_seen")

    def __init__(self, pool: PostgresPool, key: int, *, exclusive: bool) -> None:
        self._pool = pool
        self._key = key
        self._exclusive = exclusive
        self._connection: PostgresConnection | None = None
        self._seen = 0.0
        self._mutex = threading.Lock()
        self._process = os.getpid()

    def take(self) -> bool:
        """Try to take it; return whether it was free."""
        kind = "" if self._exclusive else "_shared"
        deadline = time.monotonic() + database.PATIENCE_S
        while True:
            connection = self._pool.take()
            try:
                ((taken,),) = connection.rows(
                    f"SELECT pg_try_advisory_lock{kind}(?::bigint)",
                    (self._key,),
                )
            except OSError:
                if not connection.is_broken or time.monotonic() > deadline:
                    self._pool.give_back(connection)
                    raise
                continue
            if taken:
                self._connection, self._seen = connection, time.monotonic()
            else:
                self._pool.give_back(connection)
            return bool(taken)

    def is_held(self) -> bool:
        """Return whether it is; after its connection broke, take it again if it is still free.

        A holder that comes in between has counted up the fence: then nothing more is written.
        """
        with self._mutex:
            if self._connection is None:
                return False
            if time.monotonic() - self._seen < PING_S:
                return True
            try:
                self._connection.rows("SELECT 1", ())
            except OSError:
                self._connection.close()
                self._connection = None
                return self.take()
            self._seen = time.monotonic()
            return True

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._process != os.getpid():
            connection.close()
            return
        try:
            kind = "" if self._exclusive else "_shared"
            connection.rows(
                f"SELECT pg_advisory_unlock{kind}(?::bigint)",
                (self._key,),
            )
        except OSError:
            connection.close()  # which releases it, too
        self._pool.give_back(connection)
