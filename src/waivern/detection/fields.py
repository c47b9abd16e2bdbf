"""Field names that stand for personal data: keys, headers, columns, declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waivern.detection.ruleset import LONGEST_TERM, FieldTerm, Ruleset
from waivern.detection.tables import headers
from waivern.detection.words import words

_MOST_WORDS = 6
_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_-]{1,50}")
_NOT_DATA = frozenset(
    """
        is has can should show send validate verify check get set enable allow require use no num
        hide reset change update forgot confirm make parse format render test mask max min lost
        wrong missing unknown invalid notice button label setting error msg message generate must
        incoming activation subject body template hint help placeholder tooltip
    """.split()  # noqa: SIM905
)
_QUALIFIERS = frozenset(
    """
        home work private office primary secondary main old new value raw hash hashed encrypted
        enc field text str plain masked
    """.split()  # noqa: SIM905
)
_CONTROL = re.compile(
    r"\b(?:if|elif|while|not|and|or|in|for|return|is|lambda|case|with|except)\s{1,4}\Z"
)
_SIGN = re.compile(r"\]?[ \t]{0,3}(?:=>|:=|:(?![:=])|=(?![=~>]))")
_INPUT = re.compile(r"\bname ?= ?\Z")
_COLUMN = re.compile(
    r"[ \t]{1,20}(?:(?:var|n|nvar|national )?char|text|int|integer|bigint|smallint|date|datetime|"
    r"timestamp|bool|boolean|numeric|decimal|json|jsonb|uuid|blob|real|float|double|string|"
    r"varchar2|clob|inet)\b",
    re.IGNORECASE,
)
_QUOTES = ("'", '"', "`")
_MOST_BEFORE = 2


@dataclass(frozen=True, slots=True)
class NamedField:
    """A name that means `term`; `whole`: it says nothing but that."""

    name: str
    term: FieldTerm
    whole: bool


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field in a text: where it is first one, how often; `data`: of data, not of code."""

    field: NamedField
    start: int
    count: int
    data: bool


def classify(name: str, rules: Ruleset) -> NamedField | None:
    """Return what a field name stands for; weak terms only where the name is nothing else."""
    told = words(name)
    if not 0 < len(told) <= _MOST_WORDS or told[0] in _NOT_DATA:
        return None
    term = rules.fields.get(" ".join(told))
    if term:
        return NamedField(name, term, whole=True)
    while len(told) > 1 and told[-1] in _QUALIFIERS:
        told = told[:-1]
    for begin in range(max(0, len(told) - LONGEST_TERM), len(told)):
        term = rules.fields.get(" ".join(told[begin:]))
        if term and not term.weak:
            if begin > _MOST_BEFORE or not _NOT_DATA.isdisjoint(told[:begin]):
                return None
            return NamedField(name, term, whole=False)
    return None


def field_names(text: str, rules: Ruleset) -> list[FieldUse]:
    """Return the personal fields that `text` declares, by place, each name once.

    Weak names need a certain one beside them, and must name data.
    """
    found = {use.field.name: use for use in _declared(text, rules)}
    for name, at in headers(text):
        field = classify(name, rules)
        if field:
            found[name] = FieldUse(field, at, 1, data=True)
    certain = any(not use.field.term.weak for use in found.values())
    kept = [u for u in found.values() if not u.field.term.weak or (certain and u.data)]
    return sorted(kept, key=lambda use: (use.start, use.field.name))


def _declared(text: str, rules: Ruleset) -> Iterator[FieldUse]:
    names = {m.decode("ascii") for m in set(_IDENTIFIER.findall(text.encode("ascii", "replace")))}
    for name in sorted(names):
        field = classify(name, rules)
        if field is None:
            continue
        places = list(_places(text, name))
        if places:
            data = any(quoted for _, quoted in places)
            yield FieldUse(field, places[0][0], len(places), data)


def _places(text: str, name: str) -> Iterator[tuple[int, bool]]:
    """Yield where `name` is a field, and whether as a key or column of data."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before, after = text[at - 1 : at] if at else "", text[end : end + 1]
        if not _in_name(before) and before != "$" and not _in_name(after):
            quoted = before in _QUOTES and before == after and before != ""
            data = _use(text, at - quoted, end + quoted, quoted)
            if data is not None:
                yield at, data
        at = text.find(name, end)


def _in_name(char: str) -> bool:
    return char.isalnum() or char in ("_", "-")


def _use(text: str, start: int, end: int, quoted: bool) -> bool | None:
    """Say whether the name at [start, end) is a field of data (True), of code (False), or none."""
    line = text[max(text.rfind("\n", max(0, start - 80), start) + 1, start - 30, 0) : start]
    sign = _SIGN.match(text, end)
    if sign is None:
        if quoted and _INPUT.search(line):
            return True
        if quoted and line.endswith("[") and text[end : end + 1] == "]":
            return False
        return True if not line.strip() and _COLUMN.match(text, end) else None
    if _CONTROL.search(line) or "?" in line:
        return None  # if email: … or a ? b : c
    return sign.group().endswith(":") and (quoted or not line.strip(" -"))
