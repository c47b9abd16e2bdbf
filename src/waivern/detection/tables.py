"""Columns: the header of a position in CSV, Markdown, SQL inserts, COPY data and HTML.

Looked up in ascending order of offsets, all positions together cost one pass over the text.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from heapq import merge
from itertools import pairwise
from typing import TYPE_CHECKING

from waivern.detection.delimited import (
    LONGEST_LINE,
    LineOfNames,
    continues,
    line_of_names,
    may_continue,
    row_of,
)
from waivern.detection.expressions import expression
from waivern.detection.mail_encodings import open_part

if TYPE_CHECKING:
    from waivern.detection.text_words import TextWords

_BLANK = expression(r"\n[ \t\r]{0,40}\n")
_INSERT = expression(
    r"insert\s{1,4}(?:or\s{1,4}\w{1,10}\s{1,4})?into\s{1,4}[^\s(;]{1,130}\s{0,20}"
    r"\(([^()']{1,4000})\)\s{0,20}values",
    re.IGNORECASE,
)
_COPY = expression(
    r"^copy\s{1,4}[^\s(;]{1,130}\s{0,4}\(([^()]{1,4000})\)\s{1,4}from stdin",
    re.IGNORECASE | re.MULTILINE,
)
_SQL_TOKEN = expression(r"'[^']*'?|\"[^\"\n]*\"?|[(),;]")
_SQL_OVER = -1_000_000
_HTML_HEAD = expression(r"<th\b[^<>]{0,200}>(.{0,200}?)</th>", re.IGNORECASE | re.DOTALL)
_HTML_TABLE = expression(r"<table")
_HTML_ROW = expression(r"<tr")
_HTML_CELL = expression(r"<t[dh]\b", re.IGNORECASE)
_TAG = expression(r"<[^<>]{0,200}>")
_LONGEST_ROW = 8_000
_MOST_COLUMNS = 100
_MOST_BLOCKS = 50
"""The blank lines after which the names of a table still hold."""
_CONTEXT = 1_000
"""Characters before a text that may label what is in it."""


class Tables:
    """The tables of one text."""

    def __init__(self, text: str, words: TextWords | None = None) -> None:
        self._text = text
        self._words = words
        self._size = len(text)
        self._sql: _Values | None = None
        self._heads: dict[int, LineOfNames | None] = {}
        self._own_heads: dict[int, LineOfNames | None] = {}
        self._cell: int | None = None
        self._line: tuple[int, int, list[int]] = (-1, -1, [])
        self._names: list[str] = []
        """The names of the columns of that line, if it has a cell for each."""

    def column(self, at: int) -> str | None:
        """Return the name of the column that offset `at` lies in, if it lies in a table."""
        if self._names and self._only_lines and self._line[0] <= at <= self._line[1]:
            cells = self._line[2]  # of the row of the last look-up
            index = bisect_right(cells, at) - 1
            self._cell = cells[index]
            return self._names[index] or self._html_column(at)
        self._cell = None
        return self._insert_column(at) or self._line_column(at) or self._html_column(at)

    @property
    def cell(self) -> int | None:
        """The start of the cell of the position that was looked up last, if it is known."""
        return self._cell

    def row_head(self, at: int) -> str | None:
        """Return the first cell of the row of the position that was looked up last.

        It is the head of the row in a table of keys and values, or of one column for each person.
        """
        _, _, cells = self._line
        if self._head(at) is None:
            return None
        for begin, following in pairwise(cells):
            if following > at:
                return None
            if cell := self._text[begin : following - 1].strip(' \t"*`'):
                return cell  # in Markdown, the line begins with an empty cell
        return None

    @cached_property
    def _only_lines(self) -> bool:
        """Whether the text has no statements of SQL."""
        return not self._inserts and not self._copies

    # SQL

    @cached_property
    def _inserts(self) -> list[tuple[int, list[str]]]:
        found = statements(_INSERT, "insert", self._text, self._words)
        return [(m.end(), _names(m.group(1))) for m in found]

    def _insert_column(self, at: int) -> str | None:
        if not self._inserts:
            return None
        index = bisect_right(self._inserts, at, key=lambda i: i[0]) - 1
        if index < 0:
            return None
        begin, names = self._inserts[index]
        if self._sql is None or self._sql.begin != begin or self._sql.at > at:
            following = self._inserts[index + 1 : index + 2]
            self._sql = _Values(self._text, begin, following[0][0] if following else None)
        column = self._sql.column(at)
        return names[column] if column is not None and column < len(names) else None

    def _open_insert(self) -> str | None:
        """Return the beginning of the INSERT that the text ends in, up to its last row."""
        if not self._inserts:
            return None
        begin, names = self._inserts[-1]
        rows = _Values(self._text, begin, None)
        column = rows.column(self._size)
        if rows.ended:
            return None
        row = "" if column is None else "(" + "," * min(column, len(names))
        return f"insert into t ({','.join(names)}) values\n{row}"

    # lines with delimiters

    @cached_property
    def _breaks(self) -> list[int]:
        return [*_blank_lines(self._text)]

    @cached_property
    def _copies(self) -> list[tuple[int, int, list[str]]]:
        """The start and end of the rows of each COPY, and its columns."""
        text = self._text
        copies, end = [], -1
        for copy in statements(_COPY, "copy", text, self._words):
            begin = text.find("\n", copy.end())
            if begin < 0:
                break
            if end < begin:  # a COPY among the rows of another ends where that one does
                end = text.find("\n\\.", begin)
                end = len(text) if end < 0 else end
            copies.append((begin, end, _names(copy.group(1))))
        return copies

    def _line_column(self, at: int) -> str | None:
        text = self._text
        begin, end, cells = self._line
        self._names = []
        if not begin <= at <= end:
            begin = text.rfind("\n", max(0, at - LONGEST_LINE), at) + 1
            end = text.find("\n", at, at + LONGEST_LINE)
            end = len(text) if end < 0 else end
            cells = []
        head = self._head(at)
        if head is None or end - begin > LONGEST_LINE:
            self._line = (begin, end, [])
            return None
        if not cells:
            begin, end, cells = self._line = row_of(text, head, begin, end)
        if not cells:
            return None
        self._names = head.names
        index = bisect_right(cells, at) - 1
        self._cell = cells[index]
        return head.names[index]

    def _head(self, at: int) -> LineOfNames | None:
        copied = bisect_right(self._copies, at, key=lambda c: c[0]) - 1
        if copied >= 0:
            _, end, names = self._copies[copied]
            if at < end + len("\n\\."):
                return LineOfNames("\t", names, [], 0)
        place = bisect_right(self._breaks, at) - 1
        begin = self._breaks[place] if place >= 0 else 0
        if begin not in self._heads:
            head = self._own_head(begin)
            if head is None and place >= 0 and may_continue(self._text, begin):
                above = self._head_above(place)
                head = above if above and continues(self._text, above, begin) else None
            self._heads[begin] = head
        return self._heads[begin]

    def _own_head(self, begin: int) -> LineOfNames | None:
        if begin not in self._own_heads:
            self._own_heads[begin] = line_of_names(self._text, begin)
        return self._own_heads[begin]

    def _head_above(self, place: int) -> LineOfNames | None:
        """Return the last line of names above a blank line."""
        for above in range(place - 1, max(-2, place - _MOST_BLOCKS), -1):
            head = self._own_head(self._breaks[above] if above >= 0 else 0)
            if head is not None:
                return head
        return None

    def _open_copy(self) -> str | None:
        """Return the beginning of the COPY that the text ends in."""
        if not self._copies or self._copies[-1][1] < self._size:
            return None
        return f"copy t ({','.join(self._copies[-1][2])}) from stdin;\n"

    def _open_lines(self) -> str | None:
        """Return the line of names and the last rows, if the text ends with rows of such a line."""
        text, begin = self._text, self._breaks[-1] if self._breaks else 0
        head = line_of_names(text, begin) if begin < self._size else None
        if head is None:
            return None
        rows = head.end + 1
        near = max(text.find("\n", max(rows, self._size - _CONTEXT)) + 1, rows)
        return text[begin:rows] + text[near:]

    # HTML

    @cached_property
    def _html_heads(self) -> list[tuple[int, str]]:
        if "</th>" not in self._text and "</TH>" not in self._text:
            return []
        return [
            (m.start(), _TAG.sub(" ", m.group(1)).strip()) for m in _HTML_HEAD.finditer(self._text)
        ]

    @cached_property
    def _html_marks(self) -> list[array[int]]:
        """The starts of tables, rows and cells."""
        forms = (_HTML_TABLE, _HTML_ROW, _HTML_CELL)
        return [array("q", (m.start() for m in form.finditer(self._text))) for form in forms]

    def _html_column(self, at: int) -> str | None:
        if not self._html_heads:
            return None
        tables, rows, cells = self._html_marks
        table, row = _last(tables, at, 0), _last(rows, at, -1)
        if row < max(table, at - _LONGEST_ROW):
            return None
        last = bisect_left(cells, at) - 1
        index = last - bisect_left(cells, row)
        low = bisect_right(self._html_heads, table, key=lambda h: h[0])
        high = bisect_right(self._html_heads, row, key=lambda h: h[0])
        low = max(low, high - _MOST_COLUMNS)
        if not 0 <= index < high - low:
            return None
        self._cell = self._text.find(">", cells[last], at) + 1 or at
        return self._html_heads[low + index][1]

    def _open_html(self) -> str | None:
        """Return the names of the table that the text ends in, and its last row."""
        if not self._html_heads:
            return None
        tables, rows, _ = self._html_marks
        begin = _last(tables, self._size, 0)
        if self._text.find("</table", begin) >= 0:
            return None
        names = [name for at, name in self._html_heads if at >= begin][-_MOST_COLUMNS:]
        row = max(_last(rows, self._size, begin), self._size - _LONGEST_ROW)
        head = "".join(f"<th>{name}</th>" for name in names)
        return f"<table><tr>{head}</tr>\n{self._text[row:]}"

    def open_at_end(self) -> str | None:
        """Return a text that declares the columns of the table that the text ends in."""
        return self._open_insert() or self._open_copy() or self._open_lines() or self._open_html()


class _Values:
    """The VALUES of one INSERT at [begin, end), read once, for ascending positions."""

    def __init__(self, text: str, begin: int, end: int | None) -> None:
        self.begin = self.at = begin
        self._tokens = _SQL_TOKEN.finditer(text, begin, len(text) if end is None else end)
        self._next = next(self._tokens, None)
        self._depth = self._column = 0

    @property
    def ended(self) -> bool:
        """Whether the statement ended before the position that was looked up last."""
        return self._depth < 0

    def column(self, at: int) -> int | None:
        """Return the number of the column that `at` lies in."""
        self.at = at
        while self._next and self._next.start() < at:
            self._take(self._next.group())
            self._next = next(self._tokens, None)
        return self._column if self._depth >= 1 else None

    def _take(self, mark: str) -> None:
        if mark == "(":
            self._depth += 1
            self._column = 0 if self._depth == 1 else self._column
        elif mark == ")":
            self._depth -= 1
        elif mark == "," and self._depth == 1:
            self._column += 1
        elif mark == ";" and self._depth == 0:
            self._depth = _SQL_OVER


def statements(
    form: re.Pattern[str], first: str, text: str, words: TextWords | None
) -> Iterator[re.Match[str]]:
    """Yield the statements of a form, in order; to search for the `first` word is faster.

    `words` are the words of the text, if known.
    """
    done = 0
    spellings = (first, first.upper(), first.title())
    for begin in merge(*(_places(text, word, words) for word in spellings)):
        statement = form.match(text, begin) if begin >= done else None
        if statement is not None:
            done = statement.end()
            yield statement


def _places(text: str, word: str, words: TextWords | None) -> Iterator[int]:
    if words is not None:
        yield from words.places_of(word, word)
        return
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _blank_lines(text: str) -> Iterator[int]:
    """Yield where the line after each blank line begins."""
    if any(sign[0] in text and sign in text for sign in ("\r\n", "\t\n", " \n")):
        yield from (blank.end() for blank in _BLANK.finditer(text))
        return
    at = text.find("\n\n")
    while at >= 0:
        yield at + 2
        at = text.find("\n\n", at + 2)


def first_line(text: str) -> LineOfNames | None:
    """Return the first line if it names the columns of the rows below it."""
    return line_of_names(text, 0)


def context_for_next(text: str) -> str:
    """Return a short text that labels what follows `text` as `text` itself would.

    It is put before what follows: the end of `text`, or what declares the columns of the table that
    `text` ends in.
    """
    near = max(0, len(text) - _CONTEXT)
    if part := open_part(text, _CONTEXT):
        return part
    return Tables(text).open_at_end() or text[text.find("\n", near) + 1 or near :]


def headers(
    text: str, head: LineOfNames | None, words: TextWords, begin: int
) -> list[tuple[str, int]]:
    """Return the column names that the text declares, and where: INSERT, COPY, and `head`.

    `head` is the text's first line, if that names columns; `words` are the words of a text that
    ends with this one, from `begin` on.
    """
    found: dict[str, int] = {}
    if head is not None:
        for name, start in zip(head.names, head.starts, strict=True):
            if name:
                found.setdefault(name, text.find(name, start))
    for form, first in ((_INSERT, "insert"), (_COPY, "copy")):
        for statement in statements(form, first, words.text, words):
            if statement.start() >= begin:
                for name, start in _listed(statement.group(1), statement.start(1) - begin):
                    found.setdefault(name, start)
    return list(found.items())


def _names(listed: str) -> list[str]:
    return [name for name, _ in _listed(listed, 0)]


def _listed(listed: str, begin: int) -> Iterator[tuple[str, int]]:
    """Yield each name of a list with commas that begins at `begin`, and where the name does."""
    for cell in listed.split(","):
        name = cell.strip(' \t\r\n"`[]')
        yield name, begin + cell.find(name)
        begin += len(cell) + 1


def _last(places: array[int], at: int, otherwise: int) -> int:
    """Return the last of the places that lies before `at`."""
    index = bisect_left(places, at) - 1
    return places[index] if index >= 0 else otherwise
