"""Delimited text: the line that names the columns, and the cells of each row, in any dialect.

The usual form, names and double quotes in the first line, is tried first and is quick. The others
are looked for by lines that agree: other delimiters, single quotes, `sep=;`, comments and titles
above the names, cells with line ends, rows with missing cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from waivern.detection.expressions import expression

LONGEST_LINE = 1 << 20
_DELIMITERS = ",;\t|"
_ALL_DELIMITERS = ",;\t|^~:"
_RULE = expression(r"[-=+|: ]{3,}")
"""A line between the names and the rows, as in Markdown and on terminals."""
_QUOTED = {
    # A quote after a digit is an inch, an apostrophe is a quote only at the edge of a cell.
    '"': re.compile(r'(?<![\w.)])"[^"]*"?'),
    "'": re.compile(r"(?<![^,;\t|^~:])'(?:[^']|''|'(?![,;\t|^~:\r\n]|\Z))*+'?"),
}
_SEP = expression(r'"?sep=(\t|[^\s"\w])"?\s*', re.IGNORECASE)
_COMMENTS = ("#", "//", "--", "%", ";;", "/*", "REM ")
_NO_HEAD = ("<", "{", "#!", "//")
_LONGEST_NAME = 60
_NOT_IN_NAMES = frozenset("=@{}<>;\"'")
_MOST_WORDS = 6
"""The words of the longest name."""
_MOST_ABOVE = 8
"""The comments and titles above the names that are passed over."""
_MOST_LINES = 60
"""The lines of one cell."""
_CELL_REACH = 8_000
"""Characters in which a row with line ends in its cells is looked for."""


class LineOfNames(NamedTuple):
    """A line with the names of the columns below it."""

    delimiter: str
    names: list[str]
    starts: list[int]
    """Where the cells of the names begin, if they are in a line."""
    end: int
    """Where the line ends."""
    quote: str = '"'


class Row(NamedTuple):
    """A row of a table at [begin, end), and where its cells begin; without cells, it is no row."""

    begin: int
    end: int
    cells: list[int]


def line_of_names(text: str, begin: int) -> LineOfNames | None:
    """Return the line at `begin`, or soon after it, if it names the columns of the rows below."""
    end = text.find("\n", begin, begin + LONGEST_LINE)
    if end < 0:
        return None
    return _usual(text, begin, end) or _unusual(text, begin, end)


def cell_starts(line: str, delimiter: str, offset: int, quote: str = '"') -> list[int]:
    """Return where each cell of a line begins; a delimiter inside quotes is text."""
    if quote in line:
        line = _QUOTED[quote].sub(lambda quoted: "-" * len(quoted[0]), line)
    starts = [offset]
    at = line.find(delimiter)
    while at >= 0:
        starts.append(offset + at + 1)
        at = line.find(delimiter, at + 1)
    return starts


def with_line_ends(text: str) -> str:
    """Return the text with line feeds in place of carriage returns, if these end its lines."""
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def row_of(text: str, head: LineOfNames, begin: int, end: int) -> Row:
    """Return the row that the line at [begin, end) is, or is a part of."""
    cells = _cells(text, head, begin, end)
    if len(cells) == len(head.names):
        return Row(begin, end, cells)
    if head.quote in text[max(0, begin - _CELL_REACH) : end + _CELL_REACH]:
        for first, last in _joined(text, begin, end, head.quote):
            joined = _cells(text, head, first, last)
            if len(joined) == len(head.names):
                return Row(first, last, joined)
    return Row(begin, end, _ragged(text, head, cells, end))


def may_continue(text: str, begin: int) -> bool:
    """Return whether the lines at `begin` agree as rows do: a quick look, for `continues`."""
    lines = [text[first:last] for first, last in _lines(text, begin, 4)]
    if not lines or lines[0].count('"') % 2 or lines[0].count("'") % 2:
        return bool(lines)
    counts = [[line.count(delimiter) for line in lines] for delimiter in _ALL_DELIMITERS]
    return any(max(each) > 1 and len({*each}) < max(2, len(each)) for each in counts)


def continues(text: str, head: LineOfNames, begin: int) -> bool:
    """Return whether the lines at `begin`, after a blank line, are further rows of a table."""
    if len(head.names) < 3:
        return False
    fitting = seen = 0
    for first, last in _lines(text, begin, 4):
        if not seen and text.count(head.quote, first, last) % 2:
            # the end of a cell with a blank line
            return text.find(head.delimiter, first, last) >= 0
        seen += 1
        fitting += len(_cells(text, head, first, last)) == len(head.names)
    return fitting >= min(2, seen) > 0


def _cells(text: str, head: LineOfNames, begin: int, end: int) -> list[int]:
    return cell_starts(text[begin:end], head.delimiter, begin, head.quote)


def _ragged(text: str, head: LineOfNames, cells: list[int], end: int) -> list[int]:
    """Return the cells of a row that has too few of them, or empty ones at its end."""
    most = len(head.names)
    if len(cells) > most:
        rest = text[cells[most] : end].strip(head.delimiter + head.quote + " \r")
        return [] if rest else cells[:most]
    return cells if 3 * len(cells) >= 2 * most else []


def _lines(text: str, begin: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each of the next lines."""
    for _ in range(most):
        if begin >= len(text):
            return
        end = text.find("\n", begin, begin + LONGEST_LINE)
        end = min(len(text), begin + LONGEST_LINE) if end < 0 else end
        yield begin, end
        begin = end + 1


def _joined(text: str, begin: int, end: int, quote: str) -> Iterator[tuple[int, int]]:
    """Yield what may be the row of a line whose cells have line ends, or that is within one."""
    if text.count(quote, begin, end) % 2:
        if (last := _odd_below(text, end, quote)) is not None:
            yield begin, last
        if (first := _odd_above(text, begin, quote)) is not None:
            yield first, end
        return
    first, last = _odd_above(text, begin, quote), _odd_below(text, end, quote)
    if first is not None and last is not None:
        yield first, last


def _odd_below(text: str, end: int, quote: str) -> int | None:
    """Return where the next line ends that has an odd number of quotes."""
    for first, last in _lines(text, end + 1, _MOST_LINES):
        if last - end > _CELL_REACH:
            return None
        if text.count(quote, first, last) % 2:
            return last
    return None


def _odd_above(text: str, begin: int, quote: str) -> int | None:
    """Return where the last line begins that has an odd number of quotes."""
    end, floor = begin - 1, max(0, begin - _CELL_REACH)
    for _ in range(_MOST_LINES):
        if end <= floor:
            return None
        first = text.rfind("\n", floor, end) + 1
        if text.count(quote, first, end) % 2:
            return first
        end = first - 1
    return None


def _usual(text: str, begin: int, end: int) -> LineOfNames | None:
    line, at = text[begin:end].rstrip("\r"), begin
    if _RULE.fullmatch(line):
        at = end + 1
        line, end = _line_after(text, end)
    if line.startswith("^") and "|" in _line_after(text, end)[0]:
        line = line.replace("^", "|")  # in a wiki, names stand between '^' and cells between '|'
    delimiter = max(_DELIMITERS, key=line.count)
    if line.count(delimiter) < 1 or line.count('"') % 2 or line.lstrip().startswith(_NO_HEAD):
        return None
    head = _named(line, at, end, delimiter, '"')
    if head is None:
        return None
    following, after = _line_after(text, end)
    if _RULE.fullmatch(following) or not following.strip():
        following, _ = _line_after(text, after)
    return head if len(cell_starts(following, delimiter, 0)) == len(head.names) else None


def _named(line: str, at: int, end: int, delimiter: str, quote: str) -> LineOfNames | None:
    """Return the line if its cells are names."""
    first = line[: line.find(delimiter)]
    if quote not in line and len(first) > _LONGEST_NAME and len(first.split()) > _MOST_WORDS:
        return None  # prose
    starts = cell_starts(line, delimiter, at, quote)
    names = []
    around = f" \t{quote}\ufeff*`"
    for begin, following in pairwise([*starts, at + len(line) + 1]):
        name = " ".join(line[begin - at : following - at - 1].strip(around).split())
        if name and not _is_name(name):
            return None  # the usual answer for prose and code: most of it is not looked at
        names.append(name)
    if sum(map(bool, names)) < 2:
        return None
    return LineOfNames(delimiter, names, starts, end, quote)


def _unusual(text: str, begin: int, end: int) -> LineOfNames | None:
    """Return the names of a table in another dialect, which several lines show."""
    declared = _SEP.fullmatch(text[begin : min(end, begin + 10)].lstrip("\ufeff"))
    commented = declared or text.startswith(_COMMENTS, begin)
    if not commented and text.startswith("\n", end + 1) and not text.count('"', begin, end) % 2:
        return None  # no row follows
    lines = [*_lines(text, begin, _MOST_ABOVE + 4 if commented else 5)]
    above = 0
    for index, (first, last) in enumerate(lines[:-1]):
        line = text[first:last].rstrip("\r")
        if not line.strip() or above > _MOST_ABOVE:
            return None
        if line.startswith(_COMMENTS) or (declared and not index):
            above += 1
            continue
        if line.lstrip().startswith(("<", "{", "BEGIN:")):
            return None
        if line.count('"') % 2 and (last := _odd_below(text, last, '"') or last):
            line = text[first:last].rstrip("\r")  # a name with a line end in it
            lines[index:] = [(first, last), *_lines(text, last + 1, 4)]
        head = _agreeing(text, line, lines[index:], declared[1] if declared else "")
        if head is not None:
            return head
        above += 3  # a title, of which there are few
    return None


def _agreeing(
    text: str, line: str, lines: list[tuple[int, int]], declared: str
) -> LineOfNames | None:
    """Return the line if it has names and the lines below it have as many cells."""
    if len(lines) < 2:
        return None  # a quoted name takes the rest of the text
    following = text[slice(*lines[1])]
    for delimiter in declared or _ALL_DELIMITERS:
        count = line.count(delimiter)
        if not count or (delimiter not in following and '"' not in following):
            continue
        if delimiter == ":" and (count < 2 or ": " in line or ": " in following):
            continue  # a key and its value
        for quote in ('"', "'"):
            if quote == "'" and not line.lstrip("\ufeff").startswith(quote):
                continue
            head = _named(line, lines[0][0], lines[0][1], delimiter, quote)
            if head is not None and _rows_agree(text, head, lines[1:]):
                return head
    return None


def _rows_agree(text: str, head: LineOfNames, lines: list[tuple[int, int]]) -> bool:
    """Return whether the first rows have as many cells as there are names."""
    wanted = 1 if head.delimiter in _DELIMITERS and head.quote == '"' else 2
    done = fitting = seen = 0
    for begin, end in lines:
        if begin < done:
            continue
        if begin == end or seen == 3:
            break
        row = row_of(text, head, begin, end)
        if row.begin == begin:
            done = row.end
        seen += 1
        fitting += len(row.cells) == len(head.names)
    return fitting == seen >= 1 if seen <= wanted else fitting >= wanted


def _line_after(text: str, end: int) -> tuple[str, int]:
    """Return the line after the one that ends at `end`, and where it ends."""
    begin, most = end + 1, end + 1 + LONGEST_LINE
    end = text.find("\n", begin, most)
    return text[begin : end if end >= 0 else most].rstrip("\r"), end if end >= 0 else most


def _is_name(cell: str) -> bool:
    return (
        len(cell) <= _LONGEST_NAME
        and len(cell.split()) <= _MOST_WORDS
        and _NOT_IN_NAMES.isdisjoint(cell)
        and any(map(str.isalpha, cell))
        and sum(map(str.isdigit, cell)) <= 4
        and cell.count("(") == cell.count(")")
    )
