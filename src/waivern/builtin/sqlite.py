"""The connector of SQLite databases: their tables at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from waivern.builtin.common_properties import Number, Properties, SourcePath, missing
from waivern.builtin.sqlite_again import read_again, touched_tables
from waivern.builtin.sqlite_rows import NOT_SELECTED
from waivern.builtin.sqlite_tables import listed, read_once
from waivern.message import Json, SchemaRef, content_digest
from waivern.plugins.context import Context


class Sqlite:
    """Tables of a SQLite database: names, columns, counts and rows.

    Content: `{"tables": [{"name", "row_count", "columns": [{"name", "type"}], "rows": [[...]]}]}`,
    tables by name, rows by rowid (by primary key where there is none), values in column order.
    BLOBs become `{"bytes": length}`, infinities text, bytes that are not UTF-8 escapes. A random
    sample has `row_numbers`, too: which rows of the table it has, from 0. Views are left out unless
    `tables` names them (the tables below them are read); virtual tables are recorded as skipped,
    SQLite's own tables are not mentioned. Nothing is written beside the file, also while others
    write to it.

    By reference, the artifact lists the tables: each has the number of its `rows` in place of them,
    and their `digest`. A table of more than 1,000 rows also has the digests of its `blocks` of
    1,000, and is read in parts. A view that gives other rows each time, as one that calls
    `random()`, cannot be read again.
    """

    name = "sqlite"
    version = "2.0.0"
    produces = SchemaRef("database")
    repeatable = True
    streams = "tables"
    read_properties = ()

    class Config(Properties):
        """The properties of a SQLite source."""

        path: SourcePath = Field(
            description="Database file, absolute or relative to the runbook's folder."
        )
        tables: list[str] | None = Field(
            default=None, description="Names of the tables to read; default: all tables."
        )
        max_rows: Annotated[int, Number] = Field(
            default=1000,
            ge=0,
            le=10**9,
            description="The maximum number of rows to read from each table; the others are "
            "recorded as not read.",
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

    def catalogue(self, config: Config, ctx: Context) -> Iterator[Json]:
        """Yield an entry for each table, without its rows. Raises the errors of `extract`."""
        for table in listed(config, ctx):
            yield table.entry()

    def read(self, config: Config, ctx: Context, entries: Iterable[Json]) -> Iterator[Json]:
        """Yield the tables that the entries list, as far as they are what was listed.

        Raises ComponentError if the database is no longer there.
        """
        return read_again(config, ctx, entries)

    def touched(
        self, config: Config, ctx: Context, entries: Iterable[Json], since: datetime
    ) -> Iterator[Json]:
        """Yield all entries if the database may have been written or replaced since a time."""
        return touched_tables(config, ctx, entries, since)

    def extract(self, config: Config, ctx: Context) -> Iterator[Json]:
        """Yield the tables. Raises ComponentError if the database cannot be read."""
        return read_once(config, ctx)

    def fingerprint(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return marks of each table's columns and rows; raises the errors of `extract`.

        The rows are those that `extract` would return, read in the same way: not of the file's
        bytes, which differ between databases of equal content. Tables that the properties leave
        out have no mark.
        """
        tables = listed(config, ctx)
        marks = {
            f"skipped {name}": why for name, why, _ in ctx.coverage.skipped if why != NOT_SELECTED
        }
        for rows, _, blocks in tables:
            marks[f"columns {rows.name}"] = content_digest(rows.columns)
            marks[f"rows {rows.name}"] = f"{rows.row_count} {content_digest(blocks)}"
        return marks
