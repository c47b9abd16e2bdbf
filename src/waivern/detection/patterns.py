"""Patterns that people write for values of their own, in time that no pattern can blow up.

A pattern is a regular expression of a part of Python's syntax: characters, sets, `\\d` `\\w` `\\s`,
groups, `|`, `\\b`, and repeats that have an upper bound, `\\d{4,8}` but not `\\d+`. Refused is what
looks around or back, and whatever leaves more than MOST_WAYS ways to be tried at one place: what is
left takes time in proportion to the text. It is searched in windows, between which other threads
run: a search itself lets nobody else work.

A value is found where no letter, digit or underscore stands right before or after it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined] # what is unknown in it is refused
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from waivern.detection.prepared_text import Candidate

LONGEST_PATTERN = 300
"""Characters of a pattern."""
LONGEST_VALUE = 256
"""Characters that a pattern may take."""
MOST_WAYS = 1000
"""Ways to go through a pattern: of `\\d{4,8}` there are 5, of two of them 25."""
WINDOW = 2**14
"""Characters of a text in which values begin that one search looks for."""

_BOUNDS = "write how many there may be at most, such as {1,20}"
_SIMPLER = "spell it out with characters, sets, groups, '|' and repeats such as {1,20}"
_AMBIGUOUS = re.compile(r"\[\^?\[|--|&&|~~|\|\|")
"""What Python warns of: it may come to mean something else within a set."""


class PatternError(ValueError):
    """A pattern that is not used, and why; `hint` says how to write it."""

    def __init__(self, message: str, hint: str = _SIMPLER) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ValuePattern:
    """What values of a type look like; `width` is the most characters one has."""

    type: str
    expression: re.Pattern[str]
    width: int
    confidence: float
    rule: str


def value_pattern(text: str, kind: str, confidence: float, rule: str) -> ValuePattern:
    """Return the pattern, ready for use. Raises PatternError."""
    if len(text) > LONGEST_PATTERN:
        raise PatternError(
            f"a pattern has at most {LONGEST_PATTERN} characters", "write several patterns"
        )
    if _AMBIGUOUS.search(text):
        raise PatternError(
            "'[[', '--', '&&', '~~' and '||' mean different things to different readers",
            "put a '\\' before the second one",
        )
    try:
        parsed = _parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"it is not a regular expression: {error}", _SIMPLER) from error
    if parsed.state.flags & ~re.UNICODE:
        raise PatternError("flags for the whole pattern are not taken", "write (?i:...)")
    shortest, width = parsed.getwidth()
    _ways(parsed)
    if not shortest:
        raise PatternError(
            "it also fits nothing at all", "make something in it necessary: {1,20} for {0,20}"
        )
    if width > LONGEST_VALUE:
        raise PatternError(f"it takes up to {width} characters, at most {LONGEST_VALUE} can be")
    return ValuePattern(kind, re.compile(rf"(?<!\w)(?:{text})(?!\w)"), width, confidence, rule)


def _ways(part: Iterable[tuple[Any, Any]]) -> int:
    """Return how many ways lead through a part of a pattern. Raises PatternError."""
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
    """Yield what fits the patterns; `types` keeps only those."""
    for each in patterns:
        if types is None or each.type in types:
            for start, end in _found(text, each):
                yield Candidate(each.type, start, end, each.confidence, each.rule, ("pattern",))


def _found(text: str, pattern: ValuePattern) -> Iterator[tuple[int, int]]:
    at = 0
    for begin in range(0, len(text), WINDOW):
        stop = begin + WINDOW
        at = max(at, begin)
        # One more than the longest value, so that what stands behind it is seen.
        while found := pattern.expression.search(text, at, stop + pattern.width + 1):
            if found.start() >= stop:
                break
            yield found.span()
            at = found.end()
