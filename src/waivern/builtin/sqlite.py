"""The connector of SQLite databases: their tables at one moment."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from waivern.builtin.common_properties import Number, Properties, SourcePath, located, missing
from waivern.builtin.random_sample import picked, positions, seed_of
from waivern.builtin.snapshot import snapshots
from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef, content_digest
from waivern.plugins.context import Context

NOT_SELECTED, VIEW, VIRTUAL = "not selected", "view", "virtual table"
LEFT_OUT = (NOT_SELECTED, VIEW)
"""Reasons that lose nothing: the rows of a view are in the tables below it."""


class Sqlite:
    """Tables of a SQLite database: names, columns, counts and rows.

    Content: `{"tables": [{"name", "row_count", "columns": [{"name", "type"}], "rows": [[...]]}]}`,
    tables by name, rows by rowid (by primary key where there is none), values in column order.
    BLOBs become `{"bytes": length}`, infinities text, bytes that are not UTF-8 escapes. A random
    sample has `row_numbers`, too: which rows of the table it has, from 0. Views are left out unless
    `tables` names them (the tables below them are read); virtual tables are recorded as skipped,
    SQLite's own tables are not mentioned. Nothing is written beside the file, also while others
    write to it.
    """

    name = "sqlite"
    version = "1.0.0"
    produces = SchemaRef("database")
    repeatable = True

    class Config(Properties):
        """The properties of a SQLite source."""

        path: SourcePath = Field(
            description="Database file, absolute or relative to the runbook's folder."
        )
        tables: list[str] | None = Field(
            default=None, description="Names of the tables to read; all if not given."
        )
        max_rows: Annotated[int, Number] = Field(
            default=1000,
            ge=0,
            le=10**9,
            description="Rows to read of each table, the rest is recorded as not read; 0: none.",
        )
        sample: Literal["first", "random"] = Field(
            default="first",
            description="Which rows to read of a table that has more than max_rows: the first, or "
            "a random sample, from which a bound for all rows follows.",
        )
        seed: Annotated[int, Number] | None = Field(
            default=None,
            ge=0,
            lt=2**53,
            description="Seed of the random sample; the default follows from the artifact's id.",
        )

        @field_validator("seed")
        @classmethod
        def _of_a_sample(cls, seed: int | None, info: ValidationInfo) -> int | None:
            if seed is not None and info.data.get("sample", "random") != "random":
                raise ValueError("a seed needs 'sample: random'")
            return seed

    def advise(self, config: Config, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
        """Yield a warning if the path does not exist."""
        return missing("path", config.path, ctx)

    def extract(self, config: Config, ctx: Context) -> Json:
        """Return the tables. Raises ComponentError if the database cannot be read."""
        return {"tables": _found(config, ctx, list).tables}

    def fingerprint(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return marks of each table's columns and rows; raises the errors of `extract`.

        The rows are those that `extract` would return, read in the same way and never held: not
        of the file's bytes, which differ between databases of equal content. Tables that the
        properties leave out have no mark.
        """
        found = _found(config, ctx, _digest)
        marks = {f"skipped {name}": why for name, why in found.skipped if why != NOT_SELECTED}
        for table in found.tables:
            marks[f"columns {table['name']}"] = content_digest(table["columns"])
            marks[f"rows {table['name']}"] = f"{table['row_count']} {table['rows']}"
        return marks


_Take = Callable[[Iterable[list[Json]]], Json]
"""A function of the rows of a table, called while the database is open."""


@dataclass(frozen=True, slots=True)
class _Found:
    tables: list[dict[str, Json]]
    skipped: list[tuple[str, str]]
    read: list[tuple[str, int, int, int | None]]
    """For each table: name, rows read, rows in the table, seed of a random sample."""


def _reported(found: _Found, ctx: Context) -> _Found:
    ctx.read(0, rows=0)  # an empty database is reported, too
    for name, reason in found.skipped:
        (ctx.left_out if reason in LEFT_OUT else ctx.skipped)(name, reason)
    for n, (name, rows, count, seed) in enumerate(found.read, 1):
        if rows < count:
            ctx.read()
            ctx.sampled(name, rows, count, seed=seed)
        else:
            ctx.read(rows=rows)
        ctx.progress(n, len(found.read))
    return found


def _found(config: Sqlite.Config, ctx: Context, take: _Take) -> _Found:
    path = located(ctx, config.path).resolve()
    if not path.is_file():
        raise ComponentError(f"{config.path!r} is not a regular file")
    try:
        seed = seed_of(ctx.artifact) if config.seed is None else config.seed
        found = _read_unchanged(path, config, take, seed)
    except sqlite3.Error as error:
        raise _explained(config.path, error) from error
    except OSError as error:
        raise ComponentError(
            f"{config.path!r} cannot be read: {error.strerror}",
            hint=f"a database in use is copied below {gettempdir()!r} first (TMPDIR)",
        ) from error
    if found is None:
        raise ComponentError(
            f"{config.path!r} changes faster than it can be copied",
            hint="try again when its writer is less busy, or read a backup of it",
        )
    return _reported(found, ctx)


def _digest(rows: Iterable[list[Json]]) -> str:
    whole = hashlib.sha256()
    for row in rows:
        whole.update(json.dumps(row).encode() + b"\n")
    return "sha256:" + whole.hexdigest()


def _read_unchanged(path: Path, config: Sqlite.Config, take: _Take, seed: int) -> _Found | None:
    """Read until the content is of one moment; None if the database changed each time."""
    with closing(snapshots(path)) as tries:
        for snapshot in tries:
            try:
                with closing(sqlite3.connect(snapshot.uri, uri=True)) as connection:
                    found = _read(connection, config, take, seed)
            except sqlite3.Error:
                if snapshot.holds():
                    raise
            else:
                if snapshot.holds():
                    return found
    return None


def _read(connection: sqlite3.Connection, config: Sqlite.Config, take: _Take, seed: int) -> _Found:
    connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    kinds = {name: _kind(kind, sql) for name, kind, sql in connection.execute(_CATALOGUE)}
    wanted = set(kinds if config.tables is None else config.tables)
    for name in sorted(wanted):
        if name not in kinds:
            raise _no_table(name, kinds)
        if config.tables is not None and kinds[name] == VIRTUAL:
            raise ComponentError(
                f"{name!r} is a {kinds[name]}, not a table",
                hint="name the tables that it is made from",
            )
    reader = _Reader(connection, config, take, seed)
    for name, kind in kinds.items():
        if name not in wanted:
            reader.found.skipped.append((name, NOT_SELECTED))
        elif kind == "table" or (kind == VIEW and config.tables is not None):
            reader.table(name, kind)
        else:
            reader.found.skipped.append((name, kind))
    return reader.found


_CATALOGUE = r"""
    SELECT name, type, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
    ORDER BY name
"""


def _kind(kind: str, sql: str | None) -> str:
    virtual = sql is not None and sql.upper().startswith("CREATE VIRTUAL")
    return VIRTUAL if virtual else kind


_VALUE = "CASE typeof({0}) WHEN 'blob' THEN CAST(CAST(length({0}) AS TEXT) AS BLOB) ELSE {0} END"


@dataclass(frozen=True, slots=True)
class _Reader:
    """The reader of the tables of an open database, one after the other."""

    connection: sqlite3.Connection
    config: Sqlite.Config
    take: _Take
    seed: int
    found: _Found = field(default_factory=lambda: _Found([], [], []))

    def table(self, name: str, kind: str) -> None:
        """Read a table or view: all its rows, the first of them, or a random sample."""
        table, columns, key = _quoted(name), *_columns(self.connection, name)
        (count,) = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - quoted
        most = self.config.max_rows
        drawn = self.config.sample == "random" and 0 < most < count
        rowid = None if kind == VIEW else _rowid(self.connection, table, columns)
        order = rowid or ", ".join(map(_quoted, key or [column for column, _ in columns]))
        # The length of a BLOB is in its header: the BLOB itself is not loaded.
        values = ", ".join(_VALUE.format(_quoted(column)) for column, _ in columns)
        query = f"SELECT {values} FROM {table} ORDER BY {order} LIMIT ?"  # noqa: S608
        rows: Iterable[tuple[Json, ...]] = self.connection.execute(query, (-1 if drawn else most,))
        content: dict[str, Json] = {
            "name": name,
            "row_count": count,
            "columns": [{"name": column, "type": type_} for column, type_ in columns],
        }
        if drawn:
            content["row_numbers"] = positions(count, most, self.seed, name)
            rows = picked(rows, content["row_numbers"])
        content["rows"] = self.take(list(map(_scalar, row)) for row in rows)
        self.found.tables.append(content)
        self.found.read.append((name, min(most, count), count, self.seed if drawn else None))


def _columns(connection: sqlite3.Connection, name: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return name and type of each column, and the columns of the primary key."""
    info = connection.execute(f"PRAGMA table_xinfo({_quoted(name)})").fetchall()
    columns = [(column, kind) for _, column, kind, _, _, _, hidden in info if hidden != 1]
    return columns, [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]


def _rowid(
    connection: sqlite3.Connection, table: str, columns: list[tuple[str, str]]
) -> str | None:
    """Return a name of the rowid, which orders the rows of a table; None if it has none."""
    taken = {column.casefold() for column, _ in columns}
    for rowid in ("rowid", "_rowid_", "oid"):
        if rowid not in taken:
            try:
                connection.execute(f"SELECT {rowid} FROM {table} LIMIT 0")  # noqa: S608 - quoted
            except sqlite3.OperationalError:
                return None  # WITHOUT ROWID
            return rowid
    return None


def _scalar(value: Json) -> Json:
    if isinstance(value, bytes):
        return {"bytes": int(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"  # NaN is NULL in SQLite
    return value


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _no_table(name: str, known: Iterable[str]) -> ComponentError:
    names = sorted(known)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    hints = [did_you_mean(name, names), f"tables here: {shown or 'none'}"]
    return ComponentError(f"no table {name!r}", hint="; ".join(filter(None, hints)))


def _explained(path: str, error: sqlite3.Error) -> ComponentError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return ComponentError(
            f"{path!r} is not a SQLite database, or an encrypted one",
            hint="an encrypted database has to be decrypted to a copy first",
        )
    return ComponentError(
        f"{path!r} cannot be read: {error}",
        hint="'PRAGMA integrity_check' in the sqlite3 shell says more; leave out a broken table "
        "by naming the others in `tables`",
    )
