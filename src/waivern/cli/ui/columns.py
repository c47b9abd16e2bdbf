"""Records described once by columns, and shown as a table, as lines for a pipe, or as JSON."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from waivern.cli.ui.screen import Screen
from waivern.message import Json
from waivern.record.text_forms import clean, clip

T = TypeVar("T")
READABLE = 24
"""The width that a text needs to be readable on one line."""
GAP = "  "


class Column(NamedTuple, Generic[T]):
    """One fact about a record, in its three forms."""

    name: str
    """The key in JSON, and the name in the description of the lines for a pipe."""
    value: Callable[[T], Json]
    heading: str | None = None
    """The heading in the table; None: the table does not show the column."""
    text: Callable[[T], str] | None = None
    """The form for a pipe; by default the value as text, and nothing for null."""
    shown: Callable[[T], str] | None = None
    """The form in the table; by default that for a pipe."""
    piped: bool = True
    """Whether the lines for a pipe have the column."""
    drop: int = 0
    """The turn in which a narrow terminal drops the column, the smallest first; 0: never."""
    flexible: bool = False
    """Whether the column gets the remaining width."""
    keep_end: bool = False
    """Whether a text that is too long is cut at its beginning."""
    whole: bool = False
    """Whether a text that is too long continues on the next lines and is not cut."""
    painted: bool = False
    """Whether the text is a status, and has its colour."""
    if_any: bool = False
    """Whether the table has the column only if a record has a text in it."""

    def for_pipe(self, record: T) -> str:
        """Return the text between two tabs."""
        return clean(self.text(record) if self.text else as_text(self.value(record)))

    def for_table(self, record: T) -> str:
        """Return the text of a cell."""
        return clean(self.shown(record)) if self.shown else self.for_pipe(record)


def as_text(value: Json) -> str:
    """Return a value as text: nothing for null, a list with commas, an object as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return ",".join(map(as_text, value))
        case _:
            return json.dumps(value, ensure_ascii=False)


class Records(Generic[T]):
    """The columns of one kind of record, and the three forms of a list of such records.

    `document` replaces the object in JSON where the record itself has a longer one.
    """

    def __init__(
        self, *columns: Column[T], document: Callable[[T], dict[str, Json]] | None = None
    ) -> None:
        self.columns = columns
        self._document = document

    @property
    def pipe_help(self) -> str:
        """The sentence of a help text that names the fields of a line."""
        return f"To a pipe, a line has these fields, separated by tabs: {self.names}."

    @property
    def names(self) -> str:
        """The names of the fields of a line."""
        return ", ".join(column.name for column in self.columns if column.piped)

    def documents(self, records: Iterable[T]) -> list[dict[str, Json]]:
        """Return the records for programs."""
        if self._document is not None:
            return [self._document(record) for record in records]
        return [
            {column.name: column.value(record) for column in self.columns} for record in records
        ]

    def lines(self, out: Screen, records: Iterable[T]) -> None:
        """Write a line for each record: whole texts between tabs, nothing around them."""
        piped = [column for column in self.columns if column.piped]
        for record in records:
            out.print("\t".join(column.for_pipe(record) for column in piped))

    def show(self, out: Screen, records: Iterable[T]) -> None:
        """Write a table to a terminal, or lines to a pipe."""
        if out.tty:
            self.table(out, records)
        else:
            self.lines(out, records)

    def table(self, out: Screen, records: Iterable[T]) -> None:
        """Write aligned rows that fit the terminal, under a line of headings; nothing for none.

        Where the terminal is narrow, columns are dropped in their turn until the flexible one has
        room. If that is the last one and still has too little, it gets lines of its own below each
        row. Otherwise a text that is too long is cut, or continues below itself if it is `whole`,
        which only the last column may be.
        """
        columns = [column for column in self.columns if column.heading is not None]
        rows = [[column.for_table(record) for column in columns] for record in records]
        for number in reversed(range(len(columns))):
            if columns[number].if_any and not any(row[number] for row in rows):
                columns.pop(number)
                rows = [row[:number] + row[number + 1 :] for row in rows]
        if rows:
            _Layout(out, columns, rows).print(rows)


class _Layout(Generic[T]):
    """The columns of a table that a terminal has room for, and their widths."""

    def __init__(
        self, out: Screen, columns: Sequence[Column[T]], rows: Sequence[Sequence[str]]
    ) -> None:
        self._out, self._columns = out, columns
        self._headings = [str(column.heading) for column in columns]
        self._widths = [max(map(len, cells)) for cells in zip(self._headings, *rows, strict=True)]
        self._shown = list(range(len(columns)))
        self._flexible = [column.flexible for column in columns].index(True)
        enough = min(self._widths[self._flexible], READABLE)
        for _, number in sorted((c.drop, n) for n, c in enumerate(columns) if c.drop):
            if self._room >= enough:
                break
            self._shown.remove(number)
        self._below = self._flexible == self._shown[-1] and self._room < enough
        """Whether the flexible column has lines of its own."""
        if self._below:
            self._shown.remove(self._flexible)
        else:
            widest = max(8, self._room)
            self._widths[self._flexible] = min(self._widths[self._flexible], widest)

    @property
    def _room(self) -> int:
        """The width that remains for the flexible column."""
        others = [self._widths[number] for number in self._shown if number != self._flexible]
        return self._out.width - sum(others) - len(GAP) * len(others)

    @property
    def _indent(self) -> int:
        """The columns of the terminal before the flexible column."""
        before = self._shown[: self._shown.index(self._flexible)]
        return sum(self._widths[number] + len(GAP) for number in before)

    def print(self, rows: Iterable[Sequence[str]]) -> None:
        self._out.print(self._out.paint(self._line(self._headings, heading=True), "dim"))
        for row in rows:
            for line in self._lines(row):
                self._out.print(line)

    def _lines(self, row: Sequence[str]) -> Iterator[str]:
        """Yield the line of a row, and those on which its flexible text continues."""
        if not (self._below or self._columns[self._flexible].whole):
            yield self._line(row)
            return
        from textwrap import wrap

        indent = 4 if self._below else self._indent
        parts = wrap(row[self._flexible], max(20, self._out.width - indent))
        cells = list(row)
        cells[self._flexible] = "" if self._below or not parts else parts.pop(0)
        yield self._line(cells)
        for part in parts:
            yield " " * indent + part

    def _line(self, row: Sequence[str], *, heading: bool = False) -> str:
        cells = []
        for number in self._shown:
            column, text = self._columns[number], row[number]
            if column.flexible:
                text = clip(text, self._widths[number], keep_end=column.keep_end)
            if number != self._shown[-1]:
                text = text.ljust(self._widths[number])
            painted = column.painted and not heading
            cells.append(self._out.paint(text, row[number]) if painted else text)
        return GAP.join(cells).rstrip()
