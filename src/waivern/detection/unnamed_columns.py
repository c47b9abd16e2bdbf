"""Tables without a line of names: what their columns hold, judged by the values.

A number with the form of a phone number is one only if something says so. If the neighbours above
and below it are phone numbers as well, the column says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from waivern.detection.delimited import LONGEST_LINE, LineOfNames, cell_starts
from waivern.detection.people.names import form
from waivern.detection.value_types import VALUE_TYPES
from waivern.detection.weighing import Match

_DELIMITERS = "\t;|,"
_FIRST = 8
"""The first lines, which have to have the same cells."""
_JUDGED = 40
"""The different values by which a column is judged, among the first `_READ` rows."""
_READ = 400
_FEWEST = 4
_MOST_OF_THEM = 0.8
"""The share of the values that are of one type."""
_KNOWN = 0.3
"""The share of names that begin or end with a frequent given name."""
_KNOWN_ALONE = 0.6
"""The same if no value has two words: many towns and flowers are given names, too."""
_LONGEST_CELL = 80


def unnamed_columns(text: str, read: Callable[[str], list[Match]]) -> LineOfNames | None:
    """Return names for the columns of a table that has none; '' for one that may hold anything.

    A name is a label of the type that most values of its column have. `read` returns the matches in
    a cell. None: the text is no such table, or no column has a type.
    """
    lines = _lines(text, _FIRST)
    for delimiter in _DELIMITERS if len(lines) >= _FEWEST else "":
        size = lines[0].count(delimiter) + 1
        if size > 1 and all(len(_cells(line, delimiter)) == size for line in lines):
            rows = (_cells(line, delimiter) for line in _lines(text, _READ))
            columns = zip(*(row for row in rows if len(row) == size), strict=True)
            names = [_label(dict.fromkeys(filter(None, column)), read) for column in columns]
            return LineOfNames(delimiter, names, [], -1) if any(names) else None
    return None


def _lines(text: str, count: int) -> list[str]:
    """Return the first lines; none of a text with lines that are too long or empty."""
    found: list[str] = []
    begin = 0
    while len(found) < count and begin < len(text):
        end = text.find("\n", begin, begin + LONGEST_LINE)
        if end < 0:
            break
        line = text[begin:end].rstrip("\r")
        if not line:
            return found
        found.append(line)
        begin = end + 1
    return found


def _cells(line: str, delimiter: str) -> list[str]:
    starts = cell_starts(line, delimiter, 0)
    ends = [*(start - 1 for start in starts[1:]), len(line)]
    return [line[a:b].strip(' \t"') for a, b in zip(starts, ends, strict=True)]


def _label(values: Iterable[str], read: Callable[[str], list[Match]]) -> str:
    """Return a label of the type that most of the values have; '' if there is none."""
    judged = list(islice(values, _JUDGED))
    if len(judged) < _FEWEST or max(map(len, judged)) > _LONGEST_CELL:
        return ""
    if _are_names(judged):
        return VALUE_TYPES["PERSON"].label
    kinds = Counter(
        match.type for cell in judged for match in read(cell) if len(match.value) == len(cell)
    )
    for kind, count in kinds.most_common(1):
        if count >= _MOST_OF_THEM * len(judged) and kind in VALUE_TYPES:
            return VALUE_TYPES[kind].label
    return ""


def _are_names(values: Sequence[str]) -> bool:
    """Return whether values are the names of persons: most have the form, and many are known."""
    forms = [found for value in values if (found := form(value, single=True))]
    known = sum(found.known for found in forms)
    single = max((found.parts for found in forms), default=0) < 2
    enough = _KNOWN_ALONE if single else _KNOWN
    return len(forms) >= _MOST_OF_THEM * len(values) and known >= enough * len(values)
