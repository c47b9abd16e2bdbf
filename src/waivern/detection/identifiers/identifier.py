"""The record of one type of identifier, and how its values are found in a text.

A value begins with digits, or with letters before its first digits. So a text is searched for
groups of digits once, and at each place only the types are tried whose values can begin there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache, partial
from re import _constants as op  # type: ignore[attr-defined] # as in `patterns`
from typing import Any, NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.identifiers.checks import any_value
from waivern.detection.identifiers.class_forms import Places, class_form, parsed
from waivern.detection.prepared_text import Candidate, PreparedText

CERTAIN = 0.65
"""The form is distinctive, and a check digit holds: no label is needed."""
LIKELY = 0.5
"""The form is distinctive, or a check digit holds in a form with separators."""
PLAUSIBLE = 0.45
"""A check digit holds, but one of ten or a hundred other values has one, too: a label is needed
where a text is not the value alone."""
POSSIBLE = 0.2
"""Many other values look the same: a label is needed."""
UNLIKELY = 0.11
"""Almost any value of this length looks the same: a label directly before it is needed."""

PASSPORT = """passport, passport number, passport no, passport nr, travel document, reisepass,
    passeport, pasaporte, passaporto, paspoort, paszport, pas"""
LICENCE = """driver license, drivers license, driving license, driver licence, driving licence,
    license, licence, license number, licence number, license no, licence no, dl number, dl no,
    driver id"""
NATIONAL_ID = """national id, national identity number, national identification number, id card,
    identity number, identity card, identity card number, id number, id no,
    citizen id, personal id, personal identity number, personal identification number,
    national id number"""
SOCIAL_SECURITY = """social security number, social security, social security no,
    social insurance number"""
TAX = """tax id, tax number, tin, taxpayer id, tax identification number, tax identification,
    tax no, taxpayer number, taxpayer identification number"""
VAT = "vat, vat number, vat id, vat no, vat code, vat registration number"
PLATE = """license plate, licence plate, number plate, plate, plate number, registration,
    registration number, vehicle registration, vehicle, car registration"""
"""Words that label a kind of identifier in whatever country it is from."""

Start = tuple[int, int]
"""How many characters precede the first digits of a value, and how many digits these are."""


class Identifier(NamedTuple):
    """The form, the check, the labels and the display of the values of one type."""

    type: str
    form: re.Pattern[str]
    """Matches a whole value from its beginning."""
    terms: str
    """Words of its labels, in any language, separated by commas."""
    check: Callable[[str], bool] = any_value
    """Takes the value in capitals, without separators."""
    validators: tuple[str, ...] = ()
    """The names of the checks, as findings list them."""
    confidence: float | Callable[[str], float] = POSSIBLE
    """How certain a value is without a label, by the value as it is written or for all."""
    kind: str = ""
    """Words that label its kind in any country, such as PASSPORT."""
    hints: str = ""
    """Words that support it weakly."""
    unless: str = ""
    """Words that exclude a value when they directly precede it."""
    category: str = "government_id"
    severity: str = "high"
    shown: tuple[int, int] = (0, 0)
    """How many characters of its beginning and end a mask shows."""
    samples: frozenset[str] = frozenset()
    """Values that are reserved for documentation."""
    example: str = ""
    """A value that is planted to prove that the type is found: a reserved one if there is one,
    else one that is made up. Its label is the first of the terms."""

    @property
    def needs_label(self) -> bool:
        """Whether no value is certain enough without a label."""
        return not callable(self.confidence) and self.confidence < LIKELY

    @property
    def first_term(self) -> str:
        """The first word, or words, of its labels."""
        return " ".join(self.terms.partition(",")[0].split())

    @property
    def rule(self) -> str:
        """The id of the rule, as findings name it."""
        return self.type.lower().replace("_", "-")

    @property
    def rule_document(self) -> dict[str, Any]:
        """The entry that the type has in a ruleset."""
        terms = f"{self.terms}, {self.kind}" if self.kind else self.terms
        words = {"terms": terms, "hints": self.hints, "unless": self.unless}
        return {
            "category": self.category,
            "severity": self.severity,
            **{
                key: [term.strip() for term in text.split(",")]
                for key, text in words.items()
                if text
            },
        }


def starts(expression: re.Pattern[str]) -> set[Start]:
    """Return how the values of a form can begin: it is tried at such places alone."""
    found: set[Start] = set()
    reading = _read_on(parsed(expression.pattern), {(0, 0)}, found)
    return found | {state for state in reading if state[1]}


def _read_on(form: Any, states: set[Start], found: set[Start]) -> set[Start]:
    """Return the states after a part of a form, and add the starts that are complete to `found`.

    A state is how many characters precede the first digits, and how many digits there are so far.
    """
    for kind, value in form:
        if kind in (op.LITERAL, op.IN):
            states = _read_one([(kind, value)] if kind is op.LITERAL else value, states, found)
        elif kind is op.MAX_REPEAT:
            least, most, inner = value
            after = states if least == 0 else set[Start]()
            for count in range(1, most + 1):
                states = _read_on(inner, states, found)
                after |= states if count >= least else set()
            states = set(after)
        elif kind is op.SUBPATTERN:
            states = _read_on(value[3], states, found)
        elif kind is op.BRANCH:
            states = set[Start]().union(*(_read_on(each, states, found) for each in value[1]))
        elif kind is op.GROUPREF:  # to a separator, or to none
            found |= {state for state in states if state[1]}
    return states


def _read_one(chars: Any, states: set[Start], found: set[Start]) -> set[Start]:
    """Return the states after one character, which is one of `chars`."""
    digit, other = False, False
    for kind, value in chars:
        if kind is op.RANGE:
            digit, other = digit or chr(value[0]).isdigit(), other or not chr(value[1]).isdigit()
        elif kind is op.LITERAL:
            digit, other = digit or chr(value).isdigit(), other or not chr(value).isdigit()
        else:  # the digits
            digit = True
    if other:
        found |= {state for state in states if state[1]}
    after = {(before, digits + 1) for before, digits in states} if digit else set[Start]()
    return after | (
        {(before + 1, 0) for before, digits in states if not digits} if other else set()
    )


def form(text: str) -> re.Pattern[str]:
    """Return the form of a value: ASCII digits and letters, in either case."""
    return expression(text, re.ASCII | re.IGNORECASE)


def by_separator(separated: float, plain: float) -> Callable[[str], float]:
    """Return the confidence of a value by whether it is written with separators."""
    return lambda text: plain if text.isalnum() else separated


def if_valid(check: Callable[[str], bool], valid: float, other: float) -> Callable[[str], float]:
    """Return the confidence of a value by its check digit, where not all values have one."""
    return lambda text: valid if check(bare(text).upper()) else other


_SEPARATORS = {ord(char): None for char in " -./():"}


def bare(text: str) -> str:
    """Return a value without its separators."""
    return text if text.isalnum() else text.translate(_SEPARATORS)


_DIGITS = expression(rb"0{1,20}")
_LETTERS = expression(rb"(?<![0A])(?:A{1,3}([ -]))?A{1,8}[ .-]?\Z")
"""Up to two groups of letters before the digits, in the classes of a text's characters."""
_MOST_KNOWN = 20_000
"""The different classes that are remembered of one kind of place."""
_BITS = expression(r"[01]+")
_WORD_AND_NUMBER = expression(r"[a-z]{2} \d+")
_REACH = 14
"""Characters before the digits that can belong to a value."""


_LONG = 100_000
"""Characters from which on a text is searched for the types that it names, and not for all."""


class _Beginning:
    """The types whose values can begin at one kind of place."""

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        every = tuple(identifiers)
        self.labelled = tuple(each for each in every if each.needs_label)
        """Those that are looked for only in a text that names them."""
        self.others = tuple(each for each in every if not each.needs_label)
        self.types = tuple(each.type for each in every)
        self._fitting: dict[tuple[bytes, frozenset[str] | None], tuple[Identifier, ...]] = {}

    @cached_property
    def _forms(self) -> list[tuple[Identifier, re.Pattern[bytes]]]:
        return [(each, class_form(each.form.pattern)) for each in (*self.others, *self.labelled)]

    @cached_property
    def _run(self) -> re.Pattern[bytes]:
        """Matches as much of the classes at a place as matters to the forms."""
        longest = max(
            parsed(each.form.pattern).getwidth()[1] for each in (*self.others, *self.labelled)
        )
        return expression(rb"[ -/0:?A]{1,%d}" % (longest + 1))

    def fitting(
        self, classes: bytes, begin: int, named: frozenset[str] | None
    ) -> tuple[Identifier, ...]:
        """Return the types that a value at `begin` may be of, by the classes of its characters.

        Those that need a label are among the `named` ones. Most places have the classes of many
        others, and are decided by one look.
        """
        run = self._run.match(classes, begin)
        place = (run.group() if run else b"", named)
        found = self._fitting.get(place)
        if found is None:
            if len(self._fitting) > _MOST_KNOWN:
                self._fitting.clear()
            found = tuple(
                each
                for each, form in self._forms
                if (named is None or not each.needs_label or each.type in named)
                and form.match(place[0])
            )
            self._fitting[place] = found
        return found


class IdentifierFinder:
    """The search for values of many types in one pass over the digits of a text."""

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        self._identifiers = tuple(identifiers)
        self._types = tuple(each.type for each in identifiers)
        self._every = frozenset(each.type for each in identifiers if each.needs_label)
        self._places = lru_cache(256)(partial(_places, self._identifiers))

    @cached_property
    def _at(self) -> dict[Start, _Beginning]:
        found: dict[Start, list[Identifier]] = {}
        for each in self._identifiers:
            for start in starts(each.form):
                found.setdefault(start, []).append(each)
        return {start: _Beginning(types) for start, types in found.items()}

    def __call__(self, doc: PreparedText) -> Iterator[Candidate]:
        """Yield the values in a text that have the form of a type, and whose check holds."""
        named = doc.named
        none = named is not None and self._every.isdisjoint(named)
        # A further search has to be compiled: a short text is not worth it.
        wanted = frozenset() if none and len(doc.text) > _LONG else self._every
        places = self._places(wanted)
        classes = doc.numbers
        seen = {classes.find(b"0", place) for place in places.of(classes)}
        for digits in sorted(seen):
            column = doc.columns.at(digits) if doc.columns else None
            if column and column.excludes_all(self._types):
                continue
            yield from self._around(doc, digits)

    def beginning(self, letters: int, digits: int) -> tuple[Identifier, ...]:
        """Return the types that begin with so many other characters, then so many digits."""
        here = self._at.get((letters, digits))
        return (*here.others, *here.labelled) if here else ()

    def _around(self, doc: PreparedText, digits: int) -> Iterator[Candidate]:
        """Yield the values whose first digits are those at `digits`."""
        classes = doc.numbers
        group = _DIGITS.match(classes, digits)
        end = group.end() if group else digits
        for begin in _beginnings(classes, digits):
            here = self._at.get((digits - begin, end - digits))
            if here is None:
                continue
            column = doc.columns.at(begin) if doc.columns else None
            if column and column.excludes_all(here.types):
                continue
            if fitting := here.fitting(classes, begin, doc.named):
                yield from identifiers_here(doc, begin, fitting)


def _places(identifiers: tuple[Identifier, ...], labelled: frozenset[str]) -> Places:
    """Return the places of the types that need no label, and of those labelled."""
    return Places(e.form for e in identifiers if not e.needs_label or e.type in labelled)


def _beginnings(classes: bytes, digits: int) -> Iterable[int]:
    """Return where a value may begin that has its first digits at `digits`."""
    before = classes[digits - 1 : digits]
    if before == b"A":
        letters = _LETTERS.search(classes[max(0, digits - _REACH) : digits])
        if letters is None:
            return ()
        begin = digits - (letters.end() - letters.start())
        return (begin, begin + letters.end(1) - letters.start()) if letters[1] else (begin,)
    if before not in (b" ", b"-", b"."):
        return (digits,)
    letters = _LETTERS.search(classes[max(0, digits - _REACH) : digits])
    if letters is None:
        return (digits,)
    begin = digits - (letters.end() - letters.start())
    second = (begin + letters.end(1) - letters.start(),) if letters[1] else ()
    return (begin, *second, digits)


def _is_colour(text: str) -> bool:
    """Return whether a text can be the red, green and blue of a colour."""
    parts = text.split(" ")
    return len(parts) == 3 and all(part.isdigit() and int(part) <= 255 for part in parts)


def identifiers_here(
    doc: PreparedText, begin: int, identifiers: Iterable[Identifier]
) -> Iterator[Candidate]:
    """Yield the values of some types that begin at a place."""
    for each in identifiers:
        found = each.form.match(doc.text, begin)
        if found is None or not doc.bounded(begin, found.end()):
            continue
        text = found.group()
        if text[0].islower() and _WORD_AND_NUMBER.fullmatch(text):
            continue  # of 1234567
        if _BITS.fullmatch(text):
            continue
        if each.check(bare(text).upper()):
            sure = each.confidence(text) if callable(each.confidence) else each.confidence
            rows = doc.in_number_rows if " " in text else doc.in_hex_groups
            if rows(begin, found.end()) or _is_colour(text):
                sure = UNLIKELY
            if sure < LIKELY and doc.named is not None and each.type not in doc.named:
                continue  # no label of the text can make it certain enough
            yield Candidate(each.type, begin, found.end(), sure, each.rule, each.validators)
