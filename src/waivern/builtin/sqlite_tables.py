"""The tables of a SQLite file at one moment, listed or read once.

A database at rest is read where it lies, so it may change meanwhile (see `snapshot`). What has been
read then counts for nothing: all is read again, from the next snapshot.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, NamedTuple

from waivern.builtin.common_properties import located
from waivern.builtin.random_sample import seed_of
from waivern.builtin.snapshot import snapshots
from waivern.builtin.sqlite_rows import (
    NOT_SELECTED,
    PART_BYTES,
    PART_ROWS,
    VIEW,
    Batch,
    Rows,
    kinds,
    rows_of,
    selected,
)
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.context import Context

if TYPE_CHECKING:
    from waivern.builtin.sqlite import Sqlite

LEFT_OUT = (NOT_SELECTED, VIEW)
"""Reasons that lose nothing: the rows of a view are in the tables below it."""


@dataclass(slots=True)
class Pass:
    """One reading of the selected tables, with what the coverage record has of it."""

    config: Sqlite.Config
    ctx: Context
    connection: sqlite3.Connection
    skipped: list[tuple[str, str]] = field(default_factory=list)
    read: list[tuple[Rows, int]] = field(default_factory=list)
    """Each table, and how many of its rows were read."""
    size: int = 0
    """The bytes of these rows as JSON, for the progress."""

    def tables(self) -> Iterator[tuple[Rows, Iterator[Batch]]]:
        """Yield each selected table with its rows, which have to be read before the next table."""
        seed = None
        if self.config.sample == "random":
            seed = seed_of(self.ctx.artifact) if self.config.seed is None else self.config.seed
        found = kinds(self.connection)
        reasons = selected(found, self.config.tables)
        self.skipped = [(name, why) for name, why in reasons.items() if why is not None]
        total = len(reasons) - len(self.skipped)
        for name, why in reasons.items():
            if why is None:
                rows = rows_of(self.connection, name, most=self.config.max_rows, seed=seed)
                batches = rows.batches(self.connection, found[name])
                yield rows, self._counted(rows, batches, total)

    def _counted(self, rows: Rows, batches: Iterator[Batch], total: int) -> Iterator[Batch]:
        count = 0
        for batch in batches:
            count += len(batch.rows)
            self.size += batch.size
            if batch.more:
                self.ctx.progress(len(self.read), total, size=self.size)
            yield batch
            del batch  # before the next one is read
        self.read.append((rows, count))
        self.ctx.progress(len(self.read), total, size=self.size)

    def report(self) -> None:
        """Report to the context what was read."""
        self.ctx.read(0, rows=0)  # an empty database is reported, too
        for name, reason in self.skipped:
            (self.ctx.left_out if reason in LEFT_OUT else self.ctx.skipped)(name, reason)
        for rows, count in self.read:
            if count < rows.row_count:
                self.ctx.read()
                self.ctx.sampled(rows.name, count, rows.row_count, seed=rows.seed)
            else:
                self.ctx.read(rows=count)


class DigestedTable(NamedTuple):
    """A table that was read, and of its rows only the digests."""

    rows: Rows
    row_total: int
    blocks: list[str]

    def entry(self) -> dict[str, Json]:
        """Return the entry of the catalogue."""
        return self.rows.entry(self.row_total, self.blocks)


def listed(config: Sqlite.Config, ctx: Context) -> list[DigestedTable]:
    """Return the selected tables as they are at one moment."""
    with explained(config), closing(snapshots(database_path(config, ctx))) as tries:
        for snapshot in tries:
            try:
                with snapshot.connected() as connection:
                    reading = Pass(config, ctx, connection)
                    found = [_digested(rows, batches) for rows, batches in reading.tables()]
            except sqlite3.Error:
                if snapshot.holds():
                    raise
            else:
                if snapshot.holds():
                    reading.report()
                    return found
    raise _restless(config)


def _digested(rows: Rows, batches: Iterator[Batch]) -> DigestedTable:
    count, blocks = 0, []
    for batch in batches:
        count += len(batch.rows)
        blocks.append(batch.digest)
        del batch  # before the next one is read
    return DigestedTable(rows, count, blocks)


def read_once(config: Sqlite.Config, ctx: Context) -> Iterator[Json]:
    """Yield the selected tables as they are at one moment, in parts.

    Nothing is yielded before it is certain that it was read undisturbed. If the database changes
    later, all is read again, and must begin with what was yielded.
    """
    yielded: list[list[str]] = []
    with explained(config), closing(snapshots(database_path(config, ctx))) as tries:
        for snapshot in tries:
            try:
                with snapshot.connected() as connection:
                    reading, repeated = Pass(config, ctx, connection), deque(yielded)
                    for parts, digests in _groups(reading):
                        if repeated:
                            if digests != repeated.popleft():
                                raise _restless(config)
                        elif snapshot.holds():
                            yielded.append(digests)
                            yield from parts
                        else:
                            break
                        del parts  # before the next group is read
                    else:
                        if repeated:
                            raise _restless(config)
                        reading.report()
                        return
            except sqlite3.Error:
                if snapshot.holds():
                    raise
    raise _restless(config)


def _groups(reading: Pass) -> Iterator[tuple[list[Json], list[str]]]:
    """Yield the parts of the tables, small tables together, with the digests of the parts.

    A database of few rows is one group: it is read whole before any of it is yielded.
    """
    parts, digests, count, size = [], [], 0, 0
    for rows, batches in reading.tables():
        row = 0
        for batch in batches:
            parts.append(rows.part(batch, row))
            digests.append(rows.digest([batch.digest]))
            row += len(batch.rows)
            count, size = count + len(batch.rows) + 1, size + batch.size
            del batch
            if count >= PART_ROWS or size >= PART_BYTES:
                yielding, parts = parts, []
                yield yielding, digests
                del yielding
                digests, count, size = [], 0, 0
    yield parts, digests


def database_path(config: Sqlite.Config, ctx: Context) -> Path:
    """Return the path of the file, without links. Raises ComponentError if there is none."""
    path = located(ctx, config.path).resolve()
    if not path.is_file():
        raise ComponentError(f"{config.path!r} is not a regular file")
    return path


@contextmanager
def explained(config: Sqlite.Config) -> Iterator[None]:
    """Turn errors of the database and its file into errors for the user."""
    try:
        yield
    except sqlite3.Error as error:
        if error_code(error) == sqlite3.SQLITE_NOTADB:
            raise ComponentError(
                f"{config.path!r} is not a SQLite database, or an encrypted one",
                hint="an encrypted database has to be decrypted to a copy first",
            ) from error
        raise ComponentError(
            f"{config.path!r} cannot be read: {error}",
            hint="'PRAGMA integrity_check' in the sqlite3 shell says more; leave out a broken "
            "table by naming the others in `tables`",
        ) from error
    except OSError as error:
        raise ComponentError(
            f"{config.path!r} cannot be read: {error.strerror}",
            hint=f"a database in use is copied below {gettempdir()!r} first (TMPDIR)",
        ) from error


def error_code(error: sqlite3.Error) -> int | None:
    return getattr(error, "sqlite_errorcode", None)


def _restless(config: Sqlite.Config) -> ComponentError:
    return ComponentError(
        f"{config.path!r} changes faster than it can be copied",
        hint="try again when its writer is less busy, or read a backup of it",
    )
