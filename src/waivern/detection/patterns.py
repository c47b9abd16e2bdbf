"""Patterns that users write for values of their own, searched in bounded time.

A pattern is a regular expression of a part of Python's syntax: characters, sets, `\\d` `\\w` `\\s`,
groups, `|`, `\\b`, and repeats with an upper bound, `\\d{4,8}` but not `\\d+`. Refused are
look-arounds, references, and patterns with more than MOST_WAYS ways to match at one position: the
others take time in proportion to the text. A text is searched in windows, because a search holds
the interpreter's lock until it returns: other threads run between two windows.

A value is found only if no letter, digit or underscore directly precedes or follows it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined] # names unknown to us are refused
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from waivern.detection.prepared_text import Candidate

LONGEST_PATTERN = 300
"""The maximal number of characters of a pattern."""
LONGEST_VALUE = 256
"""The maximal number of characters that a pattern may match."""
MOST_WAYS = 1000
"""The maximal number of ways through a pattern: `\\d{4,8}` has 5, two of them have 25."""
WINDOW = 2**14
"""One search finds the values that begin within so many characters of a text."""

_BOUNDS = "write how many there may be at most, such as {1,20}"
_SIMPLER = "spell it out with characters, sets, groups, '|' and repeats such as {1,20}"
_AMBIGUOUS = re.compile(r"\[\^?\[|--|&&|~~|\|\|")
"""Python warns of these: they may get another meaning within a set."""


class PatternError(ValueError):
    """Raised for a pattern that is refused; `hint` says how to write it."""

    def __init__(self, message: str, hint: str = _SIMPLER) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ValuePattern:
    """The form of the values of a type; `width` is the maximal number of their characters."""

    type: str
    expression: re.Pattern[str]
    width: int
    confidence: float
    rule: str


def value_pattern(text: str, kind: str, confidence: float, rule: str) -> ValuePattern:
    """Compile a pattern. Raises PatternError."""
    if len(text) > LONGEST_PATTERN:
        raise PatternError(
            f"a pattern has at most {LONGEST_PATTERN} characters", "write several patterns"
        )
    if _AMBIGUOUS.search(text):
        raise PatternError(
            "'[[', '--', '&&', '~~' and '||' mean different things to different programs",
            "put a '\\' before the second one",
        )
    try:
        parsed = _parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"it is not a regular expression: {error}", _SIMPLER) from error
    if parsed.state.flags & ~re.UNICODE:
        raise PatternError("flags for the whole pattern are not supported", "write (?i:...)")
    shortest, width = parsed.getwidth()
    _ways(parsed)
    if not shortest:
        raise PatternError(
            "it also matches empty text", "require at least one character: {1,20} for {0,20}"
        )
    if width > LONGEST_VALUE:
        raise PatternError(f"it takes up to {width} characters, at most {LONGEST_VALUE} can be")
    return ValuePattern(kind, re.compile(rf"(?<!\w)(?:{text})(?!\w)"), width, confidence, rule)


def _ways(part: Iterable[tuple[Any, Any]]) -> int:
    """Return the number of ways through a part of a pattern. Raises PatternError."""
    ways = 1
    for kind, value in part:
        ways *= _ways_of(kind, value)
        if ways > MOST_WAYS:
            raise PatternError(
                f"there are more than {MOST_WAYS} ways to go through it, which takes too long",
                "repeat fewer parts, and fewer times",
            )
    return ways


def _ways_of(kind: Any, value: Any) -> int:
    if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
        return 1
    if kind is op.AT and value in (op.AT_BOUNDARY, op.AT_NON_BOUNDARY):
        return 1
    if kind is op.SUBPATTERN:
        return _ways(value[3])
    if kind is op.BRANCH:
        return sum(map(_ways, value[1]))
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, inner = value
        if most > LONGEST_VALUE:
            raise PatternError(f"a repeat has no bound below {LONGEST_VALUE}", _BOUNDS)
        once = _ways(inner)
        return sum(min(once**n, MOST_WAYS + 1) for n in range(least, most + 1))
    what = {op.AT: "'^' or '$'", op.GROUPREF: "a reference back"}.get(kind, f"{kind}".lower())
    raise PatternError(f"{what} is not taken")


def values(
    text: str, patterns: Iterable[ValuePattern], types: Collection[str] | None
) -> Iterator[Candidate]:
    """Yield each match of the patterns; `types` restricts the types."""
    for each in patterns:
        if types is None or each.type in types:
            for start, end in _found(text, each):
                yield Candidate(each.type, start, end, each.confidence, each.rule, ("pattern",))


def _found(text: str, pattern: ValuePattern) -> Iterator[tuple[int, int]]:
    at = 0
    for begin in range(0, len(text), WINDOW):
        stop = begin + WINDOW
        at = max(at, begin)
        # One more than the longest value: the character after it decides whether it is bounded.
        while found := pattern.expression.search(text, at, stop + pattern.width + 1):
            if found.start() >= stop:
                break
            yield found.span()
            at = found.end()
