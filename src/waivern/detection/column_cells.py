"""The cells of one column whose name says what they hold.

What a cell may be as a whole depends on its shape: each shape is read by the functions that the
finders call at a place. Most readers know a key of a cell, such as the domain of an address: cells
of one shape and key have one outcome, so that a cell is read once for each key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from waivern.detection.accounts import iban_here
from waivern.detection.column_stances import LabelledColumn
from waivern.detection.dates import date_here, is_whole_date
from waivern.detection.emails import email_around, is_plain_local
from waivern.detection.expressions import expression
from waivern.detection.identifiers import find_identifiers
from waivern.detection.identifiers.checks import luhn
from waivern.detection.identifiers.identifier import Identifier, bare, identifiers_here
from waivern.detection.network import ipv4_here, network_of
from waivern.detection.numbers import card_here
from waivern.detection.people.address_fields import address_field, address_in, part_key
from waivern.detection.people.name_columns import name_in
from waivern.detection.people.name_fields import name_field
from waivern.detection.phones import outcome_key, phone_here
from waivern.detection.prepared_text import Candidate, PreparedText, number_classes
from waivern.detection.ruleset import Ruleset
from waivern.detection.samples import CARDS, IBANS
from waivern.detection.secrets.secret_fields import secret_in, secret_kind
from waivern.detection.validators import card_issuer, iban
from waivern.detection.value_types import VALUE_TYPES, canonical_mask, is_sample
from waivern.detection.weighing import Match, Weights, match_of, preference

PADDING = " \t\r\"'*`"
"""What may surround the value of a cell."""
_PADDING = PADDING.encode()
_MOST_SHAPES = 5_000
"""The shapes of cells that are known of a column; cells of further ones stay in the text."""
_LONGEST_SHAPE = 200
_MOST_KEYS = 20_000
"""The outcomes that are remembered for one shape."""

# The shapes of cells: digits are '0', letters 'A', and what is not ASCII '?'.
_EMAIL = expression(rb"[A0?][A0?.+_-]*@[A0?][A0?.-]*")
_IBAN = expression(rb"AA00[A0 -]{11,40}")
_QUAD = expression(rb"0{1,3}\.0{1,3}\.0{1,3}\.0{1,3}")
_NUMBER = expression(rb"(\+|\(|\(\+)?(0{1,24})[0 .\-/()]*")
_FEWEST_DIGITS = 6
_IDENTIFIER = expression(rb"((?:A{1,3}[ -])?A{1,8}[ .-]?|)(0{1,20})[A0 .\-/]*")
_DATE = expression(rb"0+[-/. A?0]+")
_WORDS = expression(rb"[^0@]+")
_STREET = expression(rb"[^@]+")
_SECRET = expression(rb"[^ ]{4,200}")
_NUMBERS = expression(
    rb"(?!0{1,3}\.0{1,3}\.0{1,3}\.0)(?:[0 .\-/:()]|(?<=0)A(?=0|\Z)){1,25}"
    rb"|[A0]{8}(?:-[A0]{4}){3}-[A0]{12}"
)
"""Amounts, counts, times and UUIDs: no value that a column speaks against in vain."""
_OF_TIMES = 2


_OPTIONAL = frozenset(kind for kind, each in VALUE_TYPES.items() if each.optional)


def all_are_known(rules: Ruleset) -> bool:
    """Return whether the forms of all types of a ruleset are known here.

    Those of a user's own types are not, and optional types have the forms of others.
    """
    return not rules.patterns and _OPTIONAL.isdisjoint(rules.types)


class ColumnMatches:
    """The matches in a column that differ only in their places: they are one finding."""

    __slots__ = ("count", "like", "places")

    def __init__(self, like: Match) -> None:
        self.like = like
        """One of them."""
        self.count = 0
        self.places: list[tuple[int, str]] = []
        """Where the first ones begin in the text, and their values."""

    def match(self, cell: str, start: int = 0) -> Match:
        """Return the match that a cell is, whose value begins at `start`."""
        value = cell.strip(PADDING)
        return self.like._replace(start=start, end=start + len(value), value=value)

    def matches(self) -> Iterator[Match]:
        """Yield those that are located."""
        for start, value in self.places:
            yield self.match(value, start)


NOTHING = ColumnMatches(Match("", 0, 0, 0.0, "", (), (), sample=False))
"""The cells that are surely no value of any type."""


class _Reader(NamedTuple):
    find: Callable[[PreparedText], Iterable[Candidate]]
    """Yields what a cell, which is a text of its own, may be."""
    key: Callable[[str], Hashable | None]
    """Returns what decides the outcome for a cell; None: the cell has to be read itself."""


class ColumnCells:
    """One column, and what its cells are."""

    def __init__(
        self,
        name: str,
        labelled: LabelledColumn,
        weights: Weights,
        types: Collection[str] | None,
    ) -> None:
        self._name = name
        self._written = "" if labelled.labels[0].kind == "neighbours" else name
        """The name as the text has it."""
        self._labelled = labelled
        self._weight = weights.under(labelled.labels)
        self._types = types
        self._by_name: list[tuple[re.Pattern[bytes], _Reader]] = []
        """What its name alone says, and the shapes that this has."""
        if self._may_be("PASSWORD") or self._may_be("API_KEY"):
            self._add_secrets()
        self._groups: dict[Hashable, ColumnMatches] = {}
        self._readers: dict[bytes, Callable[[str], ColumnMatches | None]] = {}

    @property
    def speaks(self) -> bool:
        """Whether its name says what its cells hold."""
        return bool(self._by_name) or self._labelled.speaks

    def add_people(self, beside: Sequence[str], person: float | None) -> None:
        """Look for names or addresses in the cells, if the column's name is one of such.

        `beside` are the names of the other columns; `person` is what `name_column` returns.
        """
        if kind := name_field(self._name):
            if person is not None and self._may_be("PERSON"):
                reader = _Reader(lambda doc: name_in(0, doc.text, kind, person), str)
                self._by_name.append((_WORDS, reader))
        elif (part := address_field(self._name)) and self._may_be("POSTAL_ADDRESS"):
            key = partial(part_key, part)
            reader = _Reader(lambda doc: address_in(0, doc.text, part, beside), key)
            self._by_name.append((_STREET, reader))

    def _add_secrets(self) -> None:
        if kind := secret_kind(self._name):
            reader = _Reader(lambda doc: secret_in(doc.text, kind, 0, len(doc.text)), str)
            self._by_name.append((_SECRET, reader))

    def groups_of(self, cells: Sequence[str]) -> list[ColumnMatches | None]:
        """Return what each cell is as a whole; None for one that has to be searched.

        Nothing is counted or located yet.
        """
        if not self.speaks:
            return [None] * len(cells)
        joined = "\n".join(cells)
        if joined.count("\n") >= len(cells):  # a cell of several lines has a shape of its own
            joined = "\n".join(cell.replace("\n", "\0") for cell in cells)
        shapes = number_classes(joined).split(b"\n") if cells else []
        known = self._readers
        for shape in {*shapes}.difference(known):
            if len(shape) <= _LONGEST_SHAPE and len(known) < _MOST_SHAPES:
                known[shape] = self._learned(shape)
        return [known.get(shape, _unread)(cell) for shape, cell in zip(shapes, cells, strict=True)]

    def _learned(self, shape: bytes) -> Callable[[str], ColumnMatches | None]:
        """Return what reads the cells of a shape."""
        plain = shape.strip(_PADDING)
        readers = tuple(self._of_shape(plain)) if plain else ()
        if not readers:
            return _nothing if self._is_closed(plain) else _unread
        read = self._remembered(readers)
        return read if plain == shape else lambda cell: read(cell.strip(PADDING))

    def _remembered(self, readers: tuple[_Reader, ...]) -> Callable[[str], ColumnMatches | None]:
        """Return a function that reads each cell, or remembers the outcome for its key."""
        key_of = readers[0].key if len(readers) == 1 else partial(_all_keys, readers)
        outcomes: dict[Hashable, ColumnMatches | None] = {}

        def read(cell: str) -> ColumnMatches | None:
            key = key_of(cell)
            if key in outcomes:
                return outcomes[key]
            found = self._read(readers, cell)
            if key is not None and len(outcomes) < _MOST_KEYS:
                outcomes[key] = found
            return found

        return read

    def _read(self, readers: tuple[_Reader, ...], cell: str) -> ColumnMatches | None:
        """Return what a cell is: the best of what the readers find as a whole."""
        doc, best = PreparedText(cell), None
        for reader in readers:
            for each in reader.find(doc):
                weighed = self._weight(each) if each.end - each.start == len(cell) else None
                if weighed and (best is None or preference(each, weighed) < preference(*best)):
                    best = each, weighed
        if best is None:
            return None
        found, _ = best
        marks = canonical_mask(found.type, cell), is_sample(found.type, cell)
        alike = (found.type, found.rule, found.confidence, found.validators, *marks)
        if alike not in self._groups:
            self._groups[alike] = ColumnMatches(match_of(*best, cell, self._written))
        return self._groups[alike]

    def _of_shape(self, shape: bytes) -> Iterator[_Reader]:
        """Yield the readers of all types that a cell of a shape may be as a whole."""
        if _EMAIL.fullmatch(shape):
            if self._may_be("EMAIL_ADDRESS"):
                yield _EMAILS
            return
        for form, reader in self._by_name:
            if form.fullmatch(shape):
                yield reader
        if not self._labelled.speaks:
            return
        for kind, form, reader in _BY_FORM:
            if form.fullmatch(shape) and self._may_be(kind):
                yield reader
        yield from self._numbers(shape)
        if identifiers := self._identifiers(shape):
            yield _identifiers(identifiers, exact=shape.count(b" ") != _SPACES_OF_COLOUR)

    def _numbers(self, shape: bytes) -> Iterator[_Reader]:
        """Yield the readers of phone numbers and cards, if a shape may be one."""
        number = _NUMBER.fullmatch(shape)
        if number and shape.count(b"0") >= _FEWEST_DIGITS:
            before, size = number.end(1) if number[1] else 0, len(number[2])
            if self._may_be("PHONE_NUMBER"):
                yield _phones(before, size, national=self._labelled.supports("PHONE_NUMBER"))
            if self._may_be("CREDIT_CARD") and not before:
                yield _cards(size)

    def _is_closed(self, shape: bytes) -> bool:
        """Return whether no cell of a shape can hold a value: numbers, in a column of others."""
        if not _NUMBERS.fullmatch(shape) or shape.count(b":") > _OF_TIMES or b"::" in shape:
            return not shape
        return self._labelled.speaks and self._labelled.excludes_context

    def _identifiers(self, shape: bytes) -> tuple[Identifier, ...]:
        began = _IDENTIFIER.fullmatch(shape)
        if began is None:
            return ()
        possible = find_identifiers.beginning(len(began[1]), len(began[2]))
        return tuple(each for each in possible if self._may_be(each.type))

    def _may_be(self, kind: str) -> bool:
        return (self._types is None or kind in self._types) and not self._labelled.excludes(kind)


def _unread(cell: str) -> None:
    """Leave a cell in the text."""


def _nothing(cell: str) -> ColumnMatches:  # noqa: ARG001 - as every reader
    """Return that a cell is no value."""
    return NOTHING


def _all_keys(readers: tuple[_Reader, ...], cell: str) -> Hashable | None:
    """Return the keys of all readers; None if one of them has to read the cell."""
    keys = tuple(reader.key(cell) for reader in readers)
    return None if None in keys else keys


def _none_or_one(found: Candidate | None) -> Iterable[Candidate]:
    return () if found is None else (found,)


def _domain(cell: str) -> str | None:
    local, _, domain = cell.partition("@")
    return domain if is_plain_local(local) else None


def _country(cell: str) -> str | None:
    value = cell if cell.isalnum() else bare(cell)
    value = value if value.isupper() else value.upper()
    return cell[:2] if iban(value) and value not in IBANS else None


_SPACES_OF_COLOUR = 2
_EMAILS = _Reader(
    lambda doc: _none_or_one(email_around(doc.text, doc.text.index("@"))),
    _domain,
)
_IBANS = _Reader(lambda doc: iban_here(doc.text, 0), _country)
_IPS = _Reader(lambda doc: _none_or_one(ipv4_here(doc, 0, len(doc.text))), network_of)
_DATES = _Reader(lambda doc: date_here(doc, 0), lambda cell: is_whole_date(cell) or None)
_BY_FORM = (
    ("IBAN_CODE", _IBAN, _IBANS),
    ("IP_ADDRESS", _QUAD, _IPS),
    ("DATE_OF_BIRTH", _DATE, _DATES),
)


def _phones(before: int, size: int, *, national: bool) -> _Reader:
    """Return the reader of phone numbers with so many marks, then digits, at their beginnings."""
    return _Reader(
        lambda doc: phone_here(doc, before, size, True, national=national),
        outcome_key,
    )


def _cards(size: int) -> _Reader:
    def issuer(cell: str) -> str | None:
        digits = cell if cell.isdigit() else bare(cell)
        return card_issuer(digits) if luhn(digits) and digits not in CARDS else None

    return _Reader(lambda doc: card_here(doc, 0, size), issuer)


def _identifiers(identifiers: tuple[Identifier, ...], *, exact: bool) -> _Reader:
    """Return the reader of several types; `exact`: their forms and checks decide alone."""

    def valid(cell: str) -> Hashable | None:
        value, found = bare(cell).upper(), []
        for number, each in enumerate(identifiers):
            form = each.form.match(cell)
            if form is not None and form.end() == len(cell) and each.check(value):
                if value in each.samples:
                    return None
                sure = each.confidence(cell) if callable(each.confidence) else 0
                found.append((number, sure))
        return tuple(found)

    return _Reader(
        lambda doc: identifiers_here(doc, 0, identifiers), valid if exact else lambda _: None
    )
