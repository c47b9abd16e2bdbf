"""Names after a label: `Name: Jane Doe`, `"first_name": "Jane"`, `my name is Jane Doe`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waivern.detection.people.candidates import DOUBTFUL, FAIR, STRONG, name_at, names_from, person
from waivern.detection.people.name_fields import (
    ANCHORS,
    FIELD_WORDS,
    WITHOUT_CASE,
    NameField,
    describes_people,
    name_field,
)
from waivern.detection.people.names import Form, folded, form, given_names
from waivern.detection.prepared_text import Candidate, PreparedText

_LABEL = re.compile(r"[\w .'\u2019-]{1,40}\Z")
_SIGN = re.compile(
    r"s?(?:\((?:s|en)\)|/in)?[\"'`\])*_]{0,3}[ \t]{0,3}"
    r"(?:=>|:=|[:=>\uff1a])[ \t]{0,20}(?:&gt;)?[\[(]?[\"'`*_]{0,3}\s{0,1}"
)
_META = re.compile(r"[\"'] content=[\"']")
_SPOKEN = re.compile(r" (?:is|ist|es|est|\u00e8|\u00e9|jest|er|\u00e4r|on) ")
_CELL = re.compile(r"s?:?\s{0,3}</t[dh]>\s{0,10}<td[^<>]{0,60}>\s{0,5}")
_NOTED = frozenset("author autor auteur autore maintainer reviewer creator".split())  # noqa: SIM905
_REVERSED_END = re.compile(r"[\"'<|;\t\n]|\Z")
_KEYS = re.compile(r"[\"'<\n;, (]([A-Za-z_-]{2,30})[\"']?\s?[:=>]")
_NEAR = 300
_VALUES = re.compile(r"\w@\w|\d{4}|\d[-/.]\d")
_CAPITAL = re.compile(r"\b[^\W\d_a-z][^\W\d_]{2,}")
_VALUE = 80


def labelled(doc: PreparedText) -> Iterator[Candidate]:
    """Yield the names after labels that the text has."""
    text = doc.text
    for word in ANCHORS & doc.seen:
        yield from _after(doc, word)
    if not text.isascii():
        for label in WITHOUT_CASE:
            at = text.find(label)
            while at >= 0:
                if not text[at - 1 : at].isalpha() or not at:
                    yield from _value(doc, label, at + len(label))
                at = text.find(label, at + 1)


def _after(doc: PreparedText, word: str) -> Iterator[Candidate]:
    """Yield the names after labels that end in a word, which is in lower case without accents."""
    raw, needle, text = doc.folded, spelling(word), doc.text
    for found in needle.finditer(raw):
        end = found.end()
        if (sign := _SIGN.match(text, end)) is not None:
            label = _LABEL.search(text, max(0, found.start() - 30), end)
            if label is not None:
                yield from _value(doc, label.group(), end, sign.end())
        elif word == "name" and text.startswith(" i", end):
            yield from _introduced(text, found.start(), end)
        elif (cell := _CELL.match(text, end)) is not None:
            label = _LABEL.search(text, max(0, found.start() - 30), end)
            if label is not None:
                yield from _value(doc, label.group(), end, cell.end())
        elif word in _NOTED and text[found.start() - 1 : found.start()] in ("@", "\\"):
            yield from names_from(text, end + len(text[end : end + 1]), FAIR, "label")
        elif word in _NOTED and (meta := _META.match(text, end)):
            yield from names_from(text, meta.end(), FAIR, "label")


def _value(
    doc: PreparedText, label: str, end: int, begin: int | None = None
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
        yield from _weighed(doc, kind, begin, place, native=label.strip() in WITHOUT_CASE)


def _weighed(
    doc: PreparedText, kind: NameField, begin: int, place: float, *, native: bool
) -> Iterator[Candidate]:
    """Yield the name at `begin`; `native`: its label is in a script of its own, too."""
    text = doc.text
    found = _name(text, begin, single=kind is not NameField.WEAK)
    if found is None:
        return
    end, has = found
    if place == DOUBTFUL and not has.known and _about_people(doc, begin, end):
        place = FAIR
    if not (FIELD_WORDS | {"label"}).isdisjoint(has.words):
        return
    if not has.cased and place < STRONG:
        return
    likely = has.known or native or (kind is NameField.FULL and has.parts > 1 and has.cased)
    if not likely and not _is_data(text, begin, end):
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


def _about_people(doc: PreparedText, begin: int, end: int) -> bool:
    """Return whether keys near a value show that it belongs to a person's record."""
    near = doc.text[max(0, begin - _NEAR) : end + _NEAR]
    return describes_people(_KEYS.findall(near))


def _is_data(text: str, begin: int, end: int) -> bool:
    """Return whether what surrounds a single word are values, and not more words of a language.

    Catalogues of translations have `first_name: Vorname` for each language.
    """
    before, after = text[max(0, begin - _NEAR) : begin], text[end : end + _NEAR]
    if _VALUES.search(before) or _VALUES.search(after):
        return True
    names = given_names()
    return any(folded(word) in names for word in _CAPITAL.findall(before + after))


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
