"""Cards, phones and national numbers: one pass over the places that have enough digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from waivern.detection.national_numbers import NATIONAL_NUMBERS, NationalNumber, bare
from waivern.detection.phones import phone_here
from waivern.detection.prepared_text import Candidate, PreparedText, pattern
from waivern.detection.validators import card_issuer, luhn

_WINDOW = re.compile(rb"0[0 .\-/()]{5,400}")
_FEWEST_DIGITS = 6
_GROUP = pattern(r"\d{1,400}")

_CARD_GROUPS = (
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}\1\d{3}"),
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}"),
    pattern(r"\d{4}([ -])\d{6}\1\d{5}"),
    pattern(r"\d{4}([ -])\d{6}\1\d{4}"),
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,3}"),
)

_CARD_SIZES = (4, *range(12, 20))
_PHONE_SIZES = (1, 3)

Reader = Callable[[PreparedText, int, int], Iterator[Candidate]]


def numbers(doc: PreparedText) -> Iterator[Candidate]:
    """Yield every value that its digits identify, several readings of one place included."""
    text = doc.text
    for window in _WINDOW.finditer(doc.numbers):
        if window.group().count(b"0") < _FEWEST_DIGITS:
            continue
        first = True
        for group in _GROUP.finditer(text, window.start(), window.end()):
            start, size = group.start(), group.end() - group.start()
            if start > 1 and text[start - 1] in "./-" and text[start - 2].isdigit():
                continue  # inside a chain of groups: no number begins here
            if first or size in _PHONE_SIZES or text[start - 1] in "+(":
                yield from phone_here(doc, start, size, first)
            for reader in _READERS.get(size, ()):
                yield from reader(doc, start, size)
            first = False


def _card(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    if size == 4:
        ends = [m.end() for p in _CARD_GROUPS if (m := p.match(doc.text, start))]
    else:
        ends = [start + size]
    for end in ends:
        digits = bare(doc.text[start:end])
        issuer = card_issuer(digits)
        if issuer and doc.bounded(start, end) and luhn(digits):
            base = 0.75 if size == 4 else 0.6 if issuer != "uatp" and size > 12 else 0.5
            yield Candidate("CREDIT_CARD", start, end, base, f"card.{issuer}", ("luhn", "issuer"))
            return


def _national(number: NationalNumber) -> Reader:
    """Return the reader of the numbers of one type."""

    def read(doc: PreparedText, start: int, _size: int) -> Iterator[Candidate]:
        begin = number.begins(doc.text, start)
        found = number.form.match(doc.text, begin) if begin >= 0 else None
        if found is None or not doc.bounded(begin, found.end()):
            return
        text = found.group()
        value = bare(text)
        if number.check(value.upper()):
            rule = number.bare_rule if number.bare_rule and value == text else number.rule
            confidence = number.confidence(text)
            yield Candidate(number.type, begin, found.end(), confidence, rule, number.validators)

    return read


def _readers() -> dict[int, tuple[Reader, ...]]:
    """Return the readers by how many digits the first group has."""
    found: dict[int, tuple[Reader, ...]] = dict.fromkeys(_CARD_SIZES, (_card,))
    for number in NATIONAL_NUMBERS:
        for size in number.sizes:
            found[size] = (*found.get(size, ()), _national(number))
    return found


_READERS = _readers()
