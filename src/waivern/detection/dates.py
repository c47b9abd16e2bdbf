"""Dates that may be dates of birth."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.prepared_text import Candidate, PreparedText, pattern

TYPE = "DATE_OF_BIRTH"
_TIME = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
_MONTH = (
    r"(?:jan|feb|fev|f\u00e9v|mar|m\u00e4r|apr|abr|avr|may|mai|mag|mei|maj|maggio|jun|juin|giu|jul|juil|lug|"
    r"aug|ao\u00fb|ago|sep|set|oct|okt|ott|out|nov|dec|dez|d\u00e9c|dic|ene|"
    r"sty|lut|kwi|cze|lip|sie|wrz|pa\u017a|lis|gru)[a-z\u00e0-\u017e]{0,9}\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d{2}"
_FORMS = tuple(
    pattern("(?i:" + form + ")")
    for form in (
        rf"{_YEAR}-(?:0[1-9]|1[0-2])-{_DAY}{_TIME}",
        rf"{_YEAR}([-/.])(?:0?[1-9]|1[0-2])\1{_DAY}(?!\d)",
        rf"{_DAY}([-/. ]){_DAY}\1{_YEAR}(?!\d)",
        rf"{_DAY}\.\s?{_DAY}\.\s?{_YEAR}(?!\d)",
        rf"{_DAY}([-/.]){_DAY}\1\d{{2}}(?!\d)",
        rf"{_DAY}(?:st|nd|rd|th|er|\.)?[ -](?:of |de )?{_MONTH}[ -](?:of |de |del )?{_YEAR}(?!\d)",
        rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
    )
)
_MONTH_FIRST = pattern(rf"(?i:\b{_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_YEAR}(?!\d))")
_PLACE = expression(  # in the classes of characters: where one of the forms may begin
    rb"0(?<![0A._#@%$]0)(?<![0A][-/+]0)(?=0{3}[-/.]0|0{7}|0?[-/. ]00?[-/. ]00|0?\.\s?00?\.\s?0"
    rb"|0?(?:AA)?\.?[ -](?:AA )?[A?]{3})"
)
_DAY_AND_YEAR = expression(rb" 0{1,2}(?:AA)?,? 0000(?!0)")
_UNLABELLED = 0.19
"""How certain a date of birth is without a label: too little even where a text is but a date."""
_LONGEST_MONTH = 16
_LONGEST_DAY = 12


def birth_dates(doc: PreparedText) -> Iterator[Candidate]:
    """Yield every date that may be a date of birth; only a label makes it one.

    A text that names no birth is not searched.
    """
    if doc.named is not None and TYPE not in doc.named:
        return
    done = 0
    for start in _PLACE.finditer(doc.numbers):
        if start.start() < done:
            continue
        column = doc.columns.at(start.start()) if doc.columns else None
        if column and not column.supports(TYPE):
            continue
        for found in date_here(doc, start.start()):
            done = found.end
            yield found
    done = 0
    for place in _DAY_AND_YEAR.finditer(doc.numbers):
        at = place.start()
        named = _MONTH_FIRST.search(doc.text, max(done, at - _LONGEST_MONTH), at + _LONGEST_DAY)
        if named and named.end() > at:
            done = named.end()
            yield Candidate(TYPE, named.start(), done, _UNLABELLED, "birth-date", ("date",))


def is_whole_date(value: str) -> bool:
    """Return whether a value is a date, which is written in numbers first."""
    found = next(filter(None, (form.match(value) for form in _FORMS)), None)
    return found is not None and found.end() == len(value)


def date_here(doc: PreparedText, start: int) -> Iterator[Candidate]:
    """Yield the date that begins with the digit at a place, if it is written in numbers first."""
    for form in _FORMS:
        found = form.match(doc.text, start)
        if found and doc.bounded(start, found.end()):
            yield Candidate(TYPE, start, found.end(), _UNLABELLED, "birth-date", ("date",))
            return
