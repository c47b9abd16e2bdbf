"""The form of a person's name: which words may be one, and how likely they are.

The form alone is never enough: headings, products and companies have the same. A place has to
point to a name (a label, a header of a mail, a credit), or a given name has to be known.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from waivern.detection.expressions import expression

_CASED = [chr(code) for block in (range(0xC0, 0x250), range(0x370, 0x530)) for code in block]
_UPPER = "A-Z" + "".join(c for c in _CASED if c.isupper())
_LOWER = "a-z\u0300-\u036f" + "".join(c for c in _CASED if c.islower())
_QUOTE = "['\u2019`]"
_MIXED = (
    rf"(?:(?:Ma?c|De|Del|Di|Da|Le|La|Fitz|Van|[ODLN]{_QUOTE})(?=[{_UPPER}][{_LOWER}]))?"
    rf"[{_UPPER}][{_LOWER}]+(?:[-\u2010\u2011][{_UPPER}]?[{_LOWER}]+|{_QUOTE}[{_LOWER}]+)*"
)
_CAPITALS = rf"[{_UPPER}]{{2,}}(?:[-'\u2019][{_UPPER}]+)*"
_INITIAL = rf"[{_UPPER}]\.(?:-?[{_UPPER}]\.){{0,2}}|[{_UPPER}](?![\w'\u2019&])"
_PARTICLES = (
    "van der|van den|van de|von der|von dem|vom|van|von|zu|zum|zur|de la|de los|de las|de|del|"
    "della|dello|degli|dei|di|da|das|dos|do|du|des|der|den|ter|ten|te|af|av|bin|bint|ibn|ben|al"
    "|el|le|la|y|"
    "e"
)
_WORD = rf"(?:{_MIXED}|{_CAPITALS})(?![\w])"
_PART = rf"(?:{_WORD}|{_INITIAL})"
_SUFFIX = r"(?:,? (?:Jr|Sr|Ph\.? ?D|M\.?D|MSc|BSc|Esq|II|III|IV)\b\.?)"
_TITLE = (
    r"(?:(?:[Mm]r|[Mm]rs|[Mm]s|[Mm]x|[Dd]r|[Pp]rof|[Ss]ra?|[Ss]rta|[Ss]ig|[Dd]hr|[Mm]evr|[Ii]ng|"
    r"[Mm]gr|[Bb]c)"
    r"\.? |(?:Herrn?|Frau|Miss|Sir|Dame|Lady|Mme|Mlle|Madame|Monsieur|M\.) )"
)
_CALLED = rf" ?(?:\"[^\"\n]{{1,20}}\"|\([{_UPPER}][{_LOWER}]{{1,15}}\))"
NAME = expression(
    rf"{_TITLE}{{0,3}}{_PART}"
    rf"(?:{_CALLED}(?= [{_UPPER}]))?"
    rf"(?:[ \u3000](?:(?:{_PARTICLES}) |d{_QUOTE}(?=[{_UPPER}])|al-|el-){{0,2}}{_PART}){{0,4}}"
    rf"{_SUFFIX}{{0,2}}"
)
"""A name in a cased script: Latin, Greek or Cyrillic."""
_REVERSED = expression(
    rf"(?:(?:{_PARTICLES}) ){{0,2}}{_WORD}, {_TITLE}?{_PART}(?: {_PART}){{0,2}}"
    rf"|{_WORD} {_WORD}, {_WORD}(?: {_INITIAL})?"
)
"""`Novak, Jana M.` and `Garcia Lopez, Ana`, but not a list: `Jane Doe, Ann Lee`."""
_PARTICLE_FIRST = expression(
    rf"(?:(?:{_PARTICLES}) )?{_WORD}(?:[- ](?:(?:{_PARTICLES}) )?{_WORD}){{0,2}}"
)
_UNCASED = expression(
    "[\u4e00-\u9fff\u3005\u3006]{1,4}[ \u3000]?[\u4e00-\u9fff\u3005\u3040-\u30ff]{1,5}"
    "|[\u30a1-\u30ff]{2,10}[ \u3000\u30fb][\u30a1-\u30ff]{2,10}"
    "|[\u3041-\u309f]{2,8}[ \u3000][\u3041-\u309f]{2,8}"
    "|[\uac00-\ud7a3]{1,2} ?[\uac00-\ud7a3]{1,3}"
    "|[\u0620-\u064a\u0671-\u06d3]{2,14}(?: [\u0620-\u064a\u0671-\u06d3]{2,14}){1,3}"
    "|[\u05d0-\u05ea]{2,12}(?:[ -][\u05d0-\u05ea'\"]{2,12}){1,3}"
    "|[\u0900-\u0963]{2,14}(?: [\u0900-\u0963]{2,14}){1,3}"
)
"""A name in a script without capitals; it has the form of any other word of that script."""
_SPLIT = expression(r"[\s,.()\"'\u2019`-]+")
_WHOLE_BRANDS = frozenset(
    {"red hat", "mountain view", "ernst young", "wells fargo", "hewlett packard"}
)


class Form(NamedTuple):
    """The form of a value that may be a name."""

    words: tuple[str, ...]
    """Its words without titles, particles and initials, in lower case without accents."""
    parts: int
    """Its words and initials."""
    known: bool
    """Whether one of its words is a frequent given name."""
    cased: bool
    """Whether its script has capitals: without them the form says little."""


def folded(word: str) -> str:
    """Return a word in lower case without accents."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize(
        "NFKD", word.replace("ł", "l").replace("Ł", "L").replace("ø", "o")
    )
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


@cache
def given_names() -> frozenset[str]:
    """Return the frequent given names."""
    text = files(__package__).joinpath("given_names.txt").read_text(encoding="utf-8")
    lines = text.splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


@cache
def _excluded() -> dict[str, frozenset[str]]:
    """Return the words that are not in names, by section."""
    text = files(__package__).joinpath("not_names.txt").read_text(encoding="utf-8")
    sections = re.split(
        r"^\[(\w+)\]\n", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    pairs = zip(sections[1::2], sections[2::2], strict=True)
    return {name: frozenset(words.split()) for name, words in pairs}


@lru_cache(maxsize=4096)
def form(value: str, *, single: bool = False) -> Form | None:
    """Return the form of a whole value if it may be a name; `single`: one word may be one."""
    value = value.strip()
    if not 2 <= len(value) <= 80:
        return None
    matched = (
        NAME.fullmatch(value) or _REVERSED.fullmatch(value) or _PARTICLE_FIRST.fullmatch(value)
    )
    if matched is None:
        return _uncased(value)
    return _judged(value, single=single)


def _uncased(value: str) -> Form | None:
    if value.isascii() or not _UNCASED.fullmatch(value):
        return None
    parts = tuple(_SPLIT.split(value))
    return Form(parts, max(2, len(parts)), known=False, cased=False)


def _judged(value: str, *, single: bool) -> Form | None:
    every = [folded(part) for part in _SPLIT.split(value) if part]
    apart = [folded(part.strip('.,()"')) for part in value.split()]
    parts = sum(word not in _SMALL and word not in TITLES for word in apart)
    titles = sum(word in TITLES for word in every)
    named = [word for word in every if word not in _SMALL and word not in TITLES]
    full = tuple(word for word in named if len(word) > 1)
    if not full:
        return None
    if not _excluded()["organisations"].isdisjoint(full) or " ".join(full[:2]) in _WHOLE_BRANDS:
        return None
    names = given_names()
    known = any(word in names for word in (full[0], full[-1]) if len(full) > 1 or single)
    common = [word for word in full if word in _excluded()["common"] and word not in names]
    if common and not (
        known and len(full) > 1 and all(w in _excluded()["surnames"] for w in common)
    ):
        return None
    if parts < 2 and not single and not titles:
        return None
    if max(map(len, full)) < 3 and parts < 2 and not single:
        return None
    return Form(full, parts, known, cased=True)


_SMALL = frozenset(_PARTICLES.replace("|", " ").split()) | {
    "d",
    "jr",
    "sr",
    "ii",
    "iii",
    "iv",
    "phd",
}
TITLES = frozenset(
    """
    mr mrs ms mx dr prof sr sra srta sig dhr mevr ing mgr bc herr herrn frau miss sir dame lady mme
    mlle madame monsieur signor signora senhor senhora senor senora mevrouw meneer fru pani panie
    """.split()  # noqa: SIM905
)
