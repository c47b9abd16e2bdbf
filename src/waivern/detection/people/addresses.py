"""Postal addresses in a text: a street with its number, and what of the place follows it.

The words of the text decide which kinds of streets are searched for; each of them is a search for
one literal. A street with a postcode and a city is an address; one without needs a kind of street
that means nothing else, a label, or a field of addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.people import street_forms as forms
from waivern.detection.people.address_fields import (
    LABELS,
    AddressField,
    address_field,
    is_street,
    whole_address,
)
from waivern.detection.people.candidates import FAIR, person
from waivern.detection.people.names import form
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.word_splitting import tokens_in, words

_TYPE = "POSTAL_ADDRESS"
_PLACED, _STREET, _DOUBTFUL, _LABELLED = 0.85, 0.6, 0.3, 0.25
_BEFORE = 70
_EXCLUDED = expression(
    r"\b(?:Section|Chapter|Page|Table|Figure|Volume|Version|Part|Line|Issue|Bug|Step)\b"
)
_VALUE = expression(
    r"(?:e?s)?(?: ?(?:line)? ?[12])?[\"'\])*_]{0,3} ?[:=] {0,3}[\"']?"
    r"([A-Z0-9][^\n\"'<>|;=(){}\[\]]{5,100}[\w.])(?=[\"'\n<]|\Z)"
)
_LABEL_BEFORE = expression(r"[\w -]{1,40}\Z")
_LABEL = expression(
    r"(?:\b(?:address|addr|adresse?|anschrift|direcci[o\u00f3]n|domicilio|indirizzo|adres|morada"
    r"|osoite|adress"
    r"|wohnhaft|resid(?:es|ing|ence)|lives?|living|located|street|strasse|stra\u00dfe)"
    r"(?:[ _-]?(?:line)?[ _-]?\d)?[\"'\])]{0,2} ?(?:[:=>]{1,2}|at|in|is)?\s{0,3}[\"'(\[]{0,2}"
    r"|\bat )\Z",
    re.IGNORECASE,
)


def addresses(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the addresses of a text, and the names in the lines above them."""
    if doc.field is not None:
        yield from whole_address(doc)
    text = doc.text
    yield from _by_numbers(doc)
    for vocabulary, read in ((_FIRST, _prefixed), (_BOX_WORDS, _box)):
        for word in vocabulary.keys() & doc.spelled:
            for literal in vocabulary[word]:
                for at in doc.places_of(word, literal):
                    yield from read(text, at, at + len(literal))
    yield from _before_postcodes(doc)
    yield from _labelled(doc)
    if not text.isascii() and any(mark in text for mark in "\u90fd\u9053\u5e9c\u770c"):
        for whole in forms.JAPANESE.finditer(text):
            yield Candidate(_TYPE, whole.start(), whole.end(), 0.8, "address.jp", ("form",))


def _by_numbers(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the addresses whose street is next to a number and has a word for its kind."""
    for classes in (b"A 0", b"A. 0"):
        for at in doc.numeral_places(classes):
            yield from _suffixed(doc.text, at + len(classes) - len(" 0"))
    for classes in (b"0 A", b"0A A", b"0 0A"):
        for at in doc.numeral_places(classes):
            if not doc.text[at + len(classes) - 1].islower() or classes == b"0 0A":
                yield from _english(doc.text, at)


def _suffixed(text: str, end: int) -> Iterator[Candidate]:
    """Yield `Berliner Stra\u00dfe 12, 10115 Berlin`; the street's name ends at `end`."""
    if not text.endswith(
        forms.SUFFIXES, end - _LONGEST_SUFFIX if end > _LONGEST_SUFFIX else 0, end
    ):
        return
    number = forms.NUMBER_AFTER.match(text, end)
    before = text[max(0, end - _BEFORE) : end]
    street = forms.SUFFIXED.search(before[before.rfind("\n") + 1 :])
    if number is None or street is None:
        return
    start = end - len(street.group())
    if start and (text[start - 1].isalnum() or text[start - 1] in "_/.-"):
        return
    sure = not street.group().lower().endswith(forms.DOUBTFUL_SUFFIXES)
    alone = _STREET if sure and len(street.group()) > _LONGEST_SUFFIX // 2 else _DOUBTFUL
    yield from _address(text, start, number.end(), alone, "address.street-number")


def _prefixed(text: str, at: int, end: int) -> Iterator[Candidate]:
    """Yield `12, rue de la Paix, 75002 Paris` and `Calle Mayor 5`."""
    if at and (text[at - 1].isalnum() or text[at - 1] in "_/.-"):
        return
    name = forms.PREFIXED.match(text, end)
    if name is None:
        return
    kind = text[at:end].strip(" .").lower()
    alone = _DOUBTFUL if kind in forms.DOUBTFUL_PREFIXES else _STREET
    before = forms.NUMBER_BEFORE.search(text, max(0, at - 16), at)
    after = forms.NUMBER_AFTER.match(text, name.end())
    if before is not None:
        yield from _address(text, before.start(1), name.end(), alone, "address.number-street")
    elif after is not None:
        yield from _address(text, at, after.end(), alone, "address.street-number")


def _english(text: str, at: int) -> Iterator[Candidate]:
    """Yield `221B Baker Street, London NW1 6XE`; the last digit of its number is at `at`."""
    begin = at
    while begin and text[begin - 1] in "0123456789-" and at - begin < 8:
        begin -= 1
    street = forms.ENGLISH_STREET.match(text, begin)
    if street is None or (begin and forms.NO_NUMBER_BEFORE.match(text, begin - 1)):
        return
    end, kind = street.end(), street.group(1).lower()
    if text[end - 1] == "." and kind not in forms.ABBREVIATED:
        end -= 1  # the end of a sentence
    unit = forms.ENGLISH_UNIT.search(text, max(0, begin - 16), begin)
    alone = _DOUBTFUL if kind in forms.DOUBTFUL_ENGLISH else _STREET
    start = unit.start() if unit else begin
    yield from _address(text, start, end, alone, "address.number-street")


def _box(text: str, at: int, end: int) -> Iterator[Candidate]:
    """Yield `PO Box 123`."""
    number = forms.BOX_NUMBER.match(text, end)
    if number is not None and not (at and text[at - 1].isalnum()):
        yield from _address(text, at, number.end(), _STREET, "address.box")


def _before_postcodes(doc: PreparedText) -> Iterator[Candidate]:
    """Yield `Vinohradsk\u00e1 12, 120 00 Praha 2`: any name and number before a postcode."""
    text = doc.text
    for at in doc.numeral_places(b"00 A"):
        digits = at
        while digits and text[digits - 1].isdigit() and at - digits < 3:
            digits -= 1
        if text[digits - 1 : digits] in (" ", "-") and text[digits - 4 : digits - 1].isdigit():
            digits -= 4  # 120 00
        line = text[max(0, digits - 1) : digits]
        if line not in ("\n", " ", ",") or not forms.POSTCODE_CITY.match(text, digits):
            continue
        street = forms.STREET_BEFORE.search(text, max(0, digits - _BEFORE), digits)
        if street is not None and not _EXCLUDED.search(street.group()):
            five = text[digits + 4 : digits + 5].isdigit() or text[digits + 3 : digits + 4] == " "
            likely = _STREET if five else _DOUBTFUL
            yield from _address(
                text, street.start(1), street.end(1), likely, "address.postcode", likely
            )


def _labelled(doc: PreparedText) -> Iterator[Candidate]:
    """Yield `Address: Rosewood House 14, Newtown`."""
    text = doc.text
    for word in LABELS & doc.seen:
        for found in re.finditer(word.encode(), doc.folded):
            value = _VALUE.match(text, found.end())
            if (
                value is None
                or not is_street(value.group(1))
                or not LABELS.isdisjoint(words(value.group(1)))  # a heading of its own
            ):
                continue
            label = _LABEL_BEFORE.search(text, max(0, found.start() - 30), found.end())
            if label and address_field(label.group().strip()) is AddressField.STREET:
                yield Candidate(_TYPE, value.start(1), value.end(1), 0.55, "address.label")


def _address(
    text: str, start: int, end: int, alone: float, rule: str, with_place: float = _PLACED
) -> Iterator[Candidate]:
    """Yield the address whose street is at [start, end), with the place that follows it.

    `alone` is the confidence of the street, `with_place` that of a street with postcode and city.
    """
    end, placed = _place(text, end)
    confidence = with_place if placed else alone
    if _LABEL.search(text, max(0, start - 40), start):
        confidence = min(0.95, confidence + _LABELLED)
    validators = ("postcode and city",) if placed else ()
    yield Candidate(_TYPE, start, end, round(confidence, 2), rule, validators)
    if placed:
        yield from _resident(text, start)


def _place(text: str, end: int) -> tuple[int, bool]:
    """Return where the address ends whose street ends at `end`, and whether it has a postcode."""
    unit = forms.UNIT.match(text, end)
    at = unit.end() if unit else end
    passed, nearby = at, False
    for _ in range(3):
        separator = forms.SEPARATOR.match(text, passed)
        if separator is None:
            return at, False
        begin = separator.end()
        placed = forms.POSTCODE_CITY.match(text, begin) or forms.CITY_POSTCODE.match(text, begin)
        if placed is not None:
            return _country(text, placed.end()), True
        locality = forms.LOCALITY.match(text, begin)
        if locality is None:
            return at, False
        passed = locality.end()
        if separator.group().strip() == "," and "\n" not in separator.group() and not nearby:
            at, nearby = passed, True
    return at, False


def _country(text: str, end: int) -> int:
    separator = forms.SEPARATOR.match(text, end)
    country = forms.COUNTRY.match(text, separator.end()) if separator else None
    return country.end() if country else end


def _resident(text: str, start: int) -> Iterator[Candidate]:
    """Yield the name in the line above an address, or in one of the two above it."""
    line = text.rfind("\n", max(0, start - 60), start) + 1
    if not line or text[line:start].strip(" \t>*#|"):
        return
    for _ in range(2):
        above = text.rfind("\n", max(0, line - 80), line - 1) + 1
        value = text[above : line - 1].strip(" \t\r,>*#|")
        has = form(value)
        if has is not None and has.cased and above < line - 1:
            begin = text.find(value, above)
            yield person(begin, begin + len(value), has, FAIR, "address")
            return
        line = above
        if not line:
            return


def _by_word(phrases: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the phrases by their longest words, as they are spelled."""
    found: dict[str, list[str]] = {}
    for phrase in phrases:
        found.setdefault(max(sorted(tokens_in(phrase)), key=len), []).append(phrase)
    return found


_LONGEST_SUFFIX = max(map(len, forms.SUFFIXES))
_FIRST = _by_word(forms.PREFIXES)
_BOX_WORDS = _by_word(forms.BOXES)
SPELLED = _FIRST.keys() | _BOX_WORDS.keys()
"""The words one of which an address has whose street or box is searched for by a literal."""
