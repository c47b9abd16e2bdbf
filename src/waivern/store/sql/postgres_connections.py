"""The connections of a process to a PostgreSQL database, and its errors as those of a system.

A forked child shares the sockets of its parent. It closes them without a word to the server, which
would end its parent's sessions, and with them the locks.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet, finalize

import psycopg

from waivern.errors import IntegrityError, StoreError
from waivern.store.sql import database
from waivern.store.sql.postgres_url import PostgresPlace

if TYPE_CHECKING:
    from waivern.store.sql.database import Rows

    Raw: TypeAlias = psycopg.Connection[tuple[Any, ...]]

IDLE = 8
"""The number of connections that are kept for later."""
PAUSE_S = 0.05
"""The first pause before a server that is away is tried again; each is twice as long."""
LONGEST_S = 1.0
SESSION = (
    "SET synchronous_commit = off",  # until something has to be durable
    "SET lock_timeout = '30s'",
    # a holder that was stopped in a transaction must not keep the next one waiting for ever
    "SET idle_in_transaction_session_timeout = '60s'",
    # the server has to find out that the machine of a holder is gone
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "connect_timeout": 10,
}


class PostgresConnection:
    """A connection; statements have '?' for their values, as in SQLite."""

    __slots__ = ("__weakref__", "_cursor", "_end", "raw")

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._cursor = raw.cursor(binary=True)
        # also that of a lock that was never released
        self._end = finalize(self, _end, raw, os.getpid())
        _connections.add(self)

    def rows(self, statement: str, values: tuple[object, ...]) -> Rows:
        """Execute a statement and return its rows."""
        with explained():
            found = self._cursor.execute(_with_percents(statement), values)
            return found.fetchall() if found.description else []

    def command(self, text: str) -> None:
        """Execute statements without values and without rows, in one message."""
        with explained():
            self.raw.execute(text.encode())

    @property
    def is_broken(self) -> bool:
        """Whether it can be of no more use."""
        return bool(self.raw.closed)

    def close(self) -> None:
        """Close it; in a forked child only the socket, since the session is the parent's."""
        self._end()


def _end(raw: Raw, process: int) -> None:
    with suppress(psycopg.Error, OSError):  # it is closed already
        if process == os.getpid():
            raw.close()
        else:
            os.close(raw.fileno())


_connections: WeakSet[PostgresConnection] = WeakSet()
_pools: WeakSet[PostgresPool] = WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.reset()
    for connection in list(_connections):
        connection.close()
    _connections.clear()


os.register_at_fork(after_in_child=_after_fork)


def _with_percents(statement: str) -> str:
    found = _statements.get(statement)
    if found is None:
        found = _statements[statement] = statement.replace("?", "%s")
    return found


_statements: dict[str, str] = {}


class PostgresPool:
    """The connections of this process to one database that are not in use."""

    def __init__(self, place: PostgresPlace) -> None:
        self._place = place
        self.patient = False
        """Whether a server that is away is tried for some time: it has been there before."""
        self._idle: list[PostgresConnection] = []
        self.reset()
        _pools.add(self)
        finalize(self, _close_all, self._idle)

    def reset(self) -> None:
        """Forget all connections."""
        self._mutex = threading.Lock()
        self._idle.clear()

    def take(self) -> PostgresConnection:
        """Return a connection; while the server is away, wait for it."""
        with self._mutex:
            if self._idle:
                return self._idle.pop()
        deadline, pause = time.monotonic() + database.PATIENCE_S, PAUSE_S
        while True:
            try:
                return self._connect()
            except OSError as error:
                late = time.monotonic() > deadline or not self.patient
                if error.errno != errno.EHOSTUNREACH or late:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_S)

    def give_back(self, connection: PostgresConnection) -> None:
        """Take a connection back, if it can be used again."""
        if connection.is_broken:
            return
        with self._mutex:
            if len(self._idle) < IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._mutex:
            _close_all(self._idle)

    def _connect(self) -> PostgresConnection:
        database.step("look", self._place.url)
        password, conninfo = self._place.password(), self._place.conninfo
        more: dict[str, Any] = {"application_name": "waivern", **KEEPALIVE}
        more = {name: value for name, value in more.items() if f"{name}=" not in conninfo}
        if password is not None:
            more["password"] = password
        with explained(password):
            raw = psycopg.connect(conninfo, autocommit=True, **more)
        connection = PostgresConnection(raw)
        session = "; ".join((*SESSION, f'SET search_path = "{self._place.schema}"'))
        connection.command(session)
        return connection

    @contextmanager
    def connection(self) -> Iterator[PostgresConnection]:
        """Lend a connection."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)


def _close_all(connections: list[PostgresConnection]) -> None:
    while connections:
        connections.pop().close()


_CODES = {
    "53100": errno.ENOSPC,
    "53200": errno.ENOMEM,
    "53300": errno.EBUSY,  # too many connections
    "55P03": errno.EBUSY,
    "40001": errno.EBUSY,
    "40P01": errno.EBUSY,
    "25006": errno.EROFS,
    "42P01": errno.ENOENT,
    "3F000": errno.ENOENT,
    "58030": errno.EIO,
}
_AWAY = ("08", "57P")
_LOGIN_HINT = (
    "check user and password; a password is in PGPASSWORD, in ~/.pgpass, or in a variable that the "
    "URL names as ${VARIABLE}"
)


@contextmanager
def explained(secret: str | None = None) -> Iterator[None]:
    """Turn an error of PostgreSQL into the error of a system that it amounts to."""
    try:
        yield
    except psycopg.Error as error:
        raise _explained(error, secret) from None  # its context has the values of the statement
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ)) from error


def _explained(error: psycopg.Error, secret: str | None) -> Exception:
    code = error.sqlstate or ""
    text = error.diag.message_primary or " ".join(str(error).split())
    if secret:
        text = text.replace(secret, "***")
    if code in ("XX001", "XX002"):
        return IntegrityError(f"the database is damaged: {text}", hint="restore it from a backup")
    if code.startswith("23"):  # its file or folder was removed meanwhile
        return OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    if (
        code in ("42501", "28000", "28P01")
        or "authentication failed" in text
        or "no password" in text
    ):
        return StoreError(f"the database refuses: {text}", hint=_LOGIN_HINT)
    if code == "3D000" or ('database "' in text and "does not exist" in text):
        return StoreError(f"the database refuses: {text}", hint="create it first: `createdb`")
    if code in ("42P01", "3F000"):
        return FileNotFoundError(errno.ENOENT, text)
    away = code.startswith(_AWAY) or (not code and isinstance(error, psycopg.OperationalError))
    found = _CODES.get(code, errno.EHOSTUNREACH if away else errno.EIO)
    return OSError(found, f"{text} (PostgreSQL{f' {code}' if code else ''})")
