"""Tables whose columns say what they hold: their cells are read column by column.

In a dense table almost each cell is a value of the type that its column names. Such a column is
judged once. A cell that is a value as a whole is settled and leaves a mark; all others stay in the
text, which is then searched as any other is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from waivern.detection.column_cells import (
    NOTHING,
    PADDING,
    ColumnCells,
    ColumnMatches,
    all_are_known,
)
from waivern.detection.column_stances import ColumnStances
from waivern.detection.delimited import LineOfNames, cell_starts, line_of_names
from waivern.detection.expressions import expression
from waivern.detection.people.name_columns import MOST_READ, name_column
from waivern.detection.ruleset import Ruleset
from waivern.detection.unnamed_columns import unnamed_columns
from waivern.detection.weighing import Match, Weights

_DELIMITERS = ",;|\t"
_FILLER = "_"
"""What is left of a settled cell: blanks would be an empty row, or a cell to look behind."""
_BLANK_LINE = expression(r"\n[ \t\r]{0,40}\n")


class Settled(NamedTuple):
    """The matches in the columns of a text, and the rest of it."""

    matches: list[ColumnMatches]
    rest: str
    """The text with a mark for each cell that is settled."""
    columns_read: bool
    """Whether nothing else is in the columns that their names alone say."""


def settle(
    text: str,
    rules: Ruleset,
    weights: Weights,
    *,
    field: str | None = None,
    types: Collection[str] | None = None,
    begin: int = 0,
    most: int | None = None,
    read: Callable[[str], list[Match]],
) -> Settled:
    """Return the matches in the cells that are values as a whole, and the text without them.

    Rows before `begin` have none. Of those that are alike, the first `most` are located. `field`
    and `types` are those of `scan`. `read` returns the matches in a text: where no line names the
    columns, their values may show what they hold.
    """
    head, named = line_of_names(text, 0), True
    if head is None:
        head, named = unnamed_columns(text, read), False
    table = _Table.of(text, head) if head else None
    if table is None or not table.rows:
        return Settled([], text, columns_read=False)
    found: list[ColumnMatches] = []
    columns = ColumnStances(text, rules, field)
    names, first, rest = table.head.names, table.first_row(begin), [*zip(*table.rows, strict=True)]
    for place, name in enumerate(names):
        labelled = columns.named(name) if named else columns.of_neighbours(name)
        column, cells = ColumnCells(name, labelled, weights, types), rest[place]
        beside = [other for n, other in enumerate(names) if n != place and other]
        begun = (cell.strip(PADDING) for cell in islice(cells, MOST_READ))
        column.add_people(beside, name_column(name, beside, begun))
        if not name or not column.speaks:
            continue
        groups = column.groups_of(cells)
        found += table.located(place, groups, first, most)
        rest[place] = tuple(
            cell if group is None else _FILLER * len(cell)
            for cell, group in zip(cells, groups, strict=True)
        )
    return Settled(found, table.text_of(rest), named and table.regular)


def column_of(
    name: str,
    rules: Ruleset,
    *,
    beside: Sequence[str],
    person: float | None,
    types: Collection[str] | None = None,
    min_confidence: float = 0.0,
) -> ColumnCells | None:
    """Return what reads the cells of the column `name` of a database.

    None: the ruleset has types that only a search of each cell finds.
    `beside` are the names of the other columns, `person` is the confidence that a value is a
    person's name, as `name_column` returns it. The others are as in `scan`.
    """
    rules = rules.naming(types or ())
    if not all_are_known(rules):
        return None
    named = ColumnStances("", rules, None).named(name)
    column = ColumnCells(name, named, Weights(rules, min_confidence), types)
    column.add_people(beside, person)
    return column


class _Table(NamedTuple):
    """A text that is a line of names over rows."""

    text: str
    head: LineOfNames
    lines: list[str]
    """The lines below the names."""
    numbers: list[int]
    """The numbers of the lines that are rows: they have a cell for each name."""
    rows: list[list[str]]
    """Their cells."""
    starts: list[int]
    """Where they begin in the text."""

    @classmethod
    def of(cls, text: str, head: LineOfNames) -> _Table | None:
        """Return the table that a text consists of; None for any other text."""
        if head.delimiter not in _DELIMITERS or head.quote != '"':
            return None
        blank = _BLANK_LINE.search(text, head.end)
        if blank is not None and text[blank.end() :].strip():
            return None  # another table may follow
        table = cls(text, head, text[head.end + 1 :].split("\n"), [], [], [])
        size, at = len(head.names), head.end + 1
        for number, line in enumerate(table.lines):
            cells = _cells(line, head.delimiter)
            if len(cells) == size:
                table.numbers.append(number)
                table.rows.append(cells)
                table.starts.append(at)
            at += len(line) + 1
        return table

    @property
    def regular(self) -> bool:
        """Whether each line is a row."""
        rows = {*self.numbers}
        return not any(line.strip() for n, line in enumerate(self.lines) if n not in rows)

    def first_row(self, begin: int) -> int:
        """Return the first row at or behind a place."""
        return next((n for n, start in enumerate(self.starts) if start >= begin), len(self.starts))

    def located(
        self,
        place: int,
        groups: Sequence[ColumnMatches | None],
        first: int,
        most: int | None,
    ) -> list[ColumnMatches]:
        """Count the matches of a column from a row on, and locate the first of each group."""
        counts = Counter(groups[first:] if first else groups)
        counts.pop(None, None)
        counts.pop(NOTHING, None)
        wanted = sum(count if most is None else min(count, most) for count in counts.values())
        for group, count in counts.items():
            if group is not None:
                group.count = count
        for row, group in enumerate(islice(groups, first, None), first):
            if not wanted:
                break
            if group in counts and group is not None and (most is None or len(group.places) < most):
                wanted -= 1
                before = self.rows[row][:place]
                cell = self.rows[row][place]
                value = cell.strip(PADDING)
                start = self.starts[row] + sum(map(len, before)) + place + cell.index(value)
                group.places.append((start, value))
        return [group for group in counts if group is not None]

    def text_of(self, columns: Sequence[Sequence[str]]) -> str:
        """Return the text with other cells of the same sizes."""
        lines = [*self.lines]
        for number, row in zip(self.numbers, zip(*columns, strict=True), strict=True):
            lines[number] = self.head.delimiter.join(row)
        return self.text[: self.head.end + 1] + "\n".join(lines)


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line as they are written."""
    if '"' not in line:
        return line.split(delimiter)
    starts = cell_starts(line, delimiter, 0)
    return [line[a:b] for a, b in zip(starts, _ends(starts, len(line)), strict=True)]


def _ends(starts: list[int], size: int) -> Iterator[int]:
    yield from (start - 1 for start in starts[1:])
    yield size
