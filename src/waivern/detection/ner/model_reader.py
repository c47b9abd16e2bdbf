"""The use of a name model in one search: what it reads, for how long, and what its word is worth.

A model is slow, some 10 kB a second, and takes headings and products for names. So it reads only
sentences in which a capitalised word stands after another word or a label, and for a column of a
table a few of its values; and what it finds alone is never reported with a high confidence.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence

from waivern.detection.ner.classifier import BATCH, PERSON, Entity, TokenClassifier
from waivern.detection.people.candidates import STRONG
from waivern.detection.people.name_fields import ANCHORS
from waivern.detection.people.names import form
from waivern.detection.prepared_text import Candidate, PreparedText

MOST_VALUES = 64
"""The different values of a column that are read: they decide for all of it."""
_ALONE, _KNOWN, _AGREED = 0.5, 0.3, 0.25
_LEAST = 0.6
"""The score below which an entity says nothing."""
_SHORTEST, _LONGEST = 12, 400
_SENTENCE_IN_FIELD = 40
_ENOUGH = 0.5
_GROUP = 16 * BATCH
"""The sentences whose order is changed, to read those of like length together."""
_SENTENCE = re.compile(r"[^\n.!?;]{1,400}(?:[.!?;](?!\s)[^\n.!?;]{0,400}){0,40}[.!?;]?")
_CAPITAL = re.compile(r"(?:(?<=[^\W_] )|(?<=, ))[A-Z][\w'\u2019-]|\b[A-Z]{2,} [A-Z]{2,}\b")
_WORDS = re.compile(r"[A-Za-z'\u2019-]{2,}")


class ModelReader:
    """A model with the budget of one search."""

    def __init__(self, model: TokenClassifier, budget_s: float) -> None:
        self._model = model
        self._left = budget_s
        self._known: dict[str, list[Entity]] = {}
        self._unread = 0

    def take_unread(self) -> int:
        """Return how many sentences were not read since the last call."""
        count, self._unread = self._unread, 0
        return count

    def candidates(
        self, doc: PreparedText, others: Iterable[Candidate], begin: int = 0
    ) -> Iterator[Candidate]:
        """Yield the names and addresses in the sentences of a text that are worth reading.

        `others` are the candidates that the text itself points to: where they agree with the model,
        the confidence is higher. What lies before `begin` is not read.
        """
        if doc.field is not None and len(doc.text) < _SENTENCE_IN_FIELD:
            return  # a value, and no sentence: the field says more of it than the model
        places = [place for place in _sentences(doc) if place[1] > begin]
        agreed = {(each.start, each.end) for each in others if each.type == PERSON}
        for group in range(0, len(places), _GROUP):
            part = places[group : group + _GROUP]
            found = self._read([doc.text[start:end] for start, end in part])
            for (start, _), entities in zip(part, found, strict=True):
                yield from _weighed(doc.text, start, entities or (), agreed)

    def is_name_column(self, values: Iterable[str]) -> bool:
        """Return whether the model takes most of a few values of a column for names of persons."""
        sample = list(dict.fromkeys(v for v in values if v and len(v) <= _LONGEST))[:MOST_VALUES]
        found = [each for each in self._read(sample) if each is not None]
        named = sum(any(entity.type == PERSON for entity in each) for each in found)
        return len(found) > 1 and named >= _ENOUGH * len(found)

    def _read(self, texts: Sequence[str]) -> list[list[Entity] | None]:
        """Return what is found in each text; None for those that the budget does not allow."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        known = {text: self._known[text] for text in texts if text in self._known}
        batches = self._model.entities(new)
        for _ in new:
            if self._left <= 0:
                break
            started = time.monotonic()
            number, entities = next(batches)
            known[new[number]] = self._known[new[number]] = entities
            self._left -= time.monotonic() - started
        self._unread += sum(text not in known for text in texts)
        return [known.get(text) for text in texts]


_REMEMBERED = 20_000


def _sentences(doc: PreparedText) -> Iterator[tuple[int, int]]:
    """Yield the place of each sentence that may have a name or an address."""
    text = doc.text
    for found in _SENTENCE.finditer(text):
        if found.end() - found.start() < _SHORTEST:
            continue
        sentence = found.group()
        if _CAPITAL.search(sentence) is None and not _has_label(sentence):
            continue
        plain = sum(map(len, _WORDS.findall(sentence))) + sentence.count(" ")
        if plain >= _PROSE * len(sentence):
            yield found.start(), min(found.end(), found.start() + _LONGEST)


_PROSE = 0.7
"""The share of letters and spaces from which a line is prose, and not code or numbers."""


def _has_label(sentence: str) -> bool:
    label, sign, _ = sentence.partition(":")
    return bool(sign) and label.rpartition(" ")[2].lower() in ANCHORS


def _weighed(
    text: str, begin: int, entities: Sequence[Entity], agreed: set[tuple[int, int]]
) -> Iterator[Candidate]:
    for entity in entities:
        start, end = begin + entity.start, begin + entity.end
        if entity.type != PERSON or entity.score < _LEAST:
            continue
        has = form(text[start:end], single=True)
        if has is None or (has.parts < 2 and not has.known and (start, end) not in agreed):
            continue
        confidence = _ALONE + _KNOWN * has.known + _AGREED * ((start, end) in agreed)
        checks = ("name model", *(("given name",) if has.known else ()))
        yield Candidate(PERSON, start, end, min(0.95, confidence), "person.model", checks)
    yield from _addresses(text, begin, entities)


def _addresses(text: str, begin: int, entities: Sequence[Entity]) -> Iterator[Candidate]:
    """Yield runs of the parts of an address that have a street, a number and a place."""
    run: list[Entity] = []
    for entity in [*entities, None]:
        part = entity is not None and entity.type != PERSON and entity.score >= _LEAST
        near = run and entity is not None and entity.start - run[-1].end <= _GAP
        if run and not (part and near):
            start, end = begin + run[0].start, begin + run[-1].end
            kinds = {each.type for each in run}
            # A street and a number alone are also `RHEL 7` and `Vol 1, Issue 2`.
            if kinds >= {"STREET", "PLACE"} and any(map(str.isdigit, text[start:end])):
                checks = ("name model", "number")
                yield Candidate("POSTAL_ADDRESS", start, end, STRONG, "address.model", checks)
            run = []
        if part and entity is not None:
            run.append(entity)


_GAP = 3
"""The characters between two parts of an address: a comma and a space."""
