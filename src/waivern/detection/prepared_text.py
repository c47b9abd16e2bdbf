"""A text prepared for searching: same length as the original, so that offsets hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from waivern.detection.expressions import expression
from waivern.detection.word_splitting import UNSPACED, tokens_in, words_of

if TYPE_CHECKING:
    from waivern.detection.column_stances import ColumnStances
    from waivern.detection.text_words import TextWords

_SPACES = "\u00a0\u2007\u2009\u202f"
_HYPHENS = "\u2010\u2011\u2012\u2013\u2212"


def _table(digit: str, hexadecimal: str, letter: str) -> bytes:
    table = bytearray(range(256))
    for code in range(128):
        char = chr(code)
        if char.isdigit():
            table[code] = ord(digit)
        elif char in "abcdefABCDEF":
            table[code] = ord(hexadecimal)
        elif char.isalpha():
            table[code] = ord(letter)
    return bytes(table)


_NUMBERS_ALONE = expression(r"[ \t]*\d+[ \t][\d \t]*\n?|[ \t]*[-\d.]+(?:[ \t]+[-\d.]+){5,}[ \t]*")
_FEW_DIGITS = 50
"""A text with fewer digits than one in so many characters has few."""
_REACH = 48
"""The characters before and after a digit that may belong to a value with it."""
_NEAR = 160
"""Characters on each side of a value that are looked at for rows of numbers."""
_HEX_GROUP = expression(r"[0-9A-F]+|[0-9a-f]+", re.ASCII)
_DUMP = expression(
    r"\s{0,40}(?:0x)?[0-9A-Fa-f]{4,8}:?\s{1,8}(?:[0-9A-Fa-f]{2,8}\s{1,4}){0,16}", re.ASCII
)
"""The beginning of a line of a dump: `0x0040:  6465 736b 746f 702e `."""
_IN_COLONS = expression(r"[0-9A-Fa-f]:", re.ASCII)
_JOINED = expression(r"\w")
_NUMBERS = _table("0", "A", "A")
_HEXES = _table("h", "h", "z")
_TOKENS = _table("w", "w", "w")


def number_classes(text: str) -> bytes:
    """Return one byte a character: digits as '0', letters as 'A', and '?' for what is not ASCII."""
    return text.encode("ascii", "replace").translate(_NUMBERS)


class Candidate(NamedTuple):
    """A part of a text that has the form of a type; its labels are not considered yet."""

    type: str
    start: int
    end: int
    confidence: float
    rule: str
    validators: tuple[str, ...] = ()


class PreparedText:
    """A text with plain spaces and hyphens, and with class maps that are computed when needed.

    A class map has one byte for each character, the same for all digits and the same for all
    letters: a search for one byte string finds every position that is worth a closer look.
    `field` is the name of the field that the text is the value of, `beside` are the names of the
    other fields of the record, and `person` is the confidence that a value of this field is a
    person's name, if that is known.
    """

    def __init__(
        self,
        text: str,
        *,
        field: str | None = None,
        beside: Collection[str] = (),
        person: float | None = None,
        words: TextWords | None = None,
    ) -> None:
        self.named: frozenset[str] | None = None
        """The types that a label of the text may name; None: any."""
        self.columns: ColumnStances | None = None
        """The columns of a table; None for a text that is none."""
        self.columns_read = False
        """Whether the columns of its table were read before for what their names alone say."""
        self.field = field
        self.beside = beside
        self.person = person
        if not text.isascii():
            for odd in _SPACES:
                text = text.replace(odd, " ")
            for odd in _HYPHENS:
                text = text.replace(odd, "-")
        self.text = text
        self.words = words
        """The words of this text, if they are known."""

    @cached_property
    def spelled(self) -> frozenset[str]:
        """The runs of letters in the text, each once, as they are spelled."""
        return tokens_in(self.text) if self.words is None else self.words.spelled

    @cached_property
    def seen(self) -> frozenset[str]:
        """The words of the text and of its field as labels have them.

        Those that mean something to the ruleset, if the words of the text are known.
        """
        if self.words is not None:
            return self.words.seen_with(self.field)
        return words_of(self.spelled, self.field)

    @property
    def longest_run(self) -> int:
        """The characters of the longest run of letters, digits, '-' and '_', or more."""
        return len(self.text) if self.words is None else self.words.longest

    def has_part(self, part: str) -> bool:
        """Return whether a word may have a part, which is one of `text_words.PARTS`."""
        return self.words is None or part in self.words.parts

    def places_of(self, word: str, literal: str) -> Iterator[int]:
        """Yield where a literal begins, without overlaps; `word` is a word in it."""
        if self.words is not None:
            yield from self.words.places_of(word, literal)
            return
        at = self.text.find(literal)
        while at >= 0:
            yield at
            at = self.text.find(literal, at + len(literal))

    def numeral_places(self, needle: bytes) -> Iterator[int]:
        """Yield where a part of the classes `numbers` begins that has a digit in it."""
        return self.places_near_digits(self.numbers, needle)

    def places_near_digits(self, classes: bytes, needle: bytes) -> Iterator[int]:
        """Yield where a part of a class map begins that has a digit in it, or near it."""
        for begin, stop in self._near_digits:
            at = classes.find(needle, begin, stop)
            while at >= 0:
                yield at
                at = classes.find(needle, at + 1, stop)

    @cached_property
    def _near_digits(self) -> list[tuple[int, int]]:
        """The parts of the text near digits, in order; all of it if it has many."""
        numbers, size = self.numbers, len(self.text)
        found: list[tuple[int, int]] = []
        if numbers.count(b"0") * _FEW_DIGITS > size:
            return [(0, size)]
        at = numbers.find(b"0")
        while at >= 0:
            end = at
            while (following := numbers.find(b"0", end + 1, end + 2 * _REACH)) >= 0:
                end = following
            found.append((max(0, at - _REACH), end + _REACH))
            at = numbers.find(b"0", end + 1)
        return found

    @cached_property
    def raw(self) -> bytes:
        """One byte a character, '?' for what is not ASCII."""
        return self.text.encode("ascii", "replace") if self.words is None else self.words.raw

    @cached_property
    def numbers(self) -> bytes:
        """Digits as '0', letters as 'A'."""
        return self.raw.translate(_NUMBERS)

    @cached_property
    def hexes(self) -> bytes:
        """Hexadecimal digits as 'h', other letters as 'z'."""
        return self.raw.translate(_HEXES)

    @cached_property
    def tokens(self) -> bytes:
        """Letters and digits as 'w'."""
        return self.raw.translate(_TOKENS)

    @cached_property
    def folded(self) -> bytes:
        """`raw` in lower case."""
        return self.raw.lower()

    def in_number_rows(self, start: int, end: int) -> bool:
        """Return whether [start, end) is a part of rows of numbers that spaces separate."""
        before, line_begins, above = self.text[max(0, start - _NEAR) : start].rpartition("\n")[::-1]
        after, line_ends, below = self.text[end : end + _NEAR].partition("\n")
        if before.rstrip(" \t")[-1:].isdigit() or after.lstrip(" \t")[:1].isdigit():
            return True
        if before.strip() or after.strip():
            return False
        neighbours = (
            line_begins and above.rpartition("\n")[2],
            line_ends and below.partition("\n")[0],
        )
        return any(_NUMBERS_ALONE.fullmatch(line) for line in neighbours)

    def in_dump(self, start: int) -> bool:
        """Return whether only an offset and groups of hexadecimal digits precede on the line."""
        line = self.text[max(0, start - _NEAR) : start].rpartition("\n")[2]
        return _DUMP.fullmatch(line) is not None

    def in_hex_groups(self, start: int, end: int) -> bool:
        """Return whether [start, end) is one of several groups of hexadecimal digits."""
        text, size = self.text, end - start
        value = text[start:end]
        if value.isdigit() or not _HEX_GROUP.fullmatch(value):
            return False
        near = (text[max(0, start - size - 1) : max(0, start - 1)], text[end + 1 : end + 1 + size])
        return all(len(group) == size and _HEX_GROUP.fullmatch(group) for group in near)

    def _in_colons(self, start: int, end: int) -> bool:
        """Return whether it is a group of an IPv6 address, or several of them."""
        before = start > 1 and _IN_COLONS.match(self.text, start - 2)
        return bool(before) or (
            ":" in self.text[start:end] and self.text[end + 1 : end + 2].isalnum()
        )

    def bounded(self, start: int, end: int) -> bool:
        """Return whether [start, end) is a value of its own.

        It is none inside a word, a longer chain of numbers that '-', '.' or '/' join, an amount of
        money or a percentage.
        """
        text = self.text
        if start:
            before = text[start - 1]
            if in_word(before) or before in "_$€£%#@.":
                return False
            if before in "-/+" and start > 1 and _JOINED.match(text, start - 2):
                return False
        if end < len(text):
            after = text[end]
            if in_word(after) or after in "_%€@":
                return False
            if after in "-./" and end + 1 < len(text) and text[end + 1].isalnum():
                return False
            if after == ":" and self._in_colons(start, end):
                return bool(self.columns and self.columns.at(start))  # ':' may be a delimiter
        return True


def in_word(char: str) -> bool:
    """Return whether a letter or digit makes one word with what it touches.

    In Chinese, Japanese, Korean and Thai a number touches the words around it.
    """
    return char.isalnum() and (char.isascii() or not UNSPACED.match(char))


def occurrences(haystack: bytes, needle: bytes) -> Iterator[int]:
    """Yield where `needle` begins, also where occurrences overlap."""
    at = haystack.find(needle)
    while at >= 0:
        yield at
        at = haystack.find(needle, at + 1)


def pattern(text: str) -> re.Pattern[str]:
    """Return an expression for ASCII digits and letters."""
    return expression(text, re.ASCII)
