"""Columns: which header stands over a place in CSV, Markdown, SQL inserts, COPY data and HTML.

Asked for in ascending order of offsets, the answers cost one pass over the text in all.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from itertools import pairwise

_BLANK = re.compile(r"\n[ \t\r]{0,40}\n")
_INSERT = re.compile(
    r"insert\s{1,4}(?:or\s{1,4}\w{1,10}\s{1,4})?into\s{1,4}[^\s(;]{1,130}\s{0,20}"
    r"\(([^()']{1,4000})\)\s{0,20}values",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^copy\s{1,4}[^\s(;]{1,130}\s{0,4}\(([^()]{1,4000})\)\s{1,4}from stdin",
    re.IGNORECASE | re.MULTILINE,
)
_SQL_TOKEN = re.compile(r"'[^']*'?|\"[^\"\n]*\"?|[(),;]")
_HTML_HEAD = re.compile(r"<th\b[^<>]{0,200}>(.{0,200}?)</th>", re.IGNORECASE | re.DOTALL)
_HTML_CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,200}>")
_DELIMITERS = ",;\t|"
_LONGEST_LINE = 20_000
_LONGEST_NAME = 60


class Tables:
    """The tables of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sql_at = self._sql_depth = self._sql_column = 0
        self._sql_insert = -1
        self._heads: dict[int, tuple[str, list[str]] | None] = {}
        self._cell: int | None = None
        self._line: tuple[int, int, list[int]] = (-1, -1, [])

    def column(self, at: int) -> str | None:
        """Return the name of the column that offset `at` lies in, if it lies in a table."""
        self._cell = None
        return self._insert_column(at) or self._line_column(at) or self._html_column(at)

    @property
    def cell(self) -> int | None:
        """Where the cell of the last asked place begins, if that is known."""
        return self._cell

    # SQL

    @cached_property
    def _inserts(self) -> list[tuple[int, list[str]]]:
        if "insert" not in self._text and "INSERT" not in self._text and "Insert" not in self._text:
            return []
        return [(m.end(), _names(m.group(1))) for m in _INSERT.finditer(self._text)]

    def _insert_column(self, at: int) -> str | None:
        index = bisect_right(self._inserts, at, key=lambda i: i[0]) - 1
        if index < 0:
            return None
        begin, names = self._inserts[index]
        if index != self._sql_insert or self._sql_at > at:
            self._sql_insert, self._sql_at = index, begin
            self._sql_depth = self._sql_column = 0
        while token := _SQL_TOKEN.search(self._text, self._sql_at, at):
            mark = token.group()
            if mark == "(":
                self._sql_depth += 1
                self._sql_column = 0 if self._sql_depth == 1 else self._sql_column
            elif mark == ")":
                self._sql_depth -= 1
            elif mark == "," and self._sql_depth == 1:
                self._sql_column += 1
            elif mark == ";" and self._sql_depth == 0:
                self._sql_depth = -1_000_000  # the statement has ended
            if token.end() == at and mark[0] in "'\"":
                break  # the place lies inside this string
            self._sql_at = token.end()
        inside = self._sql_depth >= 1 and self._sql_column < len(names)
        return names[self._sql_column] if inside else None

    # lines with delimiters

    @cached_property
    def _breaks(self) -> list[int]:
        return [m.end() for m in _BLANK.finditer(self._text)]

    @cached_property
    def _copies(self) -> list[tuple[int, list[str]]]:
        if "stdin" not in self._text and "STDIN" not in self._text:
            return []
        return [
            (self._text.find("\n", m.end()), _names(m.group(1))) for m in _COPY.finditer(self._text)
        ]

    def _line_column(self, at: int) -> str | None:
        text = self._text
        begin, end, cells = self._line
        if not begin <= at <= end:
            begin = text.rfind("\n", max(0, at - _LONGEST_LINE), at) + 1
            end = text.find("\n", at, at + _LONGEST_LINE)
            end = len(text) if end < 0 else end
            cells = []
        head = self._head(at)
        if head is None or end - begin > _LONGEST_LINE:
            self._line = (begin, end, [])
            return None
        delimiter, names = head
        if not cells:
            cells = _cells(text[begin:end], delimiter, begin)
            self._line = (begin, end, cells)
        if len(cells) != len(names):
            return None
        index = bisect_right(cells, at) - 1
        self._cell = cells[index]
        return names[index]

    def _head(self, at: int) -> tuple[str, list[str]] | None:
        copied = bisect_right(self._copies, at, key=lambda c: c[0]) - 1
        if copied >= 0:
            begin, names = self._copies[copied]
            if self._text.find("\n\\.", begin, at) < 0:
                return "\t", names
        place = bisect_right(self._breaks, at) - 1
        begin = self._breaks[place] if place >= 0 else 0
        if begin not in self._heads:
            self._heads[begin] = _read_head(self._text, begin)
        return self._heads[begin]

    # HTML

    @cached_property
    def _html_heads(self) -> list[tuple[int, str]]:
        if "</th>" not in self._text and "</TH>" not in self._text:
            return []
        return [
            (m.start(), _TAG.sub(" ", m.group(1)).strip()) for m in _HTML_HEAD.finditer(self._text)
        ]

    def _html_column(self, at: int) -> str | None:
        text = self._text
        if not self._html_heads:
            return None
        table = max(text.rfind("<table", max(0, at - 200_000), at), 0)
        row = text.rfind("<tr", max(table, at - 8_000), at)
        if row < 0:
            return None
        cells = [m.end() for m in _HTML_CELL.finditer(text, row, at)]
        index = len(cells) - 1
        low = bisect_right(self._html_heads, table, key=lambda h: h[0])
        high = bisect_right(self._html_heads, row, key=lambda h: h[0])
        names = [name for _, name in self._html_heads[low:high]][-100:]
        if not 0 <= index < len(names):
            return None
        self._cell = text.find(">", cells[-1], at) + 1 or at
        return names[index]


def headers(text: str) -> list[tuple[str, int]]:
    """Return the column names that the text declares, and where: the first line, INSERT, COPY."""
    found: dict[str, int] = {}
    head = _read_head(text, 0)
    if head is not None:
        found.update({name: max(0, text.find(name)) for name in head[1] if name})
    for form in (_INSERT, _COPY):
        for statement in form.finditer(text):
            begin, end = statement.span(1)
            for name in _names(statement.group(1)):
                found.setdefault(name, max(begin, text.find(name, begin, end)))
    return list(found.items())


def _names(listed: str) -> list[str]:
    return [name.strip(' \t\r\n"`[]') for name in listed.split(",")]


def _cells(line: str, delimiter: str, offset: int) -> list[int]:
    """Return where each cell of a line begins; a delimiter inside double quotes is text."""
    starts, quoted = [offset], False
    for n, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == delimiter and not quoted:
            starts.append(offset + n + 1)
    return starts


def _read_head(text: str, begin: int) -> tuple[str, list[str]] | None:
    """Return delimiter and names if the block at `begin` has a line of names over cells."""
    end = text.find("\n", begin, begin + _LONGEST_LINE)
    if end < 0:
        return None
    line = text[begin:end].rstrip("\r")
    delimiter = max(_DELIMITERS, key=line.count)
    if line.count(delimiter) < 1 or line.lstrip().startswith(("<", "{", "#!", "//")):
        return None
    starts = [*_cells(line, delimiter, 0), len(line) + 1]
    cells = [line[a : b - 1] for a, b in pairwise(starts)]
    names = [cell.strip(' \t"\ufeff*`') for cell in cells]
    if not all(_is_name(name) for name in names if name) or sum(map(bool, names)) < 2:
        return None
    following_end = text.find("\n", end + 1, end + 1 + _LONGEST_LINE)
    following = text[end + 1 : following_end if following_end >= 0 else end + 1 + _LONGEST_LINE]
    if len(_cells(following.rstrip("\r"), delimiter, 0)) != len(names):
        return None
    return delimiter, names


def _is_name(cell: str) -> bool:
    return (
        len(cell) <= _LONGEST_NAME
        and any(c.isalpha() for c in cell)
        and sum(c.isdigit() for c in cell) <= 4
        and not any(c in "=@{}<>;\"'" for c in cell)
        and len(cell.split()) <= 6
    )
