"""The tables of a SQLite database, as they are at one moment, without a trace beside the file."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated

from pydantic import Field

from waivern.builtin.properties import Number, Properties, SourcePath, located
from waivern.builtin.snapshot import snapshots
from waivern.errors import ComponentError
from waivern.message import Json, SchemaRef, content_digest
from waivern.plugins.context import Context
from waivern.problems import did_you_mean

NOT_SELECTED = "not selected"


class Sqlite:
    """Tables of a SQLite database: names, columns, counts and rows.

    Content: `{"tables": [{"name", "row_count", "columns": [{"name", "type"}], "rows": [[...]]}]}`,
    tables by name, rows by rowid (by primary key where there is none), values in column order.
    BLOBs become `{"bytes": length}`, infinities text, bytes that are not UTF-8 escapes. Views and
    virtual tables are recorded as skipped (the tables below them are read); SQLite's own tables
    are left out. Nothing is written beside the file, also while others write to it.
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

    def extract(self, config: Config, ctx: Context) -> Json:
        """Return the tables. Raises ComponentError if the database cannot be read."""
        found = _found(config, ctx, list)
        for name, reason in found.skipped:
            told = ctx.left_out if reason == NOT_SELECTED else ctx.skipped
            told(name, reason)
        for n, table in enumerate(found.tables, 1):
            ctx.read()
            if (rows := len(table["rows"])) < table["row_count"]:
                ctx.sampled(table["name"], rows, table["row_count"])
            ctx.progress(n, len(found.tables))
        return {"tables": found.tables}

    def fingerprint(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return marks of each table's columns and rows; raises what `extract` raises.

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
"""What to make of the rows of a table while the database is open."""


@dataclass(frozen=True, slots=True)
class _Found:
    tables: list[dict[str, Json]]
    skipped: list[tuple[str, str]]


def _found(config: Sqlite.Config, ctx: Context, take: _Take) -> _Found:
    path = located(ctx, config.path).resolve()
    if not path.is_file():
        raise ComponentError(f"{config.path!r} is not a regular file")
    try:
        found = _read_unchanged(path, config, take)
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
    return found


def _digest(rows: Iterable[list[Json]]) -> str:
    whole = hashlib.sha256()
    for row in rows:
        whole.update(json.dumps(row).encode() + b"\n")
    return "sha256:" + whole.hexdigest()


def _read_unchanged(path: Path, config: Sqlite.Config, take: _Take) -> _Found | None:
    """Read until a reading is of one moment; None if the database never held still."""
    with closing(snapshots(path)) as tries:
        for snapshot in tries:
            try:
                with closing(sqlite3.connect(snapshot.uri, uri=True)) as connection:
                    found = _read(connection, config, take)
            except sqlite3.Error:
                if snapshot.holds():
                    raise
            else:
                if snapshot.holds():
                    return found
    return None


def _read(connection: sqlite3.Connection, config: Sqlite.Config, take: _Take) -> _Found:
    connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    kinds = {name: _kind(kind, sql) for name, kind, sql in connection.execute(_CATALOGUE)}
    wanted = set(kinds if config.tables is None else config.tables)
    for name in sorted(wanted):
        if name not in kinds:
            raise _no_table(name, kinds)
        if config.tables is not None and kinds[name] != "table":
            raise ComponentError(
                f"{name!r} is a {kinds[name]}, not a table",
                hint="name the tables that it is made from",
            )
    tables, skipped = [], []
    for name, kind in kinds.items():
        if name not in wanted:
            skipped.append((name, NOT_SELECTED))
        elif kind != "table":
            skipped.append((name, kind))
        else:
            tables.append(_table(connection, name, config.max_rows, take))
    return _Found(tables, skipped)


_CATALOGUE = r"""
    SELECT name, type, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
    ORDER BY name
"""


def _kind(kind: str, sql: str | None) -> str:
    virtual = sql is not None and sql.upper().startswith("CREATE VIRTUAL")
    return "virtual table" if virtual else kind


def _table(
    connection: sqlite3.Connection, name: str, max_rows: int, take: _Take
) -> dict[str, Json]:
    table = _quoted(name)
    info = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    columns = [(column, kind) for _, column, kind, _, _, _, hidden in info if hidden != 1]
    key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - quoted
    order = _order(connection, table, [column for column, _ in columns], key)
    # A BLOB's length is in its header: however large it is, it is not loaded.
    values = ", ".join(
        f"CASE typeof({c}) WHEN 'blob' THEN CAST(CAST(length({c}) AS TEXT) AS BLOB) ELSE {c} END"
        for c in (_quoted(column) for column, _ in columns)
    )
    rows = connection.execute(f"SELECT {values} FROM {table} {order} LIMIT ?", (max_rows,))  # noqa: S608
    return {
        "name": name,
        "row_count": count,
        "columns": [{"name": column, "type": kind} for column, kind in columns],
        "rows": take(list(map(_scalar, row)) for row in rows),
    }


def _order(connection: sqlite3.Connection, table: str, columns: list[str], key: list[str]) -> str:
    """Return the ORDER BY under which a table always reads the same."""
    taken = {column.casefold() for column in columns}
    for rowid in ("rowid", "_rowid_", "oid"):
        if rowid not in taken:
            try:
                connection.execute(f"SELECT {rowid} FROM {table} LIMIT 0")  # noqa: S608 - quoted
            except sqlite3.OperationalError:
                break  # WITHOUT ROWID
            return f"ORDER BY {rowid}"
    return f"ORDER BY {', '.join(map(_quoted, key or columns))}"


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
