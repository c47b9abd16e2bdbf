"""The tables of an open SQLite database: which there are, and their rows in parts."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from waivern.builtin.random_sample import drawn, picked
from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.message import Json, content_digest

PART_ROWS = 1000
PART_BYTES = 8 * 2**20
"""A part ends with the row that reaches either of these."""

NOT_SELECTED, VIEW, VIRTUAL = "not selected", "view", "virtual table"

_CATALOGUE = r"""
    SELECT name, type, sql FROM sqlite_master
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
    ORDER BY name
"""
# The length of a BLOB is in its header: the BLOB itself is not loaded.
_VALUE = "CASE typeof({0}) WHEN 'blob' THEN CAST(CAST(length({0}) AS TEXT) AS BLOB) ELSE {0} END"


def kinds(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the kind of each table and view, by name: `table`, `view` or `virtual table`."""
    return {name: _kind(kind, sql) for name, kind, sql in connection.execute(_CATALOGUE)}


def kind_of(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the kind of a table or view; None if there is none of that name."""
    row = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?", (name,)
    ).fetchone()
    return None if row is None else _kind(*row)


def _kind(kind: str, sql: str | None) -> str:
    virtual = sql is not None and sql.upper().startswith("CREATE VIRTUAL")
    return VIRTUAL if virtual else kind


def selected(found: dict[str, str], tables: Sequence[str] | None) -> dict[str, str | None]:
    """Return, for each table, why it is not read; None: it is. Raises ComponentError if absent."""
    wanted = set(found if tables is None else tables)
    for name in sorted(wanted):
        if name not in found:
            raise _no_table(name, found)
        if tables is not None and found[name] == VIRTUAL:
            raise ComponentError(
                f"{name!r} is a {VIRTUAL}, not a table",
                hint="name the tables that it is based on",
            )
    readable = {"table"} if tables is None else {"table", VIEW}
    return {
        name: NOT_SELECTED if name not in wanted else None if kind in readable else kind
        for name, kind in found.items()
    }


def _no_table(name: str, known: Iterable[str]) -> ComponentError:
    names = sorted(known)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    hints = [did_you_mean(name, names), f"tables here: {shown or 'none'}"]
    return ComponentError(f"no table {name!r}", hint="; ".join(filter(None, hints)))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to read of a table: the first, or a random sample if there is a seed."""

    name: str
    row_count: int
    columns: list[dict[str, str]]
    most: int
    """The number of rows to read; a smaller number means that the table has shrunk."""
    seed: int | None = None
    """Set only if not all rows are read."""

    @property
    def head(self) -> dict[str, Json]:
        """What describes the table in each of its parts."""
        return {"name": self.name, "row_count": self.row_count, "columns": self.columns}

    def batches(self, connection: sqlite3.Connection, kind: str) -> Iterator[Batch]:
        """Yield the rows in their order, at least one batch."""
        table, names = _quoted(self.name), [column["name"] for column in self.columns]
        values = ", ".join(_VALUE.format(_quoted(name)) for name in names)
        order = _order(connection, self.name, names, kind)
        most = self.most if self.seed is None else -1
        rows = connection.execute(
            f"SELECT {values} FROM {table} ORDER BY {order} LIMIT ?",  # noqa: S608 - quoted
            (most,),
        )
        numbered: Iterator[tuple[int, tuple[Json, ...]]] = enumerate(rows)
        if self.seed is not None:
            at = drawn(self.row_count, self.most, self.seed, self.name)
            numbered = picked(numbered, at)
        return _batches((number, list(map(_scalar, row))) for number, row in numbered)

    def part(self, batch: Batch, row: int) -> dict[str, Json]:
        """Return the record of a batch before which the table has `row` rows."""
        numbers = {} if self.seed is None else {"row_numbers": batch.numbers}
        part = {**self.head, **numbers, "rows": batch.rows}
        if row or batch.more:
            part["row"] = row
        if batch.more:
            part["more"] = True
        return part

    def entry(self, count: int, blocks: Sequence[str]) -> dict[str, Json]:
        """Return the entry of the table in the catalogue: `count` rows, in these batches."""
        entry = {**self.head, "rows": count}
        if self.seed is not None:
            entry["seed"] = self.seed
        entry["digest"] = self.digest(blocks)
        return entry | ({"blocks": [*blocks]} if len(blocks) > 1 else {})

    def digest(self, blocks: Sequence[str]) -> str:
        """Return the digest of the table: of its description, and of the digests of its batches."""
        return content_digest([self.head, self.seed, *blocks])


class Batch(NamedTuple):
    """Consecutive rows of a table, with their digest and their numbers in the table."""

    rows: list[list[Json]]
    numbers: list[int]
    digest: str
    size: int
    """The bytes of the rows as JSON."""
    more: bool
    """Whether rows follow."""


def _batches(numbered: Iterator[tuple[int, list[Json]]]) -> Iterator[Batch]:
    following = next(numbered, None)
    begun = False
    while following is not None or not begun:
        rows: list[list[Json]] = []
        numbers, size, digest = [], 0, sha256()
        while following is not None and len(rows) < PART_ROWS and size < PART_BYTES:
            number, row = following
            line = json.dumps(row).encode() + b"\n"
            digest.update(line)
            size += len(line)
            rows.append(row)
            numbers.append(number)
            following = next(numbered, None)
        begun = True
        more = following is not None
        yield Batch(rows, numbers, f"sha256:{digest.hexdigest()}", size, more)
        del rows, numbers  # before the next batch is read


def rows_of(
    connection: sqlite3.Connection, name: str, *, most: int, seed: int | None = None
) -> Rows:
    """Return the rows to read of a table as it is now."""
    (count,) = connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()  # noqa: S608
    drawn = seed is not None and 0 < most < count
    columns = columns_of(connection, name)
    return Rows(name, count, columns, min(most, count), seed if drawn else None)


def columns_of(connection: sqlite3.Connection, name: str) -> list[dict[str, str]]:
    """Return name and declared type of each column."""
    info = connection.execute(f"PRAGMA table_xinfo({_quoted(name)})")
    return [{"name": row[1], "type": row[2]} for row in info if row[6] != 1]  # 1: hidden


def _order(connection: sqlite3.Connection, name: str, columns: list[str], kind: str) -> str:
    """Return what the rows are ordered by: the rowid, the primary key, or all columns."""
    rowid = None if kind == VIEW else _rowid(connection, name, columns)
    info: list[Any] = connection.execute(f"PRAGMA table_xinfo({_quoted(name)})").fetchall()
    key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
    return rowid or ", ".join(map(_quoted, key or columns))


def _rowid(connection: sqlite3.Connection, name: str, columns: list[str]) -> str | None:
    """Return a name of the rowid; None if the table has none."""
    taken = {column.casefold() for column in columns}
    for rowid in ("rowid", "_rowid_", "oid"):
        if rowid not in taken:
            try:
                connection.execute(f"SELECT {rowid} FROM {_quoted(name)} LIMIT 0")  # noqa: S608
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
