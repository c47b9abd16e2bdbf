"""The findings of one item: what is found in it, collected by identity."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, Protocol

from waivern.detection import (
    Found,
    Match,
    NamedField,
    Ruleset,
    TextWords,
    canonical_mask,
    classify,
    mask,
    redact,
    scan,
    search,
)
from waivern.detection.column_cells import ColumnCells
from waivern.detection.field_terms import FieldTerm
from waivern.detection.masks import nothing
from waivern.detection.people.candidates import STRONG
from waivern.detection.people.name_columns import name_column
from waivern.detection.typed_columns import column_of
from waivern.message import Json

if TYPE_CHECKING:
    from waivern.detection.ner.model_reader import ModelReader

_NUMBER = re.compile(r"\d(?:[ .\-/]?\d){8,}")
"""Nine digits and more may be a personal number; versions and dates have fewer."""
_DIGIT = re.compile(r"\d")
MOST_FIELDS = 10_000
"""The fields that are distinguished in one item; values in further ones are grouped without one."""
FEW_LOCATIONS = 20
"""The occurrences that are located in an item of any size."""
PER_LOCATION = 8_192
"""The characters of an item for each of which one more may be."""
MaskLevel = Literal["none", "partial", "full"]
Place = dict[str, Json]
Order = tuple[int, ...]


def field_type(term: FieldTerm) -> str:
    """Return the type of the findings of a field name."""
    return term.term.replace(" ", "_")


class DetectionSettings(Protocol):
    """The part of the properties that decides what is reported."""

    @property
    def min_confidence(self) -> float: ...
    @property
    def types(self) -> tuple[str, ...] | None: ...
    @property
    def exclude_types(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> bool: ...
    @property
    def field_names(self) -> bool: ...
    @property
    def min_count(self) -> int: ...
    @property
    def max_locations(self) -> int: ...
    @property
    def mask(self) -> MaskLevel: ...


def searched_types(rules: Ruleset, config: DetectionSettings) -> tuple[str, ...] | None:
    """Return the types of values that are searched for; None: all of the ruleset."""
    if not config.values:
        return ()
    if not config.exclude_types:
        return config.types
    return tuple(t for t in config.types or rules.types if t not in config.exclude_types)


class Detector:
    """The rules and the settings of one search."""

    def __init__(
        self, rules: Ruleset, config: DetectionSettings, model: ModelReader | None = None
    ) -> None:
        self.rules = rules
        self.config = config
        self.types = searched_types(rules, config)
        self.model = model
        self.shown = lru_cache(4096)(self._shown)
        """Returns a path, column or key as it may be shown: some contain values themselves."""
        self.classified = lru_cache(50_000)(partial(classify, rules=rules))
        """Returns the term of a field name: the same names are in many files."""

    def scan(
        self,
        text: str,
        name: str | None = None,
        begin: int = 0,
        *,
        piece: bool = False,
        beside: Collection[str] = (),
        person: float | None = None,
    ) -> list[Match]:
        """Return the matches in a text, which is the value of the column or key `name`.

        The others are those of `waivern.detection.scan`.
        """
        if self.types == ():
            return []
        return scan(
            text,
            self.rules,
            field=name,
            types=self.types,
            min_confidence=self.config.min_confidence,
            begin=begin,
            piece=piece,
            beside=beside,
            person=person,
            model=self.model,
        )

    def search(self, text: str, begin: int = 0, *, piece: bool = False) -> Found:
        """Return the matches in a text; those in columns of tables have few places."""
        if self.types == ():
            return Found([], [], text, TextWords(text, self.rules.lexicon))
        return search(
            text,
            self.rules,
            types=self.types,
            min_confidence=self.config.min_confidence,
            begin=begin,
            piece=piece,
            model=self.model,
            most=self.config.max_locations,
        )

    def column(self, name: str, beside: Sequence[str], person: float | None) -> ColumnCells | None:
        """Return what reads the cells of the column `name` of a database, if they can be."""
        return column_of(
            name,
            self.rules,
            beside=beside,
            person=person,
            types=self.types,
            min_confidence=self.config.min_confidence,
        )

    def evidence(self, kind: str, value: str) -> str:
        """Return a value as a finding shows it."""
        if self.config.mask == "partial":
            return mask(kind, value)
        return value if self.config.mask == "none" else nothing(value)

    def name_column(
        self, column: str, beside: Collection[str], cells: Iterable[str]
    ) -> float | None:
        """Return the confidence that a value of a column is a person's name; None: it is not one.

        A model decides where the name of the column and its values do not.
        """
        values = list(cells)
        place = name_column(column, beside, values)
        if self.model is None or place is None or place >= STRONG:
            return place
        return STRONG if self.model.is_name_column(values) else place

    def _shown(self, name: str) -> str:
        return _NUMBER.sub(lambda number: _DIGIT.sub("*", number[0]), redact(name, self.rules))


@dataclass(slots=True)
class _Group:
    """The occurrences that are one finding."""

    order: Order
    document: dict[str, Json]
    confidence: float
    total: int = 0
    row: int = -1
    """The row of the last occurrence: of a row, one occurrence counts."""
    locations: list[Place] = field(default_factory=list)


class ItemFindings:
    """The findings of one item; what is held depends on their identities, not on their number.

    `source` is the item's path or name as it may be shown. The identity of a finding is its type,
    its rule, the item, the field (column, key or record path), the canonical mask of its values,
    and whether these are test data.
    """

    def __init__(self, detector: Detector, source: str) -> None:
        self.detector = detector
        self._source = source
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._fields: set[str] = set()

    def value(
        self,
        match: Match,
        value: str,
        place: Callable[[], Place],
        *,
        name: str = "",
        order: Order = (),
        row: int | None = None,
        others: int = 0,
    ) -> None:
        """Add an occurrence of a value in the field `name`, which is as it may be shown.

        It counts for so many `others`, too, which differ from it in their places alone.
        `order` is the position of the finding among others, decided by its first occurrence.
        Several occurrences in one `row` count once.
        """
        if name not in self._fields:
            if len(self._fields) >= MOST_FIELDS:
                name = ""
            self._fields.add(name)
        test = "test data" if match.sample else ""
        identity = (match.type, match.rule, name, canonical_mask(match.type, value), test)
        group = self._groups.get(identity)
        if group is None:
            group = self._groups[identity] = _Group(order, {}, -1.0)
        located = len(group.locations) < self.detector.config.max_locations
        better = group.confidence < match.confidence
        evidence = self.detector.evidence(match.type, value) if better or located else ""
        if better:
            group.confidence = match.confidence
            group.document = self._described(match, evidence, identity)
        if row is None or group.row != row:
            group.total, group.row = group.total + 1 + others, -1 if row is None else row
            if located:
                escapes = {"escapes": list(match.escapes)} if match.escapes else {}
                group.locations.append(place() | escapes | {"evidence": evidence})

    def _described(self, match: Match, evidence: str, identity: tuple[str, ...]) -> dict[str, Json]:
        rule = self.detector.rules.types[match.type]
        return {
            "category": rule.category,
            "kind": "value",
            "type": match.type,
            "field": identity[2],
            "canonical": identity[3],
            "severity": "info" if match.sample else rule.severity,
            "test_data": match.sample,
            "evidence": evidence,
            "validators": list(match.validators),
            "terms": list(match.terms),
            "why": match.reasons.document() if match.reasons else {},
            "rule": match.rule,
        }

    def field(
        self, named: NamedField, data: bool, place: Place, *, total: int, order: Order = ()
    ) -> None:
        """Add the finding of a field name, if its confidence suffices."""
        config, term = self.detector.config, named.term
        confidence = 0.5 if term.weak else 0.7 + 0.1 * named.whole + 0.1 * data
        if not config.field_names or confidence < config.min_confidence:
            return
        kind, name = field_type(term), self.detector.shown(named.name)
        document = {
            "category": term.category,
            "kind": "field_name",
            "type": kind,
            "field": name,
            "canonical": "",
            "severity": self.detector.rules.categories[term.category].severity,
            "test_data": False,
            "evidence": name,
            "validators": [],
            "terms": [term.term],
            "why": {},
            "rule": term.rule,
        }
        identity = (kind, term.rule, name, "", "field name")
        group = self._groups.get(identity)
        if group is None:
            group = self._groups[identity] = _Group(order, document, round(confidence, 2))
        group.total += total
        if len(group.locations) < config.max_locations:
            group.locations.append(place)

    def records(
        self, cells: Mapping[str, int] | None = None, characters: int | None = None
    ) -> Iterator[Json]:
        """Yield the findings, in order; `cells` are the cells that are not empty, by column.

        `characters` is the size of an item whose findings are to be a small part of it: together
        they locate 20 occurrences (`max_locations`, if that is more) and one more for every 8,192
        characters; each locates the first ones, as many as any other has or all, and at least one.
        """
        if characters is not None:
            few = max(FEW_LOCATIONS, self.detector.config.max_locations)
            most = few + characters // PER_LOCATION
            share = _share([len(group.locations) for group in self._groups.values()], most)
            for group in self._groups.values():
                del group.locations[share:]
        least = self.detector.config.min_count
        counted = [each for each in self._groups.items() if each[1].total >= least]
        for identity, group in sorted(counted, key=lambda each: each[1].order):
            filled = None if cells is None or group.row < 0 else cells[identity[2]]
            yield self._record(identity, group, filled)

    def _record(self, identity: tuple[str, ...], group: _Group, filled: int | None) -> Json:
        described = dict(group.document)
        rule, rules = described.pop("rule"), self.detector.rules
        means = rules.categories[described["category"]]
        basis = "\x1f".join((*identity, self._source))
        evidence = described["evidence"]
        return {
            "id": hashlib.sha256(basis.encode("utf-8", "replace")).hexdigest()[:32],
            **described,
            "confidence": group.confidence,
            "locations": [_without(each, evidence) for each in group.locations],
            "total": group.total,
            **({} if filled is None else {"hit_ratio": round(group.total / filled, 4)}),
            "special_category": means.special,
            "articles": list(means.articles),
            "rule": {"id": rule, "version": rules.version_of(rule)},
        }


def _share(counts: list[int], most: int) -> int:
    """Return how many each may have at most, at least 1, so that all have `most` together."""
    shares = range(1, max(counts, default=1) + 1)
    fitting = bisect_right(shares, most, key=lambda share: sum(min(n, share) for n in counts))
    return max(1, fitting)


def _without(place: Place, evidence: str) -> Place:
    """Return a location with an evidence of its own only if it differs from the finding's."""
    if place.get("evidence", evidence) == evidence:
        place.pop("evidence", None)
    return place


class FindingsSummary:
    """The counts of findings that are read once."""

    def __init__(self) -> None:
        self._findings = 0
        self._occurrences = 0
        self._types: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()

    def add(self, finding: Mapping[str, Json]) -> None:
        self._findings += 1
        self._occurrences += finding.get("total", 1)
        self._types[finding["type"]] += 1
        self._categories[finding["category"]] += 1

    def document(self) -> dict[str, Json]:
        return {
            "findings": self._findings,
            "occurrences": self._occurrences,
            "by_type": dict(sorted(self._types.items())),
            "by_category": dict(sorted(self._categories.items())),
        }


def rules_document(rules: Ruleset) -> dict[str, Json]:
    """Return name, version and digest of a ruleset, and those of the one that it extends."""
    identity = {"name": rules.name, "version": rules.version, "digest": rules.digest}
    return identity | ({"extends": rules_document(rules.base)} if rules.base else {})
