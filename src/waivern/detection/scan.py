"""Scans of texts: candidates of all finders, weighed by their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from waivern.detection.label_context import SILENT, Surroundings, Verdict, denied, judge
from waivern.detection.patterns import values
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.ruleset import Ruleset, TypeRule, load_ruleset
from waivern.detection.value_types import FINDERS, is_sample, mask

_FOR, _HINT, _AGAINST, _FOREIGN = 0.4, 0.25, -0.4, -0.15
_SURE = 0.99


@dataclass(frozen=True, slots=True)
class Match:
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


def scan(
    text: str,
    ruleset: Ruleset | None = None,
    *,
    field: str | None = None,
    types: Collection[str] | None = None,
    min_confidence: float = 0.0,
    begin: int = 0,
) -> list[Match]:
    """Return the matches in `text` in order, without overlaps.

    `field` is the name of the column or key that the text is the value of; `types` restricts the
    types. Offsets count characters of `text`. What lies before `begin` is the context of the rest
    and is not searched. Nothing outside the process is used.
    """
    rules = ruleset or load_ruleset()
    doc = PreparedText(text, in_field=field is not None)
    candidates = [c for find in FINDERS for c in find(doc)]
    candidates = [
        c for c in candidates if c.type in rules.types and (types is None or c.type in types)
    ]
    candidates += values(doc.text, rules.patterns, types)
    if begin:
        candidates = [c for c in candidates if c.start >= begin]
    if not candidates:
        return []
    candidates.sort(key=lambda c: (c.start, c.end))
    surroundings = Surroundings(doc.text, rules, field)
    matches = [
        match for c in candidates if (match := _weigh(c, doc, surroundings, rules, min_confidence))
    ]
    return sorted(_resolve(matches), key=lambda m: m.start)


def redact(text: str, ruleset: Ruleset | None = None, *, field: str | None = None) -> str:
    """Return `text` with every value that `scan` finds in it masked."""
    parts, at = [], 0
    for match in scan(text, ruleset, field=field):
        parts += [text[at : match.start], mask(match.type, text[match.start : match.end])]
        at = match.end
    return "".join([*parts, text[at:]])


def _weigh(
    c: Candidate, doc: PreparedText, around: Surroundings, rules: Ruleset, floor: float
) -> Match | None:
    rule = rules.types[c.type]
    if c.confidence + _FOR < rule.threshold:
        return None
    verdict = _verdict(c, around, rule, rules)
    if verdict is None:
        return None
    column = around.column or ""
    confidence = c.confidence + _shift(verdict, rule)
    if confidence < max(rule.threshold, floor) - 1e-9:
        return None
    terms = (verdict.term,) if verdict.term and verdict.stance in ("for", "hint") else ()
    sample = is_sample(c.type, doc.text[c.start : c.end])
    return Match(
        c.type,
        c.start,
        c.end,
        round(min(_SURE, confidence), 2),
        c.rule,
        c.validators,
        terms,
        sample,
        column,
    )


def _verdict(c: Candidate, around: Surroundings, rule: TypeRule, rules: Ruleset) -> Verdict | None:
    """Return the verdict of the nearest label that has one; None if it excludes the value."""
    last = SILENT
    for label in around.labels(c.start, c.end):
        if rule.unless and denied(label, rule.unless, rules.neutral):
            return None
        verdict = judge(label, c.type, rules)
        if verdict.stance in ("for", "against"):
            return verdict
        if verdict.stance == "hint" or (verdict.stance == "foreign" and last is SILENT):
            last = verdict
    return last


def _shift(verdict: Verdict, rule: TypeRule) -> float:
    if verdict.stance == "for":
        return _FOR
    if verdict.stance == "hint":
        return _HINT
    if rule.trust == "own":
        return 0.0
    return {"against": _AGAINST, "foreign": _FOREIGN, "silent": 0.0}[verdict.stance]


def _resolve(matches: list[Match]) -> Iterator[Match]:
    """Yield the longest of overlapping matches, then the most certain."""
    taken = bytearray(max((m.end for m in matches), default=0))
    ranked = sorted(
        matches, key=lambda m: (m.start - m.end, -m.confidence, -len(m.validators), m.start, m.type)
    )
    for match in ranked:
        if taken.find(1, match.start, match.end) < 0:
            taken[match.start : match.end] = b"\1" * (match.end - match.start)
            yield match
