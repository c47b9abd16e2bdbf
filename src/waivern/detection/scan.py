"""Scans of texts: candidates of all finders, weighed by their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeAlias

from waivern.detection.column_stances import ColumnStances
from waivern.detection.decoded_text import DecodedText, decoded
from waivern.detection.delimited import with_line_ends
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
from waivern.detection.patterns import values
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.reasons import Reasons
from waivern.detection.ruleset import Ruleset, TypeRule, load_ruleset
from waivern.detection.text_words import TextWords
from waivern.detection.value_types import FINDERS, is_sample, mask

_FOR, _HINT, _AGAINST, _FOREIGN = 0.4, 0.25, -0.4, -0.15
_ALONE = 0.3
"""What a value gains if its text is nothing but values, up to `_ENOUGH`."""
_ENOUGH = 0.6
_DISTINCTIVE = 0.3
"""The confidence of a form that few other values have."""
_SURE = 0.99
_SHORT = 200
"""Characters of the longest text that is taken for nothing but values."""
_CONJUNCTION = "and|or|und|oder|et|ou|y|e|o|och|og|en|i|ja|&"
_AND = expression(rf"[ ,]{{1,2}}(?:{_CONJUNCTION}) ")
_LONGEST_AND = 8
_SEPARATORS = expression(rf"[\s,;/.]*(?:(?:{_CONJUNCTION})\s)?")


class NameModel(Protocol):
    """A model that reads texts for names and addresses: `waivern.detection.ner.ModelReader`."""

    def candidates(
        self, doc: PreparedText, others: Iterable[Candidate], begin: int = 0
    ) -> Iterator[Candidate]:
        """Yield what the model finds in a text, and what the text itself points to, too."""


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


def scan(
    text: str,
    ruleset: Ruleset | None = None,
    *,
    field: str | None = None,
    types: Collection[str] | None = None,
    min_confidence: float = 0.0,
    begin: int = 0,
    piece: bool = False,
    beside: Collection[str] = (),
    person: float | None = None,
    model: NameModel | None = None,
    words: TextWords | None = None,
) -> list[Match]:
    """Return the matches in `text` in order, without overlaps.

    `field` is the name of the column or key that the text is the value of, `beside` are the names
    of the other fields of the record; `types` restricts the types. Offsets count characters of
    `text`, also where a value is written with escapes. What lies before `begin` is the context of
    the rest: values that end in it are not returned. A `piece` is a part of a longer text: even if
    it is nothing but values, what they are may be said elsewhere.
    `person` is the confidence that a value of the field is a person's name, as `name_column`
    returns it for a whole column; None: the field's name and the value decide. `model` reads the
    sentences that may have names. `words` are the words of the text, if they are known already.
    Nothing outside the process is used.
    """
    rules = ruleset or load_ruleset()
    text = with_line_ends(text)
    words = _words_of(text, rules, words)
    plain = decoded(text, words.spelled if words else None)
    if plain is not None:
        text, begin = plain.text, plain.offset(begin)
        words = _words_of(text, rules)
    doc = PreparedText(text, field=field, beside=beside, person=person, words=words)
    if len(text) > _SHORT:
        doc.named = rules.named_by(doc.seen)
        doc.columns = ColumnStances.of(doc.text, rules, field)
    thresholds = rules.thresholds
    candidates = [
        c
        for found in (*(find(doc) for find in FINDERS), values(doc.text, rules.patterns, types))
        for c in found
        # the best label could make it certain enough
        if c.confidence + _FOR >= thresholds.get(c.type, 2)
        and c.end > begin
        and (types is None or c.type in types)
    ]
    if model is not None:
        read = model.candidates(doc, candidates, begin)
        candidates += [
            c
            for c in read
            if c.type in thresholds and c.end > begin and (types is None or c.type in types)
        ]
    if not candidates:
        return []
    candidates.sort(key=lambda c: (c.start, c.end))
    surroundings = Surroundings(doc.text, rules, field, doc.words)
    weighing = Weighing(doc, surroundings, rules, min_confidence, piece=piece)
    found = sorted(_resolve(weighing.matches(candidates)), key=lambda m: m.start)
    return found if plain is None else [_as_written(match, plain) for match in found]


def _words_of(text: str, rules: Ruleset, known: TextWords | None = None) -> TextWords | None:
    """Return the words of a text; None for a short one, which is not worth it."""
    if known is not None and known.text is text:
        return known
    return TextWords(text, rules.lexicon) if len(text) > _SHORT else None


def _as_written(match: Match, plain: DecodedText) -> Match:
    """Return a match of a decoded text with the place and the escapes of the original."""
    start, end, escapes = plain.original(match.start, match.end)
    return match._replace(start=start, end=end, escapes=escapes)


def redact(text: str, ruleset: Ruleset | None = None, *, field: str | None = None) -> str:
    """Return `text` with every value that `scan` finds in it masked."""
    parts, at = [], 0
    for match in scan(text, ruleset, field=field):
        parts += [text[at : match.start], mask(match.type, match.value)]
        at = match.end
    return "".join([*parts, text[at:]])


class Weighed(NamedTuple):
    """The weight of a candidate that is certain enough."""

    confidence: float
    terms: tuple[str, ...]
    reasons: Reasons


_Form: TypeAlias = tuple[str, float, str, tuple[str, ...]]
"""All of a candidate that its weight depends on: type, confidence, rule and validators."""


class Weighing:
    """The weighing of candidates by the labels of their places."""

    def __init__(
        self,
        doc: PreparedText,
        around: Surroundings,
        rules: Ruleset,
        floor: float,
        *,
        piece: bool,
    ) -> None:
        self._doc = doc
        self._around = around
        self._rules = rules
        self._floor = floor
        self._may_be_alone = around.bare and not piece
        self._heard: dict[Label, Evidence] = {}
        self._weights: dict[tuple[Label, ...], dict[_Form, Weighed | None]] = {}
        """The weights of candidates by their labels: the same come again in a column or a log."""

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
            weights = self._weights.get(labels)
            if weights is None:
                weights = self._weights[labels] = {}
            for each in hopeful:
                form = (each.type, each.confidence, each.rule, each.validators)
                if form in weights:
                    weighed = weights[form]
                else:
                    weighed = weights[form] = self._weigh(each, labels, alone=alone)
                if weighed is not None:
                    found.append(self._match(each, weighed))
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

    def _match(self, c: Candidate, weighed: Weighed) -> Match:
        value = self._doc.text[c.start : c.end]
        return Match(
            c.type,
            c.start,
            c.end,
            weighed.confidence,
            c.rule,
            c.validators,
            weighed.terms,
            is_sample(c.type, value),
            self._around.column or "",
            value,
            reasons=weighed.reasons,
        )

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
        return Weighed(
            round(min(_SURE, confidence), 2),
            (verdict.term,) if verdict.term and verdict.stance in ("for", "hint") else (),
            Reasons(
                c.confidence,
                effect,
                confidence - labelled,
                threshold,
                verdict.stance,
                verdict.term,
                label,
            ),
        )

    def _evidence(self, label: Label) -> Evidence:
        heard = self._heard.get(label)
        if heard is None:
            heard = self._heard[label] = evidence(label, self._rules)
        return heard


def _is_all_values(text: str, places: list[tuple[int, int]]) -> bool:
    """Return whether a short text is nothing but values: no word in it says what they are."""
    if len(text) > _SHORT:
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


def _resolve(matches: list[Match]) -> Iterator[Match]:
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
