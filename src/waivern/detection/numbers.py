"""Cards and phones: one pass over the places that have enough digits."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.identifiers.checks import luhn
from waivern.detection.identifiers.identifier import bare
from waivern.detection.phones import phone_here
from waivern.detection.prepared_text import Candidate, PreparedText, pattern
from waivern.detection.validators import card_issuer

_WINDOW = expression(rb"0[0 .\-/()]{5,400}")
_FEWEST_DIGITS = 6
_NOT_NATIONAL = expression(  # in the classes of characters
    rb"\+0|\(|0{12}|0{4}[ -]0{4,6}[ -]0|000[-. ]000[-. ]0|(?<!0)0[-. ]000[-. ]0"
)
"""A window without it has no card, and no phone number that can do without a label."""
_ZEROS = pattern(r"(?<!\d)00")
_GROUP = pattern(r"\d{1,400}")

_CARD_GROUPS = (
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}\1\d{3}"),
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}"),
    pattern(r"\d{4}([ -])\d{6}\1\d{5}"),
    pattern(r"\d{4}([ -])\d{6}\1\d{4}"),
    pattern(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,3}"),
)

_CARD_SIZES = frozenset((4, *range(12, 20)))
_PHONE_SIZES = (1, 3)


def numbers(doc: PreparedText) -> Iterator[Candidate]:
    """Yield every value that its digits identify, several readings of one place included."""
    text, classes = doc.text, doc.numbers
    labelled = doc.named is None or "PHONE_NUMBER" in doc.named
    for window in _WINDOW.finditer(classes):
        if window.group().count(b"0") < _FEWEST_DIGITS:
            continue
        begin, stop = window.span()
        if not (
            labelled
            or _NOT_NATIONAL.search(classes, max(0, begin - 2), stop)
            or _ZEROS.search(text, begin, stop)
        ):
            continue
        national = labelled
        if doc.columns and (column := doc.columns.at(begin)):  # a window lies in one cell
            national = labelled and column.supports("PHONE_NUMBER")
            if column.excludes("CREDIT_CARD") and column.excludes("PHONE_NUMBER"):
                continue
        first = True
        for group in _GROUP.finditer(text, begin, stop):
            start, size = group.start(), group.end() - group.start()
            if start > 1 and text[start - 1] in "./-" and text[start - 2].isdigit():
                continue  # inside a chain of groups: no number begins here
            if first or size in _PHONE_SIZES or text[start - 1] in "+(":
                yield from phone_here(doc, start, size, first, national=national)
            if size in _CARD_SIZES:
                yield from card_here(doc, start, size)
            first = False


def card_here(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    """Yield the card that begins with the group of `size` digits at `start`."""
    if size == 4:
        ends = [m.end() for p in _CARD_GROUPS if (m := p.match(doc.text, start))]
    else:
        ends = [start + size]
    for end in ends:
        digits = bare(doc.text[start:end])
        issuer = card_issuer(digits)
        if issuer and doc.bounded(start, end) and luhn(digits):
            base = _certainty(doc, start, end, issuer)
            yield Candidate("CREDIT_CARD", start, end, base, f"card.{issuer}", ("luhn", "issuer"))
            return


def _certainty(doc: PreparedText, start: int, end: int, issuer: str) -> float:
    """Return how certain a card is without a label: the digits of many other things fit one."""
    text = doc.text[start:end]
    if not text.isdigit():
        rows = " " in text and (doc.in_number_rows(start, end) or doc.in_dump(start))
        return 0.1 if rows else 0.75
    if doc.text[start - 1 : start] == "-":
        return 0.0  # a negative number
    if len(text) in (12, 13, 19):  # article numbers, and integers of 64 bits
        return 0.35
    if len(text) == 14 and luhn(text[:9]):
        return 0.35  # the number of a French company has the same check digits
    return 0.35 if issuer == "uatp" else 0.6  # one of ten numbers of 15 digits that begin with 1
