"""Names in the columns of tables: a column is judged once, by its name and by its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise

from waivern.detection.people.candidates import DOUBTFUL, FAIR, STRONG, person
from waivern.detection.people.name_fields import ANCHORS, NameField, describes_people, name_field
from waivern.detection.people.names import form
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.tables import cell_starts, line_of_names

_JUDGED = 200
"""The different values by which a column is judged."""
_ENOUGH = 0.3
"""The share of values with the form of a name from which a column counts as one of names."""
_LONGEST_LINE = 20_000


def name_column(field: str, beside: Iterable[str], values: Iterable[str]) -> float | None:
    """Return the confidence that a value of a column is a person's name, if it has the form.

    `beside` are the names of the other columns. None: the column is not one of names.
    """
    kind = name_field(field)
    if kind is None:
        return None
    judged = list(islice(dict.fromkeys(v for v in values if v and not v.isspace()), _JUDGED))
    forms = [form(value, single=kind is not NameField.WEAK) for value in judged]
    named = [each for each in forms if each is not None]
    if not judged or len(named) < _ENOUGH * len(judged):
        return DOUBTFUL if kind is NameField.WEAK else FAIR - 0.1
    known = sum(each.known for each in named)
    several = len({each.words for each in named}) > 1
    if kind is not NameField.WEAK:
        return STRONG
    if several and known >= _ENOUGH * len(judged):
        return STRONG
    return FAIR if describes_people(beside) else DOUBTFUL


def whole_value(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the text itself if it is the value of a field of names."""
    field = doc.field or ""
    kind = name_field(field)
    if kind is None:
        return
    text = doc.text.strip()
    place = doc.person if doc.person is not None else name_column(field, (), [text])
    begin = doc.text.find(text)
    yield from _cell(begin, text, kind, place or DOUBTFUL)


def column_names(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the names in the columns of delimited lines."""
    if ANCHORS.isdisjoint(doc.seen) and doc.text.isascii():
        return
    for begin in _blocks(doc.text):
        head = line_of_names(doc.text, begin)
        if head is None:
            continue
        named = [n for n, name in enumerate(head.names) if name and name_field(name)]
        if named:
            rows = list(_rows(doc.text, begin, head.delimiter, len(head.names)))
            for column in named:
                yield from _column(doc.text, head.names, column, [row[column] for row in rows])


def _column(
    text: str, names: Sequence[str], column: int, cells: list[tuple[int, int]]
) -> Iterator[Candidate]:
    values = (text[start:end] for start, end in cells)
    beside = [name for n, name in enumerate(names) if n != column and name]
    kind = name_field(names[column])
    place = name_column(names[column], beside, islice(values, 5 * _JUDGED))
    if place is None or kind is None:
        return
    for start, end in cells:
        yield from _cell(start, text[start:end], kind, place)


def _cell(start: int, value: str, kind: NameField, place: float) -> Iterator[Candidate]:
    # In a column of names a single word is one, too: some values have no surname.
    single = kind is not NameField.WEAK or place >= STRONG
    has = form(value, single=single)
    if has is not None and (has.cased or place >= STRONG):
        if kind is NameField.WEAK and has.parts < 2 and not has.known:
            place = DOUBTFUL
        yield person(start, start + len(value), has, place, "field")


def _blocks(text: str) -> Iterator[int]:
    """Yield where a table may begin: at the first line, and after blank lines."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        if end < 0:
            return
        if any(mark in text[begin:end] for mark in ",;\t|"):
            yield begin
        blank = text.find("\n\n", end)
        if blank < 0:
            return
        begin = blank + 2


def _rows(text: str, begin: int, delimiter: str, columns: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the cells of each row below the line at `begin`, without quotes and spaces."""
    at = text.find("\n", begin) + 1
    while 0 < at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip("\r")
        if not line.strip():
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
