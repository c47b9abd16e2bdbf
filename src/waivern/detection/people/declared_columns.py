"""The cells of columns that a text declares: delimited lines, rows of INSERT and COPY."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from waivern.detection.delimited import cell_starts, line_of_names
from waivern.detection.prepared_text import PreparedText

_LONGEST_LINE = 20_000
_LONGEST_HEAD = 5_000
_MARKS = ",;\t|"
_NO_HEAD = frozenset(" \t\r\n#/*{}<>@()[]+-;:.&!%$\\")
"""What no line of names begins with, and the lines of code and prose often do."""
_INSERT = re.compile(
    r"insert\s{1,4}(?:or\s{1,4}\w{1,10}\s{1,4})?into\s{1,4}[^\s(;]{1,130}\s{0,20}"
    r"\(([^()']{1,4000})\)\s{0,20}values",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^copy\s{1,4}[^\s(;]{1,130}\s{0,4}\(([^()]{1,4000})\)\s{1,4}from stdin;?[^\n]{0,40}\n",
    re.IGNORECASE | re.MULTILINE,
)
_TOKEN = re.compile(r"'((?:[^'\\]|''|\\.)*+)'?|[(),;]")
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
            rows = _lines(text, begin, head.delimiter, len(head.names))
            yield from _columns(head.names, wanted, rows)
    if "insert" in doc.seen:
        statements = list(_INSERT.finditer(text))
        ends = [each.start() for each in statements[1:]] + [len(text)]
        for statement, end in zip(statements, ends, strict=False):
            rows = _values(text, statement.end(), end)
            yield from _columns(_listed(statement.group(1)), wanted, rows)
    if "stdin" in doc.seen:
        end = 0
        for copy in _COPY.finditer(text):
            if copy.start() < end:
                continue  # among the rows of the one before it
            end = text.find("\n\\.", copy.end())
            end = len(text) if end < 0 else end
            names = _listed(copy.group(1))
            yield from _columns(names, wanted, _lines(text, copy.end() - 1, "\t", len(names)))


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
        if block[first : first + 1] not in _NO_HEAD:
            end = block.find("\n", first, first + _LONGEST_HEAD)
            if end > 0 and _has_rows(text, begin + first, begin + end):
                yield begin + first
        begin += len(block) + len(blank)


def _has_rows(text: str, begin: int, end: int) -> bool:
    """Return whether the next line has the marks that may separate names in the line before."""
    line = text[begin:end]
    following = text[end + 1 : text.find("\n", end + 1)]
    return any(0 < line.count(mark) <= following.count(mark) for mark in _MARKS)


def _lines(text: str, begin: int, delimiter: str, columns: int) -> Iterator[Cells]:
    """Yield the cells of each line below that at `begin`, without quotes and spaces."""
    at = text.find("\n", begin) + 1
    while 0 < at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip("\r")
        if not line.strip() or line == "\\.":
            return
        if len(line) <= _LONGEST_LINE:
            starts = [*cell_starts(line, delimiter, at), at + len(line) + 1]
            if len(starts) == columns + 1:
                yield [_trimmed(text, a, b - 1) for a, b in pairwise(starts)]
        at = end + 1


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\"'*`":
        start += 1
    while end > start and text[end - 1] in " \t\"'*`":
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
