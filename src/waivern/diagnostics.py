"""Diagnostics: problems of runbooks, plans and configurations, shown as a compiler shows them.

    a check                 Diagnostic(code, message, path, hint)
     └─ YamlDocument.locate   adds the position and the artifact: the only place that does
         └─ InvalidError      reports all of them at once, sorted by position

A check knows the path of a value, such as ("artifacts", "findings", "inputs", 0), and not the text
that it was read from. Only the document has the text.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple, Self, TypeAlias
from unicodedata import combining, east_asian_width

from waivern.errors import Exit, WaivernError

ValuePath: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead to a value, from the root of its document."""


class Span(NamedTuple):
    """A stretch of a text, in characters from 0; `line` and `column` are those of its start."""

    line: int
    column: int
    start: int
    end: int


class Position(NamedTuple):
    """A stretch of one line of a text file; `line` and `column` count characters from 1."""

    file: str
    line: int
    column: int
    length: int
    text: str
    """The line, so that an error can draw its caret without the file."""
    text_column: int = 1
    """The column of the first character of `text`, which is cut out of a very long line."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def drawing(self) -> list[str]:
        """Return the place, the line and a caret under it, as lines for a terminal."""
        gutter = " " * len(str(self.line))
        before = self.column - self.text_column
        marked = self.text[before : before + self.length]
        cut = "…" if self.text_column > 1 else ""
        indent = " " * (len(cut) + _width(self.text[:before]))
        return [
            f"{gutter}--> {_printable(str(self))}",
            f"{gutter} |",
            f"{self.line} | {cut}{_printable(self.text)}".rstrip(),
            f"{gutter} | {indent}{'^' * max(1, _width(marked))}",
        ]


class Diagnostic(NamedTuple):
    """One problem of a runbook, its plan or a configuration."""

    code: str
    """`WCT` and three digits; stable, so that people can search for it."""
    message: str
    path: ValuePath = ()
    """The value that it is about."""
    hint: str | None = None
    on: Literal["key", "value"] = "value"
    """The part that is underlined: the value, or the key that it belongs to."""
    span: Span | None = None
    """The place of a problem that has no path, because the text could not be read as YAML."""
    artifact: str | None = None
    """The id of the artifact that it concerns, if it concerns one."""
    position: Position | None = None
    included: tuple[str, ...] = ()
    """The chain of inclusions that led to the file, nearest first; empty for the root file."""

    def below(self, *path: str | int) -> Self:
        """Return the problem with its path continued from `path`, that of an enclosing value."""
        return self._replace(path=(*path, *self.path))

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.message}"]
        gutter = " "
        if self.position:
            lines += self.position.drawing()
            gutter = " " * len(str(self.position.line))
        if self.artifact and f"'{self.artifact}'" not in self.message:
            lines.append(f"{gutter} = artifact: {_printable(self.artifact)}")
        if self.hint:
            lines.append(f"{gutter} = help: {self.hint}")
        lines += [f"{gutter} = included {where}" for where in self.included]
        return "\n".join(lines)


class InvalidError(WaivernError):
    """A runbook, plan or configuration that cannot be used, with *all* problems found.

    Problems without a position are first, the others are sorted by file and position. The message
    shows the first few.
    """

    exit_code = Exit.INVALID
    SHOWN = 20

    def __init__(self, problems: Sequence[Diagnostic], *, hint: str | None = None) -> None:
        self.problems = _sorted(problems)
        blocks = [str(problem) for problem in self.problems[: self.SHOWN]]
        if (more := len(self.problems) - self.SHOWN) > 0:
            blocks.append(f"and {more} more {'problem' if more == 1 else 'problems'}")
        super().__init__("\n\n".join(blocks), hint=hint)

    def __reduce__(self) -> tuple[object, ...]:
        return _invalid, (self.problems, self.hint)


def _invalid(problems: Sequence[Diagnostic], hint: str | None) -> InvalidError:
    return InvalidError(problems, hint=hint)


def _sorted(problems: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    files = {problem.position.file: 0 for problem in problems if problem.position}
    rank = {file: number for number, file in enumerate(files)}

    def place(problem: Diagnostic) -> tuple[int, int, int]:
        at = problem.position
        return (rank[at.file], at.line, at.column) if at else (-1, 0, 0)

    return tuple(sorted(problems, key=place))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'x'?" for the known word most like `word`, if one is like it."""
    from difflib import get_close_matches

    typed, folded = word[:80].casefold(), {name.casefold(): name for name in known}
    for close in get_close_matches(typed, _candidates(typed, folded), n=3):
        # of words that differ in length, only those that share most letters are typing errors
        if abs(len(close) - len(typed)) <= 1 or get_close_matches(typed, [close], cutoff=0.75):
            return f"did you mean {shown(folded[close])}?"
    return None


def _candidates(word: str, known: Collection[str]) -> Collection[str]:
    """Return the known words that may be most like `word`: of very many, a few.

    Comparing with each of 1,000 names takes 40 ms, which 1,000 mistakes would take one by one.
    Most typing errors leave the beginning or the end, so that the sort orders place them nearby.
    """
    if len(known) <= 40:
        return known
    return {
        *_nearby(word, sorted(known)),
        *(name[::-1] for name in _nearby(word[::-1], sorted(name[::-1] for name in known))),
    }


def _nearby(word: str, ordered: Sequence[str]) -> Sequence[str]:
    at = bisect_left(ordered, word)
    return ordered[max(0, at - 8) : at + 8]


def circle(names: Sequence[str]) -> str:
    """Return a circle of names, its first name again at the end; of a long one not all names."""
    around = [*names, names[0]]
    if len(around) > 12:
        around = [*around[:6], f"… {len(around) - 11} more …", *around[-5:]]
    return " → ".join(around)


def shown(text: str) -> str:
    """Return `text` in quotes for a message: escaped where unprintable, cut where very long."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


def shown_path(path: object) -> str:
    """Return a path in quotes for a message; of a very long one, the end says most."""
    text = str(path)
    return repr(text if len(text) <= 300 else "…" + text[-299:])


def _printable(text: str) -> str:
    """Return `text` of the same length, with nothing in it that a terminal would act upon."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)


def _width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
