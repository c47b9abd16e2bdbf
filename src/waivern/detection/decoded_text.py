"""Texts with escapes, such as `user&#64;example.org`: what they say, and where it is written.

The escapes of a text are replaced in a few passes, each of which makes it shorter or leaves it as
long. An offset of the result leads back to the original through the layers that the passes leave.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from waivern.detection import escapes, mail_encodings

Replacement = tuple[int, int, str]
"""The characters [begin, end) of a text, and what they say."""
DEPTH = 3
"""The escapes within escapes that are read, such as JSON in a text of JSON."""


class Layer:
    """One pass of replacements, by their offsets before and after it."""

    __slots__ = ("_after_begins", "_after_ends", "_begins", "_ends", "kind", "text")

    def __init__(self, kind: str, text: str, replacements: Iterable[Replacement]) -> None:
        self.kind = kind
        self._begins, self._ends = array("q"), array("q")
        self._after_begins, self._after_ends = array("q"), array("q")
        parts: list[str] = []
        done = size = 0
        for begin, end, plain in replacements:
            size += begin - done
            self._begins.append(begin)
            self._ends.append(end)
            self._after_begins.append(size)
            size += len(plain)
            self._after_ends.append(size)
            parts += (text[done:begin], plain)
            done = end
        parts.append(text[done:])
        self.text = "".join(parts)

    def before(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters before the pass that are [start, end) after it."""
        first, last = self._at(start), self._at(end - 1)
        return first[0], last[1]

    def _at(self, offset: int) -> tuple[int, int]:
        """Return the characters before the pass that are one character after it."""
        index = bisect_right(self._after_ends, offset)
        if index < len(self._begins) and self._after_begins[index] <= offset:
            return self._begins[index], self._ends[index]
        if index:
            offset += self._ends[index - 1] - self._after_ends[index - 1]
        return offset, offset + 1

    def after(self, offset: int) -> int:
        """Return where the character at an offset before the pass is after it."""
        index = bisect_right(self._ends, offset)
        if index < len(self._begins) and self._begins[index] <= offset:
            return self._after_begins[index]
        return offset - (self._ends[index - 1] - self._after_ends[index - 1] if index else 0)

    def touches(self, start: int, end: int) -> bool:
        """Return whether the pass replaced a part of [start, end), which is after it."""
        index = bisect_right(self._after_ends, start)
        removed = bisect_left(self._after_begins, end)
        return index < removed


class _Folded:
    """A pass that replaces characters one by one."""

    __slots__ = ("_before", "kind", "text")

    def __init__(self, kind: str, before: str, text: str) -> None:
        self.kind = kind
        self.text = text
        self._before = before

    def before(self, start: int, end: int) -> tuple[int, int]:
        return start, end

    def after(self, offset: int) -> int:
        return offset

    def touches(self, start: int, end: int) -> bool:
        return self._before[start:end] != self.text[start:end]


class Original(NamedTuple):
    """The place of a value in the original, and the kinds of escapes that it has there."""

    start: int
    end: int
    escapes: tuple[str, ...]


class DecodedText:
    """A text without escapes, and the way back to the original."""

    def __init__(self, layers: list[Layer | _Folded]) -> None:
        self.text = layers[-1].text
        self._layers = layers

    def original(self, start: int, end: int) -> Original:
        """Return where [start, end) is in the original."""
        kinds = []
        for layer in reversed(self._layers):
            if layer.touches(start, end) and layer.kind not in kinds:
                kinds.append(layer.kind)
            start, end = layer.before(start, end)
        return Original(start, end, tuple(reversed(kinds)))

    def offset(self, original: int) -> int:
        """Return where the character at an offset of the original is."""
        for layer in self._layers:
            original = layer.after(original)
        return original


Decoding = Callable[[str], Iterator[Replacement]]
_ESCAPES: tuple[tuple[str, Decoding], ...] = (
    ("escapes", escapes.backslashes),
    ("entities", escapes.entities),
    ("percent-encoding", escapes.percents),
)


def decoded(text: str, spelled: Collection[str] | None = None) -> DecodedText | None:
    """Return the text without its escapes; None if it has none that may be in a value.

    `spelled` are the runs of letters in the text, if they are known.
    """
    mail, odd = mail_encodings.may_occur(text, spelled), escapes.has_odd_characters(text)
    if not (mail or odd or "&" in text or "\\" in text or "%" in text):
        return None
    layers: list[Layer | _Folded] = []

    def apply(kind: str, decoding: Decoding) -> bool:
        nonlocal text
        replacements = decoding(text)
        if (first := next(replacements, None)) is None:
            return False
        layers.append(Layer(kind, text, chain([first], replacements)))
        text = layers[-1].text
        return True

    if mail:
        apply("transfer encoding", mail_encodings.transfer_encodings)
    for _ in range(DEPTH):
        found = [apply(kind, decoding) for kind, decoding in _ESCAPES]
        if not any(found):
            break
    if escapes.has_odd_characters(text):
        apply("invisible characters", escapes.invisible)
        if (folded := escapes.folded(text)) != text:
            layers.append(_Folded("compatibility characters", text, folded))
    return DecodedText(layers) if layers else None
