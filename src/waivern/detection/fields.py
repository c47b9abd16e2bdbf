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
_VERBS = frozenset(
    """
        is has can should show send validate verify check get set enable allow require use no num
        hide reset change update forgot confirm make parse format render test mask max min
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
_TYPES = "(?:var|n|nvar|national )?char|text|int|integer|bigint|smallint|date|datetime|timestamp|"
_TYPES += (
    "bool|boolean|numeric|decimal|json|jsonb|uuid|blob|real|float|double|string|varchar2|clob|inet"
)


@dataclass(frozen=True, slots=True)
class NamedField:
    """A name that means `term`. `whole`: nothing but the term; `data`: it names data, not code."""

    name: str
    term: FieldTerm
    whole: bool


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field in a text: the name, where it is first a field, and how often."""

    field: NamedField
    start: int
    count: int
    data: bool


def classify(name: str, rules: Ruleset) -> NamedField | None:
    """Return what a field name stands for; weak terms only where the name is nothing else."""
    told = words(name)
    if not 0 < len(told) <= _MOST_WORDS or told[0] in _VERBS:
        return None
    term = rules.fields.get(" ".join(told))
    if term:
        return NamedField(name, term, whole=True)
    while len(told) > 1 and told[-1] in _QUALIFIERS:
        told = told[:-1]
    for begin in range(max(0, len(told) - LONGEST_TERM), len(told)):
        term = rules.fields.get(" ".join(told[begin:]))
        if term and not term.weak:
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
    word = re.escape(name)
    form = re.compile(
        rf"(?P<key>(?<![\w$-])(?P<q>[\"'`]?){word}(?P=q)\]?[ \t]{{0,3}}"
        r"(?:=>|:=|:(?![:=])|=(?![=~>])))"
        rf"|(?P<input>\bname[ ]?=[ ]?[\"']{word}[\"'])"
        rf"|(?P<column>^[ \t]{{0,12}}[\"`\[]?{word}[\"`\]]?[ \t]{{1,20}}(?i:{_TYPES})\b)"
        rf"|(?P<item>\[[\"']{word}[\"']\])",
        re.MULTILINE,
    )
    for found in form.finditer(text):
        if found.group("key") and _CONTROL.search(text[max(0, found.start() - 14) : found.start()]):
            continue
        if found.group("key") and "?" in text[max(0, found.start() - 30) : found.start()]:
            continue  # a ? b : c
        quoted = bool(found.group("q")) and found.group().endswith(":")
        data = quoted or bool(found.group("column") or found.group("input"))
        line = text.rfind("\n", max(0, found.start() - 200), found.start()) + 1
        yaml = not text[line : found.start()].strip(" -") and found.group().endswith(":")
        yield text.index(name, found.start()), data or yaml
