"""The tables of a SQLite file, read again as they were listed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from waivern.builtin.snapshot import Snapshot, snapshots
from waivern.builtin.sqlite_rows import VIRTUAL, Batch, Rows, columns_of, kind_of
from waivern.builtin.sqlite_tables import database_path, error_code, explained
from waivern.builtin.text_files import CLOCKS_DIFFER_S
from waivern.builtin.unread import CHANGED, PARTLY, Unread
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.builtin.sqlite import Sqlite


class ListedTable(BaseModel):
    """An entry of a catalogue, which may come from a foreign run."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    name: str
    row_count: NonNegativeInt
    columns: list[dict[str, str]]
    rows: NonNegativeInt
    digest: str
    blocks: list[str] = []
    seed: int | None = None

    @classmethod
    def of(cls, entry: Json) -> ListedTable:
        """Return the entry. Raises ComponentError if it is none."""
        try:
            table = cls.model_validate(entry)
        except ValueError as error:
            raise ComponentError("not an entry of a catalogue of tables") from error
        if table.blocks and table.listed.digest(table.blocks) != table.digest:
            raise ComponentError(f"not an entry of a catalogue of tables: {table.name!r:.200}")
        return table

    @property
    def listed(self) -> Rows:
        return Rows(self.name, self.row_count, self.columns, self.rows, self.seed)

    def batches(self, connection: sqlite3.Connection) -> Iterator[Batch]:
        """Yield the rows in the batches that were listed. Raises Unread at the first other one."""
        kind = kind_of(connection, self.name)
        if kind is None:
            raise Unread("vanished")
        if kind == VIRTUAL or columns_of(connection, self.name) != self.columns:
            raise Unread(CHANGED)
        rows, expected = self.listed, [*reversed(self.blocks or [self.digest])]
        for batch in rows.batches(connection, kind):
            digest = batch.digest if self.blocks else rows.digest([batch.digest])
            if digest != expected.pop() or batch.more != bool(expected):
                raise Unread(CHANGED)
            yield batch
            del batch  # before the next one is read


def read_again(config: Sqlite.Config, ctx: Context, entries: Iterable[Json]) -> Iterator[Json]:
    """Yield the tables that the entries list, in parts, as far as they are what was listed."""
    with explained(config), closing(_Database(database_path(config, ctx))) as database:
        for entry in entries:
            table = ListedTable.of(entry)
            row = 0
            try:
                for batch in database.batches(table):
                    yield table.listed.part(batch, row)
                    row += len(batch.rows)
                    del batch  # before the next one is read
            except Unread as unread:
                reason = unread.reason + PARTLY if row else unread.reason
                ctx.skipped(table.name, reason, rows=table.rows)


def touched_tables(
    config: Sqlite.Config, ctx: Context, entries: Iterable[Json], since: datetime
) -> Iterator[Json]:
    """Yield all entries if the database may have been written or replaced since a time.

    A database that is in use may be written to without a trace in the times of its files.
    """
    path = database_path(config, ctx)
    limit = (since.timestamp() - CLOCKS_DIFFER_S) * 1e9
    at_rest = not any(os.path.lexists(f"{path}{more}") for more in ("-wal", "-journal"))
    if not at_rest or path.stat().st_ctime_ns >= limit:
        yield from entries


class _Database:
    """A database that is open for reading, and is opened again after it has changed."""

    def __init__(self, path: Path) -> None:
        self._tries = snapshots(path)
        self._open = ExitStack()
        self._snapshot: Snapshot | None = None
        self._connection: sqlite3.Connection | None = None

    def _connected(self) -> sqlite3.Connection:
        if self._snapshot is None:
            self._reopened()
        if self._connection is None and self._snapshot is not None:
            self._connection = self._open.enter_context(self._snapshot.connected())
        if self._connection is None:
            raise sqlite3.OperationalError("the database changes faster than it can be copied")
        return self._connection

    def batches(self, table: ListedTable) -> Iterator[Batch]:
        """Yield each batch of a table once. Raises Unread as soon as it is not what was listed."""
        done = 0
        while True:
            failure: Exception
            try:
                for batch in islice(table.batches(self._connected()), done, None):
                    done += 1
                    yield batch
                    del batch
            except Unread as unread:
                failure = unread
            except sqlite3.Error as error:
                lost = error_code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
                failure = error if lost else Unread(f"unreadable: {error}")
            else:
                return
            if self._undisturbed() or not self._reopened():
                raise failure

    def _undisturbed(self) -> bool:
        """Return whether what was read since the database was opened is of one moment."""
        return self._snapshot is not None and self._snapshot.holds()

    def _reopened(self) -> bool:
        """Take the next snapshot; return False if there have been too many."""
        self._open.close()
        self._connection = None
        self._snapshot = next(self._tries, None)
        return self._snapshot is not None

    def close(self) -> None:
        self._open.close()
        self._tries.close()
