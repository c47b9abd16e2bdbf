"""Scans of texts: candidates of all finders, weighed by their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Protocol

from waivern.detection.column_cells import ColumnMatches, all_are_known
from waivern.detection.column_stances import ColumnStances
from waivern.detection.decoded_text import DecodedText, decoded
from waivern.detection.delimited import with_line_ends
from waivern.detection.label_context import Surroundings
from waivern.detection.patterns import values
from waivern.detection.prepared_text import Candidate, PreparedText
from waivern.detection.ruleset import Ruleset, load_ruleset
from waivern.detection.text_words import TextWords
from waivern.detection.typed_columns import Settled, settle
from waivern.detection.value_types import finders, mask
from waivern.detection.weighing import MOST_GAINED, SHORT, Match, Weighing, Weights, resolved


class NameModel(Protocol):
    """A model that reads texts for names and addresses: `waivern.detection.ner.ModelReader`."""

    def candidates(
        self, doc: PreparedText, others: Iterable[Candidate], begin: int = 0
    ) -> Iterator[Candidate]:
        """Yield what the model finds in a text, and what the text itself points to, too."""


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
) -> list[Match]:
    """Return the matches in `text` in order, without overlaps.

    `field` is the name of the column or key that the text is the value of, `beside` are the names
    of the other fields of the record; `types` restricts the types. Offsets count characters of
    `text`, also where a value is written with escapes. What lies before `begin` is the context of
    the rest: values that end in it are not returned. A `piece` is a part of a longer text: even if
    it is nothing but values, what they are may be said elsewhere.
    `person` is the confidence that a value of the field is a person's name, as `name_column`
    returns it for a whole column; None: the field's name and the value decide. `model` reads the
    sentences that may have names. Nothing outside the process is used.
    """
    found = search(
        text,
        ruleset,
        field=field,
        types=types,
        min_confidence=min_confidence,
        begin=begin,
        piece=piece,
        beside=beside,
        person=person,
        model=model,
    )
    in_columns = (match for group in found.columns for match in group.matches())
    return sorted((*found.matches, *in_columns), key=lambda match: match.start)


class Found(NamedTuple):
    """The matches in a text."""

    matches: list[Match]
    """Those that are not in `columns`, in order."""
    columns: list[ColumnMatches]
    """Those that fill the cells of columns whose names say what they hold."""
    rest: str
    """The text with a mark for each of these cells."""
    words: TextWords
    """The words of the rest."""


def search(
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
    most: int | None = None,
) -> Found:
    """Return the matches in `text`, those in columns of tables by what they have in common.

    The parameters are those of `scan`. Of the matches in a column that differ only in their places,
    the first `most` are located; None: all.
    """
    rules = (ruleset or load_ruleset()).naming(types or ())
    text = with_line_ends(text)
    weights, long = Weights(rules, min_confidence), len(text) > SHORT
    settled = Settled([], text, columns_read=False)
    if long and model is None and all_are_known(rules):
        settled = settle(
            text,
            rules,
            weights,
            field=field,
            types=types,
            begin=begin,
            most=most,
            read=lambda cell: scan(cell, rules, types=types),
        )
    rest = text = settled.rest
    words = TextWords(text, rules.lexicon)
    plain = decoded(rest, words.spelled if long else None)
    if plain is not None:
        text, begin = plain.text, plain.offset(begin)
    read = words if plain is None else TextWords(text, rules.lexicon)
    long = len(text) > SHORT  # the words of a short text are not worth it
    doc = PreparedText(
        text, field=field, beside=beside, person=person, words=read if long else None
    )
    doc.columns_read = settled.columns_read
    if long:
        doc.named = rules.named_by(doc.seen)
        doc.columns = ColumnStances.of(doc.text, rules, field)
    thresholds = rules.thresholds
    candidates = [
        c
        for found in (
            *(find(doc) for find in finders(rules.types)),
            values(doc.text, rules.patterns, types),
        )
        for c in found
        # the best label could make it certain enough
        if c.confidence + MOST_GAINED >= thresholds.get(c.type, 2)
        and c.end > begin
        and (types is None or c.type in types)
    ]
    if model is not None:
        candidates += [
            c
            for c in model.candidates(doc, candidates, begin)
            if c.type in thresholds and c.end > begin and (types is None or c.type in types)
        ]
    found: list[Match] = []
    if candidates:
        candidates.sort(key=lambda c: (c.start, c.end))
        surroundings = Surroundings(doc.text, rules, field, doc.words)
        weighing = Weighing(doc, surroundings, weights, piece=piece)
        found = sorted(resolved(weighing.matches(candidates)), key=lambda match: match.start)
    if plain is not None:
        found = [_as_written(match, plain) for match in found]
    return Found(found, settled.matches, rest, words)


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
