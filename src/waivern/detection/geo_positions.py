"""Positions on the Earth, in decimal degrees and in degrees, minutes and seconds."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from waivern.detection.prepared_text import Candidate, PreparedText, pattern

TYPE = "GEO_POSITION"
_NUMBER = r"[-+]?\d{1,3}\.\d{3,15}(?!\d)"
_PAIR = pattern(rf"({_NUMBER})\s{{0,2}}[, ]\s{{0,2}}({_NUMBER})")
_SIGNED = pattern(r"(\d{1,3}\.\d{2,15})\s?°?\s?[NS][,;]?\s{1,2}(\d{1,3}\.\d{2,15})\s?°?\s?[EWO]")
_SECONDS = pattern(
    r"\d{1,3}°\s?\d{1,2}['\u2032]\s?\d{1,2}(?:\.\d{1,6})?[\"\u2033]?\s?[NS][,;]?\s{0,2}"
    r"\d{1,3}°\s?\d{1,2}['\u2032]\s?\d{1,2}(?:\.\d{1,6})?[\"\u2033]?\s?[EWO]"
)
_ALONE = pattern(r"[-+]?\d{1,3}\.\d{4,15}(?!\d)")
_UNIT = pattern(r"\s?(?:[munµ]?s\b|sec|%|x\b|MB|KB|GB)")
_START = pattern(r"(?<![\w.])[-+]?\d{1,3}(?=[.°])")
_DEGREE = pattern("°")
_DIGIT, _MOST_DIGITS = ord("0"), 3
_CERTAIN, _PAIRED, _ONE = 0.4, 0.25, 0.1


def positions(doc: PreparedText) -> Iterator[Candidate]:
    """Yield what can be a position or one coordinate; only a label makes it one.

    A text that names no position is not searched.
    """
    if doc.named is not None and TYPE not in doc.named:
        return
    done = 0
    for start in _starts(doc):
        if start >= done and (found := _read(doc, start)):
            done = found.end
            yield found


def _starts(doc: PreparedText) -> Iterator[int]:
    """Yield where a number with decimals or degrees begins."""
    text, numbers = doc.text, doc.numbers
    places: Iterator[int] = doc.numeral_places(b"0.00")
    if "°" in text:
        places = merge(places, (sign.start() - 1 for sign in _DEGREE.finditer(text)))
    for last in places:  # of the digits before the mark
        start = last
        while start > 0 and last - start < _MOST_DIGITS and numbers[start - 1] == _DIGIT:
            start -= 1
        if start > 0 and text[start - 1] in "+-" and _START.match(text, start - 1):
            yield start - 1
        elif _START.match(text, start):
            yield start


def _read(doc: PreparedText, at: int) -> Candidate | None:
    text = doc.text
    for form, sure in ((_SECONDS, _CERTAIN), (_SIGNED, _CERTAIN), (_PAIR, _PAIRED)):
        found = form.match(text, at)
        if found and (form is _SECONDS or _on_earth(*found.groups())):
            return Candidate(TYPE, at, found.end(), sure, "position", ("range",))
    one = _ALONE.match(text, at)
    if one and abs(float(one.group())) <= 180 and not _UNIT.match(text, one.end()):
        return Candidate(TYPE, at, one.end(), _ONE, "position", ("range",))
    return None


def _on_earth(first: str, second: str) -> bool:
    """Return whether two numbers can be a latitude and a longitude, in either order."""
    one, other = abs(float(first)), abs(float(second))
    return min(one, other) <= 90 and max(one, other) <= 180
