"""The terms of names of fields, and the term that a name contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waivern.detection.word_splitting import words

LONGEST_TERM = 5
"""The words of the longest term."""
_MOST_WORDS = 6
_MOST_BEFORE = 2
_NOT_DATA = frozenset(
    """
        is has can should show send create retrieve validate verify check get set enable
        allow require use no num hide reset change update forgot confirm make parse format
        render test mask max min lost wrong missing unknown invalid notice button label
        setting error msg message generate must incoming activation subject body template
        hint help placeholder tooltip include exclude html unusable usable unset list
        describe translate associate ignore skip lookup add remove delete find fetch remember impl
        auto enforce permit suppress expire attempt
    """.split()  # noqa: SIM905
)
_QUALIFIERS = frozenset(
    """
        home work private office primary secondary main old new value raw hash hashed encrypted
        enc text str plain masked
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """A term of field names and its category. A `weak` term needs a second signal."""

    term: str
    category: str
    weak: bool
    rule: str
    """The id of the rule that it belongs to."""


@dataclass(frozen=True, slots=True)
class NamedField:
    """A name that contains `term`; `whole`: it consists of the term alone."""

    name: str
    term: FieldTerm
    whole: bool


def named_field(name: str, fields: Mapping[str, FieldTerm]) -> NamedField | None:
    """Return the term of a name; a weak term only if the name consists of it alone.

    `fields` are the terms by their words.
    """
    parts = words(name)
    if not 0 < len(parts) <= _MOST_WORDS or parts[0] in _NOT_DATA:
        return None
    term = fields.get(" ".join(parts))
    if term:
        return NamedField(name, term, whole=True)
    while len(parts) > 1 and parts[-1] in _QUALIFIERS:
        parts = parts[:-1]
    for begin in range(max(0, len(parts) - LONGEST_TERM), len(parts)):
        term = fields.get(" ".join(parts[begin:]))
        if term and not term.weak:
            if begin > _MOST_BEFORE or not _NOT_DATA.isdisjoint(parts[:begin]):
                return None
            return NamedField(name, term, whole=False)
    return None
