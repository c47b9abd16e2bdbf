"""Fields of delimited text: the columns of CSV and TSV, the keys of lines of JSON."""

from __future__ import annotations

import json
from bisect import bisect_left

from waivern.detection.expressions import expression
from waivern.detection.weighing import Match

MOST_FIELDS = 1_000
"""The fields of one text that are distinguished: keys may be data, one for each record."""
_LONGEST_LINE = 20_000
# Always ends, at the end of the line if there is no quote: no string is read twice.
_STRING = expression(r'"([^"\\]*+(?:\\.?[^"\\]*+)*+)(?:"(\s{0,20}:)?|\Z)')


class RecordFields:
    """The field of each value in a text that has one record on each line.

    `columns` are the names in the text's first line, if it has such; `head` is the beginning of the
    text. `of` returns "" for a value that is in no field, and in texts of other forms.
    """

    def __init__(self, columns: frozenset[str], head: str) -> None:
        self._columns = columns
        self._json = head.startswith("{") and not columns and _has_flat_objects(head)
        self._seen: set[str] = set()
        self._line: tuple[int, int, list[int], list[str]] = (0, -1, [], [])

    def enter(self, text: str) -> None:
        """Take the text, or the part of it, that the next matches are in, in ascending order."""
        self._text = text
        self._line = (0, -1, [], [])

    def of(self, match: Match) -> str:
        """Return the name of the field that a match is in."""
        if match.column in self._columns:
            return match.column
        name = self._key(match.start) if self._json else ""
        if name not in self._seen:
            if len(self._seen) == MOST_FIELDS:
                return ""
            self._seen.add(name)
        return name

    def _key(self, at: int) -> str:
        begin, end, ends, keys = self._line
        if not begin <= at <= end:
            begin = self._text.rfind("\n", max(0, at - _LONGEST_LINE), at) + 1
            end = self._text.find("\n", at, at + _LONGEST_LINE)
            end = min(len(self._text), at + _LONGEST_LINE) if end < 0 else end
            found = [m for m in _STRING.finditer(self._text, begin, end) if m.group(2)]
            ends, keys = [m.end() for m in found], [m.group(1) for m in found]
            self._line = (begin, end, ends, keys)
        before = bisect_left(ends, at + 1) - 1
        return keys[before] if before >= 0 else ""


def _has_flat_objects(head: str) -> bool:
    """Return whether the first lines are JSON objects without lists and objects in them."""
    lines = head[:_LONGEST_LINE].split("\n", 2)
    if len(lines) < 3 and len(head) > _LONGEST_LINE:
        lines.pop()  # it is cut
    filled = [line for line in lines[:2] if line.strip()]
    return bool(filled) and all(line.startswith("{") and _is_flat(line) for line in filled)


def _is_flat(line: str) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and not any(
        isinstance(value, dict | list) for value in record.values()
    )
