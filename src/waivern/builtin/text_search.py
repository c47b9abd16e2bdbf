"""The search of text files, which are read whole or in parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from waivern.builtin.findings import Detector, ItemFindings, Place
from waivern.detection import (
    FieldNames,
    FieldUse,
    Match,
    RecordFields,
    context_for_next,
)
from waivern.message import Json

PIECE = 1 << 21
"""The characters that are searched at once: what is held for them is several times as large."""
_BREAK = re.compile(r"[\s,;|<>(){}\[\]\"']")
_BREAK_WITHIN = 1_000


class TextSearch:
    """The search of one file, part by part; line numbers and labels continue from part to part."""

    def __init__(self, detector: Detector, key: str, path: str) -> None:
        self._shown = detector.shown(path)
        self._detector = detector
        self._findings = ItemFindings(detector, self._shown)
        self._place: Place = {"input": key, "file": self._shown}
        self._names = FieldNames(detector.rules, detector.classified)
        self._named_at: dict[str, Place] = {}
        self._fields: RecordFields | None = None
        self._lines = _Lines()
        self._ends_with_returns: bool | None = None
        """Whether carriage returns alone end the lines; None: there was no line end yet."""
        self._start = 0
        self._context = ""

    @property
    def columns(self) -> frozenset[str]:
        """The names in the first line of the file, if it has rows below such a line."""
        return self._names.columns

    def add(self, part: Mapping[str, Json]) -> None:
        """Search the next part."""
        if part.get("start", self._start) != self._start:  # what was between is missing
            self._start = part["start"]
            self._lines.jump(part.get("line", 0), part.get("column", 0))
            self._context = ""
        text, more = self._with_line_ends(part["text"]), bool(part.get("more"))
        begin = 0
        for end in _ends(text):
            whole = begin == 0 and end == len(text)
            self._search(text if whole else text[begin:end], more or end < len(text))
            begin = end

    def _with_line_ends(self, text: str) -> str:
        """Return the text with line feeds, also if its first line ends with a return only."""
        if self._ends_with_returns is None and ("\r" in text or "\n" in text):
            self._ends_with_returns = "\n" not in text
        return text.replace("\r", "\n") if self._ends_with_returns else text

    def _search(self, text: str, more: bool) -> None:
        """Search a piece of the text; of `more` text, the context of the next piece is kept."""
        begin = len(self._context)
        piece = more or self._start > 0
        searched = self._context + text if begin else text
        scanned = self._detector.search(searched, begin, piece=piece)
        uses = self._names.add(scanned.rest[begin:], self._start, scanned.words, begin)
        if self._fields is None:
            self._fields = RecordFields(self._names.columns, text)
        self._fields.enter(searched)
        self._lines.enter(text)
        found: list[tuple[int, Match | FieldUse, int]] = [
            (match.start - begin, match, 0) for match in scanned.matches
        ]
        for alike in scanned.columns:
            others = alike.count - len(alike.places)  # without a place: they count with the first
            for match in alike.matches():
                found.append((match.start - begin, match, others))
                others = 0
        found += [(use.start - self._start, use, 0) for use in uses]
        for at, each, others in sorted(found, key=_start):
            if isinstance(each, Match):
                self._add(each, at, searched[:begin], others)
            else:
                self._named_at[each.field.name] = self._at(at)
        self._lines.leave()
        self._start += len(text)
        self._context = context_for_next(searched) if more else ""

    def _add(self, match: Match, at: int, before: str, others: int) -> None:
        """Add a match and the number of others like it.

        One with a negative `at` begins in what is before the piece.
        """
        name = self._fields.of(match) if self._fields else ""
        self._findings.value(
            match,
            match.value,
            lambda: {**self._at(at, before), "end": self._start + at + match.end - match.start},
            name=self._detector.shown(name) if name else "",
            order=(self._start + at,),
            others=others,
        )

    def _at(self, offset: int, before: str = "") -> Place:
        line, column = self._lines.at(offset) if offset >= 0 else self._lines.above(offset, before)
        return {**self._place, "line": line, "column": column, "start": self._start + offset}

    def records(self) -> Iterator[Json]:
        """Yield the findings, in the order of their first occurrences."""
        for use in self._names.uses():
            place = self._named_at[use.field.name]
            self._findings.field(use.field, use.data, place, total=use.count, order=(use.start,))
        yield from self._findings.records(characters=self._start)


def _start(found: tuple[int, Match | FieldUse, int]) -> int:
    return found[0]


def _ends(text: str) -> Iterator[int]:
    """Yield where each piece ends: after a line if there is one, else between two words."""
    end = 0
    while len(text) - end > PIECE:
        begin, limit = end, end + PIECE
        end = text.rfind("\n", begin, limit) + 1
        if end <= begin:
            near = limit - _BREAK_WITHIN
            breaks = [found.end() for found in _BREAK.finditer(text, near, limit)]
            end = breaks[-1] if breaks else limit
        yield end
    yield len(text)


class _Lines:
    """The lines and columns, from 1, of offsets that are looked up in ascending order.

    Lines end where they do in other tools: at a '\\r' only if the text has no '\\n'.
    """

    def __init__(self) -> None:
        self.line = 1
        self._end = ""
        self._text = ""
        self._at = self._begin = 0

    def enter(self, text: str) -> None:
        """Take the next piece of the text."""
        if not self._end:
            self._end = next((end for end in "\n\r" if end in text), "")
        self._text, self._at = text, 0

    def jump(self, line: int, column: int) -> None:
        """Continue after so many lines and, in the next one, so many characters."""
        self.line, self._begin = line + 1, -column

    def leave(self) -> None:
        """End the piece; the next one may begin within a line."""
        self.at(len(self._text))
        self._begin -= len(self._text)
        self._text = ""

    def above(self, offset: int, before: str) -> tuple[int, int]:
        """Return the place of a negative offset; `before` is what precedes the piece."""
        end, at = self._end or "\n", len(before) + offset
        line, column = self.at(0)
        begin = before.rfind(end, 0, at) + 1
        breaks = before.count(end, at)
        return line - breaks, at - begin + 1 if breaks else max(1, column + offset)

    def at(self, offset: int) -> tuple[int, int]:
        end = self._end or "\n"
        self.line += self._text.count(end, self._at, offset)
        self._begin = self._text.rfind(end, self._at, offset) + 1 or self._begin
        self._at = offset
        return self.line, offset - self._begin + 1
