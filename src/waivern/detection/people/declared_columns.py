"""The cells of columns that a text declares: delimited lines, rows of INSERT and COPY."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from waivern.detection.delimited import LineOfNames, continues, line_of_names, row_of
from waivern.detection.expressions import expression
from waivern.detection.prepared_text import PreparedText
from waivern.detection.tables import statements

_LONGEST_HEAD = 5_000
_MARKS = ",;\t|"
_NO_HEAD = frozenset(" \t\r\n#/*{}<>@()[]+-;:.&!%$\\")
"""What no line of names begins with, and the lines of code and prose often do."""
_INSERT = expression(
    r"insert\s{1,4}(?:or\s{1,4}\w{1,10}\s{1,4})?into\s{1,4}[^\s(;]{1,130}\s{0,20}"
    r"\(([^()']{1,4000})\)\s{0,20}values",
    re.IGNORECASE,
)
_COPY = expression(
    r"^copy\s{1,4}[^\s(;]{1,130}\s{0,4}\(([^()]{1,4000})\)\s{1,4}from stdin;?[^\n]{0,40}\n",
    re.IGNORECASE | re.MULTILINE,
)
_TOKEN = expression(r"'((?:[^'\\]|''|\\.)*+)'?|[(),;]")
Cells = list[tuple[int, int]]
"""The start and the end of each cell of a column."""


class DeclaredColumn(NamedTuple):
    """One column of a table, and the names of all of them."""

    names: Sequence[str]
    place: int
    cells: Cells

    @property
    def name(self) -> str:
        """The name of the column itself."""
        return self.names[self.place]

    @property
    def beside(self) -> list[str]:
        """The names of the other columns."""
        return [name for n, name in enumerate(self.names) if n != self.place and name]


def named_columns(
    doc: PreparedText, wanted: Callable[[str], object | None]
) -> Iterator[DeclaredColumn]:
    """Yield the columns whose names are wanted: `wanted` returns something for them."""
    text = doc.text
    for begin in _blocks(text):
        head = line_of_names(text, begin)
        if head is not None:
            yield from _columns(head.names, wanted, _rows(text, head))
    if "insert" in doc.seen:
        inserts = list(statements(_INSERT, "insert", text, doc.words))
        ends = [each.start() for each in inserts[1:]] + [len(text)]
        for statement, end in zip(inserts, ends, strict=False):
            rows = _values(text, statement.end(), end)
            yield from _columns(_listed(statement.group(1)), wanted, rows)
    if "stdin" in doc.seen:
        end = 0
        for copy in statements(_COPY, "copy", text, doc.words):
            if copy.start() < end:
                continue  # among the rows of the one before it
            end = text.find("\n\\.", copy.end())
            end = len(text) if end < 0 else end
            head = LineOfNames("\t", _listed(copy.group(1)), [], copy.end() - 1)
            yield from _columns(head.names, wanted, _rows(text, head))


def _columns(
    names: Sequence[str],
    wanted: Callable[[str], object | None],
    rows: Iterator[Cells],
) -> Iterator[DeclaredColumn]:
    chosen = [n for n, name in enumerate(names) if name and wanted(name) is not None]
    if not chosen:
        return
    read = [row for row in rows if len(row) == len(names)]
    for n in chosen:
        yield DeclaredColumn(names, n, [row[n] for row in read])


def _listed(names: str) -> list[str]:
    return [name.strip(' \t\r\n"`[]') for name in names.split(",")]


def _blocks(text: str) -> Iterator[int]:
    """Yield where a table may begin: at the first line, and after blank lines."""
    blank = "\n\r\n" if "\n\r\n" in text else "\n\n"
    begin = 0
    for block in text.split(blank):
        first = len(block) - len(block.lstrip("\r\n"))  # of more than one blank line
        if not begin:
            yield first  # comments and titles may precede the names
        elif block[first : first + 1] not in _NO_HEAD:
            end = block.find("\n", first, first + _LONGEST_HEAD)
            if end > 0 and _has_rows(text, begin + first, begin + end):
                yield begin + first
        begin += len(block) + len(blank)


def _has_rows(text: str, begin: int, end: int) -> bool:
    """Return whether the next line has the marks that may separate names in the line before."""
    line = text[begin:end]
    following = text[end + 1 : text.find("\n", end + 1)]
    for mark in _MARKS:
        count = line.count(mark)
        if count and count <= following.count(mark):
            return True
    return False


def _rows(text: str, head: LineOfNames) -> Iterator[Cells]:
    """Yield the cells of each row below a line of names, without quotes and spaces."""
    at = head.end + 1
    while 0 < at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if text.startswith("\\.", at):
            return
        if text[at:end].strip():
            row = row_of(text, head, at, end)
            ends = [*(start - 1 for start in row.cells[1:]), row.end]
            if len(ends) == len(head.names):
                yield [_trimmed(text, a, b) for a, b in zip(row.cells, ends, strict=True)]
            end = max(end, row.end)
        elif not continues(text, head, end + 1):
            return
        at = end + 1


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\r\"'*`":
        start += 1
    while end > start and text[end - 1] in " \t\r\"'*`":
        end -= 1
    return start, end


def _values(text: str, begin: int, end: int) -> Iterator[Cells]:
    """Yield the cells of each row of the VALUES between two places; only texts have content."""
    row: Cells = []
    depth, cell = 0, (begin, begin)
    for token in _TOKEN.finditer(text, begin, end):
        mark = token.group()
        if token.group(1) is not None:
            cell = token.span(1)
        elif mark == "(":
            depth += 1
            if depth == 1:
                row, cell = [], (token.end(), token.end())
        elif mark == ";" and not depth:
            return
        elif depth == 1 and mark in ",)":
            row.append(cell)
            cell = (token.end(), token.end())
            if mark == ")":
                yield row
                depth = 0
        elif mark == ")":
            depth -= 1
