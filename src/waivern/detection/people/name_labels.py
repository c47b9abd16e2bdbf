"""Names after a label: `Name: Jane Doe`, `"first_name": "Jane"`, `my name is Jane Doe`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.expressions import expression
from waivern.detection.people.candidates import DOUBTFUL, FAIR, STRONG, name_at, names_from, person
from waivern.detection.people.name_fields import (
    ANCHORS,
    FIELD_WORDS,
    OTHER_SCRIPTS,
    NameField,
    describes_people,
    name_field,
)
from waivern.detection.people.names import Form, folded, form, given_names
from waivern.detection.prepared_text import Candidate, PreparedText

_LABEL = expression(r"[\w .'\u2019-]{1,40}\Z")
_SIGN = expression(
    r"s?(?:\((?:s|en)\)|/in)?[\"'`\])*_]{0,3}[ \t]{0,3}"
    r"(?:=>|:=|[:=>\uff1a])[ \t]{0,20}(?:&gt;)?[\[(]?[\"'`*_]{0,3}\s{0,1}"
)
_META = expression(r"[\"'] content=[\"']")
_SPOKEN = expression(r" (?:is|ist|es|est|\u00e8|\u00e9|jest|er|\u00e4r|on) ")
_CELL = expression(r"s?:?\s{0,3}</t[dh]>\s{0,10}<td[^<>]{0,60}>\s{0,5}")
_NOTED = frozenset("author autor auteur autore maintainer reviewer creator".split())  # noqa: SIM905
_REVERSED_END = expression(r"[\"'<|;\t\n]|\Z")
_KEYS = expression(r"[\"'<\n;, (]([A-Za-z_-]{2,30})[\"']?\s?[:=>]")
_NEAR = 250
_BLOCK = 256
_VALUES = expression(r"\w@\w|\d{4}|\d[-/.]\d")
_CAPITAL = expression(r"\b[^\W\d_a-z][^\W\d_]{2,}")
_VALUE = 80


def labelled(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the names after labels that the text has."""
    text, around = doc.text, _Neighbourhood(doc.text)
    for word in ANCHORS & doc.seen:
        yield from _after(doc, word, around)
    if not text.isascii():
        other = " ".join(word for word in doc.spelled if not word.isascii())
        for label in OTHER_SCRIPTS:
            at = text.find(label) if label in other else -1
            while at >= 0:
                if not text[at - 1 : at].isalpha() or not at:
                    yield from _value(doc, around, label, at + len(label))
                at = text.find(label, at + 1)


def _after(doc: PreparedText, word: str, around: _Neighbourhood) -> Iterator[Candidate]:
    """Yield the names after labels that end in a word, which is in lower case without accents."""
    text = doc.text
    for start, end in _spelled(doc.folded, word):
        if (sign := _SIGN.match(text, end)) is not None:
            label = _LABEL.search(text, max(0, start - 30), end)
            if label is not None:
                # `INFO customer=…`: the name of an assignment is one word
                name = label.group().split(" ")[-1] if "=" in sign.group() else label.group()
                yield from _value(doc, around, name, end, sign.end())
        elif word == "name" and text.startswith(" i", end):
            yield from _introduced(text, start, end)
        elif (cell := _CELL.match(text, end)) is not None:
            label = _LABEL.search(text, max(0, start - 30), end)
            if label is not None:
                yield from _value(doc, around, label.group(), end, cell.end())
        elif word in _NOTED and text[start - 1 : start] in ("@", "\\"):
            yield from names_from(text, end + len(text[end : end + 1]), FAIR, "label")
        elif word in _NOTED and (meta := _META.match(text, end)):
            yield from names_from(text, meta.end(), FAIR, "label")


def _value(
    doc: PreparedText, around: _Neighbourhood, label: str, end: int, begin: int | None = None
) -> Iterator[Candidate]:
    """Yield the name that is the value of a label which ends at `end`."""
    kind = name_field(_last_phrase(label))
    if kind is None:
        return
    if begin is None:
        sign = _SIGN.match(doc.text, end)
        if sign is None:
            return
        begin = sign.end()
    noted = any(label.lower().endswith(word) for word in _NOTED)
    place = {NameField.FULL: STRONG, NameField.PART: STRONG, NameField.WEAK: DOUBTFUL}[kind]
    if noted and kind is NameField.WEAK:
        yield from names_from(doc.text, begin, FAIR, "label")
    else:
        yield from _weighed(
            doc.text, around, kind, begin, place, native=label.strip() in OTHER_SCRIPTS
        )


def _weighed(
    text: str, around: _Neighbourhood, kind: NameField, begin: int, place: float, *, native: bool
) -> Iterator[Candidate]:
    """Yield the name at `begin`; `native`: its label is in a script of its own, too."""
    found = _name(text, begin, single=kind is not NameField.WEAK)
    if found is None:
        return
    end, has = found
    if place == DOUBTFUL and not has.known and around.is_about_people(begin):
        place = FAIR
    if not (FIELD_WORDS | {"label"}).isdisjoint(has.words):
        return
    if not has.cased and place < STRONG:
        return
    likely = has.known or native or (kind is NameField.FULL and has.parts > 1 and has.cased)
    if not likely and not around.is_data(begin):
        place = DOUBTFUL
    if kind is NameField.FULL and has.parts < 2 and not has.known:
        place = DOUBTFUL
    yield person(begin, end, has, place, "label")


def _name(text: str, begin: int, *, single: bool) -> tuple[int, Form] | None:
    """Return the end and the form of the value at `begin`: the whole of it, or its first words."""
    stop = _REVERSED_END.search(text, begin, min(len(text), begin + _VALUE))
    if stop is not None:
        value = text[begin : stop.start()].rstrip(" ,\r")
        if "," in value or not value.isascii():
            has = form(value, single=single)
            if has is not None:
                return begin + len(value), has
    return name_at(text, begin, single=single)


def _introduced(text: str, at: int, end: int) -> Iterator[Candidate]:
    """Yield the name in `my name is Jane Doe`, not that in `the name is Main Page`."""
    spoken = _SPOKEN.match(text, end)
    before = text[max(0, at - 12) : at].lower().split()
    if (
        spoken is None
        or not before
        or before[-1] not in ("my", "his", "her", "full", "whose", "mein")
    ):
        return
    found = name_at(text, spoken.end(), single=True, bounded=False)
    if found is not None and (found[1].known or found[1].parts > 1):
        yield person(spoken.end(), found[0], found[1], FAIR, "label")


def _last_phrase(label: str) -> str:
    """Return the end of a text that may be a label."""
    return re.split(r"[.\u2019] |  |^-|^[^\w]+", label)[-1]


class _Neighbourhood:
    """The neighbourhood of the values of one text, judged once for each block of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._people: dict[int, bool] = {}
        self._data: dict[int, bool] = {}

    def _near(self, at: int) -> str:
        block = at - at % _BLOCK
        return self._text[max(0, block - _NEAR) : block + _BLOCK + _NEAR]

    def is_about_people(self, at: int) -> bool:
        """Return whether keys near a value show that it belongs to a person's record."""
        block = at // _BLOCK
        if block not in self._people:
            self._people[block] = describes_people(_KEYS.findall(self._near(at)))
        return self._people[block]

    def is_data(self, at: int) -> bool:
        """Return whether what surrounds a value are values, and not more words of a language.

        Catalogues of translations have `first_name: Vorname` for each language.
        """
        block = at // _BLOCK
        if block not in self._data:
            near = self._near(at)
            known = given_names()
            self._data[block] = bool(_VALUES.search(near)) or any(
                folded(word) in known for word in _CAPITAL.findall(near)
            )
        return self._data[block]


def _spelled(raw: bytes, word: str) -> Iterator[tuple[int, int]]:
    """Yield the places of a word; most words have no accents, which is quicker to search for."""
    if word in _ACCENTED:
        yield from (found.span() for found in spelling(word).finditer(raw))
        return
    plain = word.encode()
    at = raw.find(plain)
    while at >= 0:
        yield at, at + len(plain)
        at = raw.find(plain, at + len(plain))


def spelling(word: str) -> re.Pattern[bytes]:
    """Return the pattern of a word in bytes that have a '?' for each letter with an accent."""
    return _SPELLINGS.setdefault(word, re.compile(_ACCENTED.get(word, word).encode()))


_ACCENTED = {
    "prenom": "pr[e?]nom",
    "imie": "imi[e?]",
    "jmeno": "jm[e?]no",
    "prijmeni": "p[r?][i?]jmen[i?]",
    "krestni": "k[r?]estn[i?]",
    "meno": "meno",
    "nev": "n[e?]v",
    "vezeteknev": "vezet[e?]kn[e?]v",
    "keresztnev": "keresztn[e?]v",
}
_SPELLINGS: dict[str, re.Pattern[bytes]] = {}
