"""The forms of identifiers over the classes of characters, which show the places worth a look.

In the classes of a text, all digits are '0' and all letters 'A' (`PreparedText.numbers`). Where no
form matches the classes, none matches the text: one search over the classes, by one expression for
all forms together, finds the places at which the forms themselves are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from re import _constants as op  # type: ignore[attr-defined] # as in `patterns`
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_DIGIT, _LETTER = "0", "A"
_UP_TO_DIGITS = "(?=A{0,9}(?:[ -]A{1,8})?[ .-]?0)"
"""The letters of a value that begins with letters, after the first one, up to its first digit."""
_AFTER_LETTERS = re.compile(rb"0(?:(?<=A0)|(?<=A[ .-]0))")
_FEW_DIGITS = 100
"""In a text with fewer digits than one in so many characters, it is faster to look at each."""
_MANY = 4
_MANY_DIGITS = re.compile(r"\(\?:\[0\]\)\{(\d+),")
_FREE = "(?<![0A._#@%$]0)(?<![0A][-/+]0)"
"""No value begins behind these characters: see `PreparedText.bounded`."""
_NONE = r"(?!)"
_ANY = r"[\x00-\xff]"


class Places:
    """The places in a text where a value of some forms may begin."""

    def __init__(self, forms: Iterable[re.Pattern[str]]) -> None:
        read = [parsed(each.pattern) for each in forms]
        rests = [
            dict.fromkeys(rest for form in read for rest in _after(first, [*form]))
            for first in (_DIGIT, _LETTER)
        ]
        # Both begin with one plain character or set, which is what a search is fast at; most
        # letters begin nothing, so the character before a word is searched for.
        digits, letters = rests[0] or {_NONE: None}, rests[1] or {_NONE: None}
        self._digits = _compiled(f"{_DIGIT}{_FREE}(?=(?:{_any_of(digits)})(?![0A]))")
        ahead = f"{_LETTER}{_UP_TO_DIGITS}(?:{_any_of(letters)})(?![0A])"
        self._letters = _compiled(f"[^0A](?={ahead})")

    def of(self, classes: bytes) -> Iterator[int]:
        """Yield the places in the classes of a text, those that begin with digits first.

        Such a place has no letter or digit before it, and the value none behind it. Of a value that
        begins with letters, the place of its first digit may be yielded in place of its beginning.
        """
        for found in self._digits.finditer(classes):
            yield found.start()
        if classes.count(b"0") * _FEW_DIGITS < len(classes):
            for found in _AFTER_LETTERS.finditer(classes):
                yield found.start()
            return
        for found in self._letters.finditer(b" " + classes):
            yield found.start()


@cache
def parsed(pattern: str) -> Any:
    """Return the parts of a form, which is parsed once for all that reads it."""
    return _parser.parse(pattern, re.IGNORECASE)


@cache
def class_form(pattern: str) -> re.Pattern[bytes]:
    """Return an expression that matches the classes of all values of a form."""
    return _compiled(f"(?:{_expression(parsed(pattern))})(?![0A])")


@cache
def _compiled(expression: str) -> re.Pattern[bytes]:
    return re.compile(expression.encode("latin-1"))


def _any_of(rests: Iterable[str]) -> str:
    """Return an expression for any of several; most groups of digits are too short for many."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for rest in rests:
        digits = _MANY_DIGITS.match(rest)
        found[digits is not None and int(digits[1]) >= _MANY].append(rest)
    ways = [f"(?={_DIGIT}{{{_MANY}}})(?:{'|'.join(found[True])})"] if found[True] else []
    return "|".join([*found[False], *ways])


def _after(first: str, form: list[Any]) -> Iterator[str]:
    """Yield what may follow the first character of a form, if that can be of the class `first`."""
    if not form:
        return
    (kind, value), tail = form[0], form[1:]
    if kind is op.MAX_REPEAT:
        least, most, inner = value
        again = f"(?:{_expression(inner)}){{{max(0, least - 1)},{most - 1}}}"
        for rest in _after(first, [*inner]):
            yield rest + again + _expression(tail)
        optional = least == 0
    elif kind in (op.SUBPATTERN, op.BRANCH):
        ways = [value[3]] if kind is op.SUBPATTERN else value[1]
        for way in ways:
            for rest in _after(first, [*way]):
                yield rest + _expression(tail)
        optional = any(way.getwidth()[0] == 0 for way in ways)
    else:
        optional = kind in (op.AT, op.ASSERT, op.ASSERT_NOT)
        if not optional and re.fullmatch(_expression([(kind, value)]), first):
            yield _expression(tail)
    if optional:
        yield from _after(first, tail)


def _expression(form: Iterable[Any], groups: dict[int, str] | None = None) -> str:
    """Return an expression that matches the classes of all that a part of a form matches."""
    known = {} if groups is None else groups
    found = []
    for kind, value in form:
        if kind is op.LITERAL:
            found.append(re.escape(_class(value)))
        elif kind is op.IN:
            found.append(_set(value))
        elif kind is op.MAX_REPEAT:
            least, most, inner = value
            found.append(f"(?:{_expression(inner, known)}){{{least},{most}}}")
        elif kind is op.SUBPATTERN:
            inside = f"(?:{_expression(value[3], known)})"
            known[value[0]] = inside
            found.append(inside)
        elif kind is op.BRANCH:
            ways = dict.fromkeys(_expression(way, known) for way in value[1])
            found.append(f"(?:{'|'.join(ways)})")
        elif kind is op.GROUPREF:  # to a separator, or to none
            found.append(known.get(value, f"{_ANY}{{0,2}}"))
        elif kind not in (op.AT, op.ASSERT, op.ASSERT_NOT):
            found.append(_ANY)
    return "".join(found)


def _set(members: Iterable[tuple[Any, Any]]) -> str:
    classes: dict[str, None] = {}
    for kind, value in members:
        if kind is op.LITERAL:
            classes[_class(value)] = None
        elif kind is op.RANGE:
            classes |= dict.fromkeys(map(_class, range(value[0], min(value[1], 0xFF) + 1)))
        elif kind is op.CATEGORY and value is op.CATEGORY_DIGIT:
            classes[_DIGIT] = None
        else:
            return _ANY
    return f"[{''.join(map(re.escape, classes))}]"


def _class(code: int) -> str:
    """Return the class of a character, as a text has it."""
    char = chr(code)
    if not char.isascii():
        return "?"
    return _DIGIT if char.isdigit() else _LETTER if char.isalpha() else char
