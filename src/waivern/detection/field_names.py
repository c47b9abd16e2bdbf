"""Field names of personal data: keys, headers, columns, declarations."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from waivern.detection.ruleset import LONGEST_TERM, FieldTerm, Ruleset
from waivern.detection.tables import first_line, headers
from waivern.detection.word_splitting import words

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
_TABLE = re.compile(r"\bcreate\s{1,4}(?:\w+\s{1,4}){0,3}table\b[^;]*[(,]\s*\Z", re.IGNORECASE)
_PARAMETERS = re.compile(
    r"\b(?:def|function|func|fn|fun|public|private|protected|internal|static|override|void)\b"
    r"[^(){};=\n]{0,120}\([^(){};]*\Z"
)
_NEXT_PARAMETER = re.compile(r"[ \t]{0,3}[,)]")
_OPENED = re.compile(r"(?:\A|[\s>])</?(?:[A-Za-z_][\w.-]{0,40}:)?\Z")
_TAG_END = re.compile(r"[\s/>]")
_HTML = re.compile(r"<!doctype html|<(?:html|body|div|span|script)\b", re.IGNORECASE)
_OPENED_NAME = re.compile(
    r"(?:\A|[{(,\[;|<>&]|\b(?:let|var|val|const|final|public|private|protected|readonly|static|"
    r"internal|override|mut|pub|self\.|this\.))[ \t]*\Z|[.>\-#*/]\Z|[-#*/][ \t]*\Z"
)
"""What precedes a name that a ':' follows, unless it is the last word of a sentence."""
_LOOK_BACK = 1_000
"""Characters before a column in which its statement begins."""
_HEAD = 120
"""Characters before a parameter in which its function begins."""
_QUOTES = ("'", '"', "`")
_MOST_BEFORE = 2
MOST_NAMES = 10_000
"""The names that are distinguished in one text."""


@dataclass(frozen=True, slots=True)
class NamedField:
    """A name that contains `term`; `whole`: it consists of the term alone."""

    name: str
    term: FieldTerm
    whole: bool


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field in a text: its first position and its count; `data`: of data, not of code."""

    field: NamedField
    start: int
    count: int
    data: bool


def classify(name: str, rules: Ruleset) -> NamedField | None:
    """Return the term of a field name; a weak term only if the name consists of it alone."""
    parts = words(name)
    if not 0 < len(parts) <= _MOST_WORDS or parts[0] in _NOT_DATA:
        return None
    term = rules.fields.get(" ".join(parts))
    if term:
        return NamedField(name, term, whole=True)
    while len(parts) > 1 and parts[-1] in _QUALIFIERS:
        parts = parts[:-1]
    for begin in range(max(0, len(parts) - LONGEST_TERM), len(parts)):
        term = rules.fields.get(" ".join(parts[begin:]))
        if term and not term.weak:
            if begin > _MOST_BEFORE or not _NOT_DATA.isdisjoint(parts[:begin]):
                return None
            return NamedField(name, term, whole=False)
    return None


def field_names(text: str, rules: Ruleset) -> list[FieldUse]:
    """Return the personal fields that `text` declares, by position, each name once.

    A weak name counts only beside a certain one, and only as a field of data.
    """
    found = FieldNames(rules)
    found.add(text)
    return found.uses()


class FieldNames:
    """The personal fields that a text declares, which may be added in parts."""

    def __init__(self, rules: Ruleset) -> None:
        self._rules = rules
        self._found: dict[str, FieldUse] = {}
        self._first: dict[str, str] = {}
        """The first name of each term: further names count as that one if there are too many."""
        self._headers: set[str] = set()
        self._is_xml: bool | None = None
        self.columns: frozenset[str] = frozenset()
        """The names in the first line, if the text consists of rows below such a line."""

    def add(self, text: str, at: int = 0) -> list[FieldUse]:
        """Add the part that begins at `at`; return the fields that are new, by position."""
        head = None
        if self._is_xml is None:
            self._is_xml = _is_xml(text)
            head = first_line(text)
            self.columns = frozenset(head.names if head else ())
        new = {use.field.name: use for use in self._declared(text, at)}
        for name, place in headers(text, head):
            field = classify(name, self._rules)
            if field:
                new[name] = FieldUse(field, at + place, 1, data=True)
                self._headers.add(name)
        return sorted((use for name, use in new.items() if self._add(name, use)), key=_place)

    def _add(self, name: str, use: FieldUse) -> bool:
        """Add the uses of a name in a part; return whether it is a new one."""
        if len(self._found) >= MOST_NAMES and name not in self._found:
            name = self._first.get(use.field.term.term, name)
        before = self._found.get(name)
        if before is None:
            self._found[name] = use
            self._first.setdefault(use.field.term.term, name)
        elif name not in self._headers:
            count, data = before.count + use.count, before.data or use.data
            self._found[name] = FieldUse(before.field, before.start, count, data)
        return before is None

    def uses(self) -> list[FieldUse]:
        """Return the fields, by position."""
        found = self._found.values()
        certain = any(not use.field.term.weak for use in found)
        return sorted(
            (use for use in found if not use.field.term.weak or (certain and use.data)), key=_place
        )

    def _declared(self, text: str, at: int) -> Iterator[FieldUse]:
        raw, xml = text.encode("ascii", "replace"), bool(self._is_xml)
        named = {
            name: classify(name.decode(), self._rules) for name in set(_IDENTIFIER.findall(raw))
        }
        fields = {name: field for name, field in named.items() if field}
        places: defaultdict[bytes, list[tuple[int, bool]]] = defaultdict(list)
        for found in _IDENTIFIER.finditer(raw) if fields else ():
            name = found.group()
            if name in fields:
                data = _field(text, found.start(), found.end(), xml)
                if data is not None:
                    places[name].append((found.start(), data))
        for name, uses in places.items():
            yield FieldUse(fields[name], at + uses[0][0], len(uses), any(use[1] for use in uses))


def _place(use: FieldUse) -> tuple[int, str]:
    return use.start, use.field.name


def _is_xml(text: str) -> bool:
    """Return whether a text begins as XML does, and is not HTML."""
    return text[:200].lstrip().startswith("<") and _HTML.search(text, 0, 5_000) is None


def _field(text: str, at: int, end: int, xml: bool) -> bool | None:
    """Return True for a field of data at [at, end), False for one of code, None for no field."""
    before, after = text[at - 1 : at] if at else "", text[end : end + 1]
    if _in_name(before) or before == "$" or _in_name(after):
        return None
    if xml and _is_element(text, at, end):
        return True
    quoted = before in _QUOTES and before == after
    return _use(text, at - quoted, end + quoted, quoted)


def _in_name(char: str) -> bool:
    return char.isalnum() or char in ("_", "-")


def _use(text: str, start: int, end: int, quoted: bool) -> bool | None:
    """Return True for a field of data at [start, end), False for one of code, None for none."""
    line = text[max(text.rfind("\n", max(0, start - 80), start) + 1, start - 30, 0) : start]
    sign = _SIGN.match(text, end)
    if sign is None:
        if (around := _listed(text, start, end)) is not None:
            return around
        if quoted and _INPUT.search(line):
            return True
        if quoted and line.endswith("[") and text[end : end + 1] == "]":
            return False
        return True if not line.strip() and _COLUMN.match(text, end) else None
    if _CONTROL.search(line) or "?" in line:
        return None  # if email: … or a ? b : c
    return sign.group().endswith(":") and (quoted or not line.strip(" -"))


def _listed(text: str, start: int, end: int) -> bool | None:
    """Return True for a column of a CREATE TABLE on one line, False for a parameter of a function.

    None: it is neither.
    """
    if _COLUMN.match(text, end) and _TABLE.search(text, max(0, start - _LOOK_BACK), start):
        return True
    head = text[max(0, start - _HEAD) : start]
    if _NEXT_PARAMETER.match(text, end) and _PARAMETERS.search(head):
        return False
    is_typed = _COLUMN.match(text, end) and head.rstrip().endswith(("(", ","))
    return False if is_typed and _PARAMETERS.search(head) else None


def _is_element(text: str, start: int, end: int) -> bool:
    """Return whether the name is that of an element of an XML document."""
    opened = _OPENED.search(text, max(0, start - 50), start)
    return opened is not None and _TAG_END.match(text, end) is not None
