"""Field names of personal data: keys, headers, columns, declarations."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from waivern.detection.delimited import with_line_ends
from waivern.detection.expressions import expression
from waivern.detection.field_terms import FieldTerm, NamedField, named_field
from waivern.detection.field_uses import use_of
from waivern.detection.ruleset import Ruleset
from waivern.detection.tables import first_line, headers
from waivern.detection.text_words import TextWords
from waivern.detection.word_splitting import words

_APART = (b" ", b"")
"""What stands before and after a name among the runs of a text."""
_HTML = expression(r"<!doctype html|<(?:html|body|div|span|script)\b", re.IGNORECASE)
_OF_THINGS = frozenset({"credentials", "online_identifier", "financial", "location"})
"""Categories of fields that accounts, devices and towns have, too."""
_OF_OTHERS = frozenset(
    {"author", "maintainer", "support", "abuse", "admin", "notification", "smtp"}
)
"""First words of fields that mean another one than the record is about: `author_email`."""
_OF_NAMES = frozenset({"title", "initial", "legal name"})
"""Weak terms that mean a person only beside the person's name, birth or sex."""
_OF_A_PERSON = frozenset({"identity", "demographic"})
_RECORD = 250
"""Characters between two fields of one record."""
_RECORD_LINES = 4
_MOST_NEAR = 50
_STATEMENT = expression(
    r"\b(?:insert\s{1,4}into|create\s{1,4}(?:\w{1,20}\s{1,4})?table)\b", re.IGNORECASE
)
"""The beginning of a statement of SQL, which is about another table."""
_OBJECT = expression(r"[\w-]{2,50}[\"']?\]?\s{0,3}(?::|=>?)\s{0,3}\{")
"""A field that is an object: `"emailAddress": {"address": …}`."""
_Places = list[tuple[int, str]]
"""Places of fields in a text, each with its term, ascending."""
MOST_NAMES = 10_000
"""The names that are distinguished in one text."""


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field in a text: its first position and its count; `data`: of data, not of code."""

    field: NamedField
    start: int
    count: int
    data: bool


def classify(name: str, rules: Ruleset) -> NamedField | None:
    """Return the term of a field name; a weak term only if the name consists of it alone."""
    return named_field(name, rules.fields)


def field_names(text: str, rules: Ruleset) -> list[FieldUse]:
    """Return the personal fields that `text` declares, by position, each name once.

    A weak name counts only beside a certain one, and only as a field of data.
    """
    found = FieldNames(rules)
    found.add(with_line_ends(text))
    return found.uses()


class FieldNames:
    """The personal fields that a text declares, which may be added in parts."""

    def __init__(
        self, rules: Ruleset, classified: Callable[[str], NamedField | None] | None = None
    ) -> None:
        """Begin a text; `classified` is `classify` with a memory that several texts share."""
        self._rules = rules
        self._classified = classified or partial(classify, rules=rules)
        self._found: dict[str, FieldUse] = {}
        self._first: dict[str, str] = {}
        """The first name of each term: further names count as that one if there are too many."""
        self._headers: set[str] = set()
        self._is_xml: bool | None = None
        self.columns: frozenset[str] = frozenset()
        """The names in the first line, if the text consists of rows below such a line."""

    def add(
        self, text: str, at: int = 0, words: TextWords | None = None, begin: int = 0
    ) -> list[FieldUse]:
        """Add the part that begins at `at`; return the fields that are new, by position.

        `words` are those of a text that the part is the end of, from `begin` on.
        """
        words = words or TextWords(text, self._rules.lexicon)
        head = None
        if self._is_xml is None:
            self._is_xml = _is_xml(text)
            head = first_line(text)
            self.columns = frozenset(head.names if head else ())
        new = {use.field.name: use for use in self._declared(text, at, words, begin)}
        named = [
            (place, field)
            for name, place in headers(text, head, words, begin)
            if (field := classify(name, self._rules))
        ]
        for place, field in named:
            if not field.term.weak or field.name in self.columns or _beside(place, field, named):
                new[field.name] = FieldUse(field, at + place, 1, data=True)
                self._headers.add(field.name)
        return sorted((use for name, use in new.items() if self._add(name, use)), key=_place)

    def _add(self, name: str, use: FieldUse) -> bool:
        """Add the uses of a name in a part; return whether it is a new one."""
        if len(self._found) >= MOST_NAMES and name not in self._found:
            name = self._first.get(use.field.term.term, name)
        before = self._found.get(name)
        if before is None:
            self._found[name] = use
            self._first.setdefault(use.field.term.term, name)
        elif name not in self._headers:
            count, data = before.count + use.count, before.data or use.data
            self._found[name] = FieldUse(before.field, before.start, count, data)
        return before is None

    def uses(self) -> list[FieldUse]:
        """Return the fields, by position."""
        found = self._found.values()
        certain = any(not use.field.term.weak for use in found)
        return sorted(
            (use for use in found if not use.field.term.weak or (certain and use.data)), key=_place
        )

    def _declared(self, text: str, at: int, words: TextWords, begin: int) -> Iterator[FieldUse]:
        fields: dict[bytes, NamedField] = {}
        places: defaultdict[bytes, list[tuple[int, bool]]] = defaultdict(list)
        # A weak name counts only near a certain one: most texts have none of these.
        for weak in (False, True):
            near = sorted(at for every in places.values() for at, _ in every) if weak else None
            for start, name, field in self._names(words, begin, weak, near):
                data = use_of(
                    text, start, start + len(name), field, self._rules, xml=bool(self._is_xml)
                )
                if data is not None:
                    fields[name] = field
                    places[name].append((start, data))
        beside = _Beside(text, fields, places)
        for name, every in places.items():
            if uses := beside.meant(fields[name], every, self._rules):
                yield FieldUse(
                    fields[name], at + uses[0][0], len(uses), any(use[1] for use in uses)
                )

    def _names(
        self, words: TextWords, begin: int, weak: bool, near: list[int] | None
    ) -> Iterator[tuple[int, bytes, NamedField]]:
        """Yield where each name begins that is the name of a field, the name, and the field.

        The places are counted from `begin`, where the first one may be; `near` are places beside
        which alone the names matter.
        """
        text = words.runs
        for block in words.blocks:
            if near is not None and not _has_near(near, block.start - begin, block.end - begin):
                continue
            for form in {*block.fields}:
                known = self._classified(form.decode())
                if (known is not None and known.term.weak) is not weak:
                    continue
                for at in _whole(text, form, max(begin, block.start), block.end):
                    name = words.raw[at : at + len(form)]
                    field = self._classified(name.decode())
                    if field is not None:
                        yield at - begin, name, field


def _has_near(places: list[int], start: int, end: int) -> bool:
    """Return whether one of the places is in [start, end), or so near that it matters there."""
    first = bisect_left(places, start - _RECORD)
    return first < len(places) and places[first] < end + _RECORD


def _whole(runs: bytes, name: bytes, start: int, end: int) -> Iterator[int]:
    """Yield where a name begins that is a whole run."""
    at = runs.find(name, start, end)
    while at >= 0:
        after = at + len(name)
        if runs[at - 1 : at] in _APART and runs[after : after + 1] in _APART:
            yield at
        at = runs.find(name, after, end)


def _beside(place: int, field: NamedField, named: Iterable[tuple[int, NamedField]]) -> bool:
    """Return whether a certain field of a person is among the columns near a weak one."""
    of_things = field.term.category in _OF_THINGS
    return any(
        not other.term.weak
        and (of_things or other.term.category not in _OF_THINGS)
        and abs(at - place) <= _RECORD
        for at, other in named
    )


class _Beside:
    """The places of the fields of people in a text, beside which other names mean people, too."""

    def __init__(
        self,
        text: str,
        fields: Mapping[bytes, NamedField],
        places: Mapping[bytes, list[tuple[int, bool]]],
    ) -> None:
        self._text = text
        self._categories = {each.term.term: each.term.category for each in fields.values()}
        self._all = _Places()
        self._people = _Places()
        """Those of people alone: accounts, devices and towns have names, too."""
        self._named = _Places()
        """Those of a person's name, birth and sex."""
        self._placed = _Places()
        """Those of people and of parts of addresses."""
        for name, every in places.items():
            field = fields[name]
            if field.term.weak:
                continue
            found = [(at, field.term.term) for at, _ in every]
            self._all += found
            if field.term.category == "location":
                self._placed += found
            if field.term.category not in _OF_THINGS and words(field.name)[0] not in _OF_OTHERS:
                self._people += found
                self._placed += found
                if field.term.category in _OF_A_PERSON:
                    self._named += found
        self._all.sort()
        self._placed.sort()
        self._people.sort()
        self._named.sort()

    def meant(
        self, field: NamedField, uses: list[tuple[int, bool]], rules: Ruleset
    ) -> list[tuple[int, bool]]:
        """Return the uses that mean a field of a person."""
        term = field.term
        if term.weak:
            places = self._all if term.category in _OF_THINGS else self._people
            if term.category == "location":
                places = self._placed  # not `"PASSWORD": …, "LOCATION": …` of a service
            if term.term in _OF_NAMES or rules.categories[term.category].special:
                places = self._named
            return [use for use in uses if use[1] and self._near(places, use[0], term)]
        if term.term in rules.ambiguous and not any(data for _, data in uses):
            return [use for use in uses if self._near(self._people, use[0], term)]
        return uses

    def _near(self, places: _Places, at: int, term: FieldTerm) -> bool:
        """Return whether a field of another term is in the same record."""
        first = bisect_left(places, (at - _RECORD, ""))
        for place, other in places[first : first + _MOST_NEAR]:
            if place > at + _RECORD:
                return False
            if (
                other != term.term
                and self._same_record(min(place, at), max(place, at))
                and not (place < at and self._within(place, at, other, term))
            ):
                return True
        return False

    def _same_record(self, first: int, second: int) -> bool:
        """Return whether no object ends and another one begins between two places."""
        between = self._text[first:second]
        if between.count("\n") > _RECORD_LINES or _STATEMENT.search(between):
            return False
        end = between.find("}")
        return end < 0 or between.find("{", end) < 0

    def _within(self, place: int, at: int, other: str, term: FieldTerm) -> bool:
        """Return whether the field at `at` belongs to an object that begins behind the other."""
        between = self._text[place:at]
        if between.count("{") <= between.count("}"):
            return False
        if term.category == "identity":
            return True  # "email": …, "company": {"name": …}
        return self._categories[other] != term.category and bool(_OBJECT.match(between))


def _place(use: FieldUse) -> tuple[int, str]:
    return use.start, use.field.name


def _is_xml(text: str) -> bool:
    """Return whether a text begins as XML does, and is not HTML."""
    return text[:200].lstrip().startswith("<") and _HTML.search(text, 0, 5_000) is None
