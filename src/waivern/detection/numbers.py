"""Cards, phones and national numbers: one pass over the places that have digits enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from waivern.detection.phones import phone_here
from waivern.detection.prepared_text import Candidate, PreparedText, pattern
from waivern.detection.validators import (
    card_issuer,
    de_tax_id,
    es_nif,
    fr_nir,
    luhn,
    nl_bsn,
    pl_pesel,
    uk_nhs,
    uk_nino,
    us_ssn,
)

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
_SSN = pattern(r"\d{3}([-. ])\d{2}\1\d{4}")
_NHS = pattern(r"\d{3}([ -])\d{3}\1\d{4}")
_NINO = pattern(r"[A-Za-z]{2}([ -]?)\d{2}([ -]?)\d{2}\2\d{2}\1[A-Za-z]")
_NIF = pattern(r"(?:[XYZxyz][ -]?\d{7}|\d{7,8})[ -]?[A-Za-z]")
_NIR = pattern(r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}")
_PESEL_OR_TAX = pattern(r"\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}")

_PHONE_SIZES = (1, 3)

Reader = Callable[[PreparedText, int, int], Iterator[Candidate]]


def numbers(doc: PreparedText) -> Iterator[Candidate]:
    """Yield everything that is told by digits, several readings of one place included."""
    text = doc.text
    for window in _WINDOW.finditer(doc.numbers):
        if window.group().count(b"0") < _FEWEST_DIGITS:
            continue
        first = True
        for group in _GROUP.finditer(text, window.start(), window.end()):
            start, size = group.start(), group.end() - group.start()
            if start > 1 and text[start - 1] in "./-" and text[start - 2].isdigit():
                continue  # in the middle of a chain, where nothing begins
            if first or size in _PHONE_SIZES or text[start - 1] in "+(":
                yield from phone_here(doc, start, size, first)
            for reader in _READERS.get(size, ()):
                yield from reader(doc, start, size)
            first = False


def _bare(text: str) -> str:
    return text.translate(_SEPARATORS)


_SEPARATORS = {ord(c): None for c in " -./()"}


def _card(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    if size == 4:
        ends = [m.end() for p in _CARD_GROUPS if (m := p.match(doc.text, start))]
    else:
        ends = [start + size]
    for end in ends:
        digits = _bare(doc.text[start:end])
        issuer = card_issuer(digits)
        if issuer and doc.bounded(start, end) and luhn(digits):
            base = 0.75 if size == 4 else 0.6 if issuer != "uatp" and size > 12 else 0.5
            yield Candidate("CREDIT_CARD", start, end, base, f"card.{issuer}", ("luhn", "issuer"))
            return


def _ssn(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    mark = None
    end = start + size
    if size == 3:
        found = _SSN.match(doc.text, start)
        if found is None:
            return
        mark, end = found.group(1), found.end()
    if doc.bounded(start, end) and us_ssn(_bare(doc.text[start:end])):
        base = {"-": 0.65, ".": 0.5, " ": 0.5, None: 0.2}[mark]
        rule = "ssn" if mark else "ssn.bare"
        yield Candidate("US_SSN", start, end, base, rule, ("allocation",))


def _nhs(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    mark = None
    end = start + size
    if size == 3:
        found = _NHS.match(doc.text, start)
        if found is None:
            return
        mark, end = found.group(1), found.end()
    digits = _bare(doc.text[start:end])
    if doc.bounded(start, end) and uk_nhs(digits):
        base = {" ": 0.6, "-": 0.55, None: 0.2}[mark]
        rule = "nhs" if mark else "nhs.bare"
        yield Candidate("UK_NHS", start, end, base, rule, ("mod11",))


def _nino(doc: PreparedText, start: int, _size: int) -> Iterator[Candidate]:
    text = doc.text
    begin = start - 2 if text[start - 1 : start].isalpha() else start - 3
    if begin < 0 or not text[begin : begin + 2].isalpha():
        return
    found = _NINO.match(text, begin)
    if found is None or not doc.bounded(begin, found.end()):
        return
    value = _bare(found.group())
    if not uk_nino(value.upper()) or value[:2].isupper() != value[-1].isupper():
        return
    base = 0.6 if value[0].isupper() else 0.5
    yield Candidate("UK_NINO", begin, found.end(), base, "nino", ("allocation",))


def _nif(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    text = doc.text
    begin = start
    for back in (1, 2):  # X1234567L, X-1234567L
        if start >= back and text[start - back] in "XYZxyz":
            begin = start - back
    found = _NIF.match(text, begin)
    if found is None or not doc.bounded(begin, found.end()):
        return
    value = _bare(found.group())
    if es_nif(value.upper()):
        base = 0.5 if value[-1].isupper() and size == 8 else 0.35
        yield Candidate("ES_NIF", begin, found.end(), base, "nif", ("mod23",))


def _nir(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    if size < 7 and doc.text[start] not in "12":
        return
    found = _NIR.match(doc.text, start)
    if found is None or not doc.bounded(start, found.end()):
        return
    if fr_nir(found.group().replace(" ", "")):
        base = 0.6 if " " in found.group() else 0.4
        yield Candidate("FR_NIR", start, found.end(), base, "nir", ("mod97",))


def _eleven(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    found = _PESEL_OR_TAX.match(doc.text, start)
    if found is None or not doc.bounded(start, found.end()):
        return
    digits, end = _bare(found.group()), found.end()
    if size == 11 and pl_pesel(digits):
        yield Candidate("PL_PESEL", start, end, 0.2, "pesel", ("weights", "date"))
    if de_tax_id(digits):
        yield Candidate("DE_TAX_ID", start, end, 0.2, "steuer-id", ("mod11-10",))


def _bsn(doc: PreparedText, start: int, size: int) -> Iterator[Candidate]:
    if doc.bounded(start, start + size) and nl_bsn(doc.text[start : start + size]):
        yield Candidate("NL_BSN", start, start + size, 0.2, "bsn", ("mod11",))


# By how many digits the first group has.
_READERS: dict[int, tuple[Reader, ...]] = {
    1: (_nir,),
    2: (_nino, _eleven),
    3: (_ssn, _nhs),
    4: (_card,),
    6: (_nino,),
    7: (_nif, _nir),
    8: (_nif,),
    9: (_ssn, _bsn),
    10: (_nhs,),
    11: (_eleven,),
    12: (_card,),
    13: (_card,),
    14: (_card,),
    15: (_card, _nir),
    16: (_card,),
    17: (_card,),
    18: (_card,),
    19: (_card,),
}
