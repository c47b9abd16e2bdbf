"""Names in the columns of tables: a column is judged once, by its name and by its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from waivern.detection.people.candidates import DOUBTFUL, FAIR, STRONG, person
from waivern.detection.people.declared_columns import DeclaredColumn
from waivern.detection.people.name_fields import NameField, describes_people, name_field
from waivern.detection.people.names import form
from waivern.detection.prepared_text import Candidate, PreparedText

_JUDGED = 200
"""The different values by which a column is judged."""
MOST_READ = 5 * _JUDGED
"""The first cells of a column among which they are."""
_ENOUGH = 0.3
"""The share of values with the form of a name from which a column counts as one of names."""


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
    place = doc.person if doc.person is not None else name_column(field, doc.beside, [text])
    begin = doc.text.find(text)
    yield from name_in(begin, text, kind, place or DOUBTFUL)


def names_of(doc: PreparedText, column: DeclaredColumn, kind: NameField) -> Iterator[Candidate]:
    """Yield the names in a column that may hold them."""
    values = (doc.text[start:end] for start, end in column.cells)
    place = name_column(column.name, column.beside, islice(values, MOST_READ))
    if place is not None:
        for start, end in column.cells:
            yield from name_in(start, doc.text[start:end], kind, place)


def name_in(start: int, value: str, kind: NameField, place: float) -> Iterator[Candidate]:
    """Yield the name that a cell at `start` consists of, in a column with this confidence."""
    # In a column of names a single word is one, too: some values have no surname.
    single = kind is not NameField.WEAK or place >= STRONG
    has = form(value.replace("''", "'"), single=single)  # O''Brien in SQL
    if has is not None and (has.cased or place >= STRONG):
        if kind is NameField.WEAK and has.parts < 2 and not has.known:
            place = DOUBTFUL
        yield person(start, start + len(value), has, place, "field")
