"""Dates of any kind, and the time behind them: a type that is searched for only by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText

TYPE = "DATE_TIME"
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
    r"|(?:m\u00e4r|mai|okt|dez|fev|f\u00e9v|avr|juin|juil|ao\u00fb|ene|abr|ago|dic|set|out|gen|mag|giu|lug|ott|mrt|mei)"
    r"[a-z]{0,7}\.?"
)
_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
_FORM = expression(
    rf"(?P<full>\d{{4}}(?P<a>[-/.])\d{{1,2}}(?P=a)\d{{1,2}}{_TIME}(?![\d:])"
    rf"|\d{{1,2}}(?P<b>[-/.])\d{{1,2}}(?P=b)(?:\d{{4}}|\d{{2}}){_TIME}(?![\d:])"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?[- ]{{0,2}}(?:{_MONTH})[-, ]{{1,2}}(?:\d{{4}}|\d{{2}})"
    rf"|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})"
    rf"|(?P<part>\d{{1,2}}-(?:{_MONTH})|(?:{_MONTH})-(?:\d{{4}}|\d{{2}})|(?:{_MONTH}) \d{{4}})",
    re.IGNORECASE,
)
_NUMBERS = expression(r"\d+")
_WITHIN = expression(r"[\w/.-]\Z")
_FULL, _PART = 0.65, 0.5


def date_times(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the dates that a calendar may have."""
    text = doc.text
    for found in _FORM.finditer(text):
        start, end = found.span()
        if _WITHIN.match(text, start - 1) if start else False:
            continue
        following = text[end : end + 2]
        if following[:1].isalnum() or (following[:1] in "./-" and following[1:].isalnum()):
            continue
        if _is_date(found.group(), numeric=bool(found["a"] or found["b"])):
            yield Candidate(
                TYPE, start, end, _FULL if found["full"] else _PART, "date-time", ("date",)
            )


def _is_date(text: str, *, numeric: bool) -> bool:
    """Return whether a calendar has the day and the month, in one of the usual orders."""
    first, *others = [int(number) for number in _NUMBERS.findall(text)[:3]]
    if not numeric:
        return first <= 31 or 1800 <= first < 2200
    second, third = others
    if first > 31:
        return 1800 <= first < 2200 and 1 <= second <= 12 and 1 <= third <= 31
    return min(first, second) >= 1 and min(first, second) <= 12 and max(first, second) <= 31
