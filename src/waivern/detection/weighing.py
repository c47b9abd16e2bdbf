"""The weighing of candidates: by their form, and by the labels of their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from waivern.detection.expressions import expression
from waivern.detection.label_context import (
    SILENT,
    Evidence,
    Label,
    Surroundings,
    Verdict,
    evidence,
    verdict_of,
)
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.reasons import Reasons
from waivern.detection.ruleset import Ruleset, TypeRule
from waivern.detection.value_types import is_sample

_FOR, _HINT, _AGAINST, _FOREIGN = 0.4, 0.25, -0.4, -0.15
MOST_GAINED = _FOR
"""What the best label adds to the confidence of a form."""
_ALONE = 0.3
"""What a value gains if its text is nothing but values, up to `_ENOUGH`."""
_ENOUGH = 0.6
_DISTINCTIVE = 0.3
"""The confidence of a form that few other values have."""
_SURE = 0.99
SHORT = 200
"""Characters of the longest text that is taken for nothing but values."""
_CONJUNCTION = "and|or|und|oder|et|ou|y|e|o|och|og|en|i|ja|&"
_AND = expression(rf"[ ,]{{1,2}}(?:{_CONJUNCTION}) ")
_LONGEST_AND = 8
_SEPARATORS = expression(rf"[\s,;/.]*(?:(?:{_CONJUNCTION})\s)?")


class Match(NamedTuple):
    """A value of a type at characters [start, end) of the text."""

    type: str
    start: int
    end: int
    confidence: float
    """0 to 1; at least the type's threshold."""
    rule: str
    validators: tuple[str, ...]
    """The checks that it passed."""
    terms: tuple[str, ...]
    """The words of its label that support it."""
    sample: bool
    """A value that standards reserve for documentation and tests."""
    column: str = ""
    """The column that it lies in, where the text has one with a name."""
    value: str = ""
    """The characters of the value, without escapes."""
    escapes: tuple[str, ...] = ()
    """The kinds of escapes and encodings that it is written with: `entities`, say."""
    reasons: Reasons | None = None
    """Why it is reported with this confidence."""

    def __repr__(self) -> str:
        """Return the type and the place: the value must not reach a log."""
        return f"Match({self.type}, {self.start}, {self.end}, {self.confidence}, {self.rule})"


class Weighed(NamedTuple):
    """The weight of a candidate that is certain enough."""

    confidence: float
    terms: tuple[str, ...]
    reasons: Reasons


_Form: TypeAlias = tuple[str, float, str, tuple[str, ...]]
"""All of a candidate that its weight depends on: type, confidence, rule and validators."""


class Weights:
    """The weights of candidates by their labels: the same come again in a column or a log."""

    def __init__(self, rules: Ruleset, floor: float) -> None:
        self._rules = rules
        self._floor = floor
        self._heard: dict[Label, Evidence] = {}
        self._known: dict[tuple[Label, ...], dict[_Form, Weighed | None]] = {}

    def under(
        self, labels: tuple[Label, ...], *, alone: bool = False
    ) -> Callable[[Candidate], Weighed | None]:
        """Return a function from a candidate to its weight; None if it is not certain enough.

        `alone`: its text is nothing but values, which is the same for all candidates of a text.
        """
        known = self._known.get(labels)
        if known is None:
            known = self._known[labels] = {}

        def of(c: Candidate) -> Weighed | None:
            form = (c.type, c.confidence, c.rule, c.validators)
            if form not in known:
                known[form] = self._weigh(c, labels, alone=alone)
            return known[form]

        return of

    def _weigh(self, c: Candidate, labels: tuple[Label, ...], *, alone: bool) -> Weighed | None:
        """Return the weight of a candidate; None if it is not certain enough."""
        rule = self._rules.types[c.type]
        judged = verdict_of(c.type, labels, self._rules, self._evidence)
        if judged is None:
            return None
        verdict, label = judged
        named = verdict
        if verdict.stance == "foreign" and c.validators:
            named = SILENT  # a check that holds outweighs a name that says nothing
        confidence = labelled = c.confidence + (effect := _shift(named, rule))
        distinctive = bool(c.validators) or c.confidence >= _DISTINCTIVE
        if alone and distinctive and verdict.stance == "silent":
            confidence = max(confidence, min(confidence + _ALONE, _ENOUGH))
        threshold = max(rule.threshold, self._floor)
        if confidence < threshold - 1e-9:
            return None
        term = None if label and label.kind == "neighbours" else verdict.term
        return Weighed(
            round(min(_SURE, confidence), 2),
            (term,) if term and verdict.stance in ("for", "hint") else (),
            Reasons(
                c.confidence,
                effect,
                confidence - labelled,
                threshold,
                verdict.stance,
                term,
                label,
            ),
        )

    def _evidence(self, label: Label) -> Evidence:
        heard = self._heard.get(label)
        if heard is None:
            heard = self._heard[label] = evidence(label, self._rules)
        return heard


class Weighing:
    """The weighing of the candidates of one text by the labels of their places."""

    def __init__(
        self, doc: PreparedText, around: Surroundings, weights: Weights, *, piece: bool
    ) -> None:
        self._doc = doc
        self._around = around
        self._weights = weights
        self._may_be_alone = around.bare and not piece

    def matches(self, candidates: Iterable[Candidate]) -> list[Match]:
        """Return the candidates that are certain enough, which are ordered by their places."""
        found: list[Match] = []
        before: tuple[Label, ...] = ()
        places = self._places(candidates)
        alone = self._may_be_alone and _is_all_values(self._doc.text, list(places))
        for (start, end), hopeful in places.items():
            labels = self._around.labels(start, end)
            if (
                found
                and 0 < start - found[-1].end <= _LONGEST_AND
                and _AND.fullmatch(self._doc.text, found[-1].end, start)
            ):
                labels = (*labels, *before)  # a label before a list is about each value in it
            before = labels
            weight = self._weights.under(labels, alone=alone)
            for each in hopeful:
                weighed = weight(each)
                if weighed is not None:
                    column = self._around.column or ""
                    found.append(match_of(each, weighed, self._doc.text[start:end], column))
        return found

    def _places(self, candidates: Iterable[Candidate]) -> dict[tuple[int, int], list[Candidate]]:
        """Return the candidates by place."""
        found: dict[tuple[int, int], list[Candidate]] = {}
        for each in candidates:
            place = (each.start, each.end)
            if place in found:
                found[place].append(each)
            else:
                found[place] = [each]
        return found


def match_of(c: Candidate, weighed: Weighed, value: str, column: str) -> Match:
    """Return the match that a candidate with this weight is; `value` is what it consists of."""
    return Match(
        c.type,
        c.start,
        c.end,
        weighed.confidence,
        c.rule,
        c.validators,
        weighed.terms,
        is_sample(c.type, value),
        column,
        value,
        reasons=weighed.reasons,
    )


def preference(c: Candidate, weighed: Weighed) -> tuple[float, int, str]:
    """Return a key that is the least for the best of several candidates for one place."""
    return (-weighed.confidence, -len(c.validators), c.type)


def _is_all_values(text: str, places: list[tuple[int, int]]) -> bool:
    """Return whether a short text is nothing but values: no word in it says what they are."""
    if len(text) > SHORT:
        return False
    rest, at = [], 0
    for start, end in places:
        rest.append(text[at:start])
        at = max(at, end)
    rest.append(text[at:])
    return all(_SEPARATORS.fullmatch(part) for part in rest)


def _shift(verdict: Verdict, rule: TypeRule) -> float:
    if verdict.stance == "for":
        return _FOR
    if verdict.stance == "hint":
        return _HINT
    if rule.trust == "own":
        return 0.0
    return {"against": _AGAINST, "foreign": _FOREIGN, "silent": 0.0}[verdict.stance]


def resolved(matches: list[Match]) -> Iterator[Match]:
    """Yield the longest of overlapping matches, then the most certain.

    The matches are ordered by their beginnings.
    """
    together: list[Match] = []
    end = 0
    for match in matches:
        if match.start >= end:
            yield from _best(together)
            together = []
        together.append(match)
        end = max(end, match.end)
    yield from _best(together)


def _best(matches: list[Match]) -> Iterator[Match]:
    """Yield the best of matches each of which overlaps another one."""
    if len(matches) < 2:
        yield from matches
        return
    begin = matches[0].start
    taken = bytearray(max(match.end for match in matches) - begin)
    ranked = sorted(
        matches, key=lambda m: (m.start - m.end, -m.confidence, -len(m.validators), m.start, m.type)
    )
    for match in ranked:
        start, end = match.start - begin, match.end - begin
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            yield match
