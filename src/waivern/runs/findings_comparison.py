"""The comparison of the findings of two runs, by their identities.

    earlier findings ─▶ pool ─┐
    later findings ───────────┴▶ unchanged, moved, new
    rest of the pool ─▶ renamed files ─▶ resolved, or not examined

Of the earlier findings a short form is held, of the later ones only those that are new. A finding
that the later run has not is resolved only if the later run examined its place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from sys import intern
from typing import NamedTuple, TypeAlias
from zlib import crc32

from waivern.message import Json
from waivern.runs.recorded_findings import RecordedFinding


class FindingOutcome(StrEnum):
    """The result of comparing one finding."""

    NEW = "new"
    RESOLVED = "resolved"
    NOT_EXAMINED = "not_examined"
    """The later run has not found it, and has not examined its place."""
    MOVED = "moved"
    """The same finding at another place of its item, or in a file that was renamed."""
    UNCHANGED = "unchanged"


class ComparableFinding(NamedTuple):
    """A finding in the form that is held to compare it: without evidence."""

    artifact: str
    id: str
    type: str
    category: str
    kind: str
    severity: str
    special: bool
    test_data: bool
    system: str
    item: str
    field: str
    occurrences: int
    confidence: float
    place: str
    """The first of its places, in words."""
    alike: int
    """A checksum of what it shares with the same finding in a file of another name."""

    @classmethod
    def of(cls, finding: RecordedFinding) -> ComparableFinding:
        """Return the short form of a finding."""
        get = finding.document.get
        confidence, rule, located = get("confidence"), get("rule"), get("locations")
        first = located[0] if type(located) is list and located else None
        named = rule.get("id") if type(rule) is dict else rule
        return cls(
            finding.artifact,
            finding.id,
            intern(finding.type),
            intern(finding.category),
            intern(finding.kind),
            intern(finding.severity),
            finding.special,
            finding.test_data,
            intern(finding.system),
            intern(finding.item),
            intern(finding.field),
            finding.occurrences,
            confidence if type(confidence) is float else 1.0,
            place_text(first) if type(first) is dict else "",
            crc32(
                "\x1f".join(
                    (
                        *(finding.type, str(named), finding.field, str(get("canonical", ""))),
                        *(finding.kind, str(finding.test_data)),
                    )
                ).encode("utf-8", "replace")
            ),
        )

    def document(self) -> dict[str, Json]:
        """Return the finding for programs."""
        return {
            "id": self.id,
            "artifact": self.artifact,
            "type": self.type,
            "category": self.category,
            "kind": self.kind,
            "severity": self.severity,
            "special_category": self.special,
            "test_data": self.test_data,
            "system": self.system,
            "item": self.item,
            "field": self.field,
            "place": self.place,
            "occurrences": self.occurrences,
        }


def place_text(place: Mapping[str, Json]) -> str:
    """Return a place within its item in words: 'line 3, column 9'."""
    return ", ".join([f"{word} {place[word]}" for word in _WORDS if word in place])


_WORDS = ("line", "row", "column", "path")


class ComparedFinding(NamedTuple):
    """A finding with its outcome."""

    outcome: FindingOutcome
    finding: ComparableFinding
    """As the later run has it; if that has it not, as the earlier one."""
    earlier: ComparableFinding | None = None
    """As the earlier run has it, where both have it."""
    reason: str | None = None
    """Why its place was not examined."""

    @property
    def count_changed(self) -> bool:
        """Whether both runs have it, with another number of occurrences."""
        return self.earlier is not None and self.earlier.occurrences != self.finding.occurrences

    def document(self) -> dict[str, Json]:
        """Return the finding with its outcome, for programs."""
        found = {"outcome": str(self.outcome), **self.finding.document()}
        if self.earlier is not None:
            before = self.earlier
            found["before"] = {
                "item": before.item,
                "place": before.place,
                "occurrences": before.occurrences,
            }
        return found | ({"reason": self.reason} if self.reason else {})


Unexamined: TypeAlias = Callable[[ComparableFinding], str | None]
"""Returns why the later run did not examine the place of a finding; None: it did."""
Renamed: TypeAlias = Callable[[Iterable[ComparableFinding], Iterable[ComparableFinding]], "Names"]
"""Returns the items of earlier findings that later ones have under another name."""
Names: TypeAlias = Mapping[tuple[str, str], list[tuple[str, str]]]
"""(system, item) of the earlier run to those of the later one with the same digest."""
Key: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class FindingsComparison:
    """The outcomes of all findings of two runs; those that are unchanged are only counted."""

    counts: Counter[FindingOutcome] = field(default_factory=Counter)
    types: dict[tuple[str, str], Counter[FindingOutcome]] = field(default_factory=dict)
    """(category, type) to the counts."""
    special: Counter[FindingOutcome] = field(default_factory=Counter)
    """The findings of special categories among them."""
    listed: dict[FindingOutcome, list[ComparedFinding]] = field(default_factory=dict)
    """All findings but the unchanged ones; special categories first."""
    changed_counts: list[ComparedFinding] = field(default_factory=list)
    """The findings of both runs whose numbers of occurrences differ."""
    _later: dict[Key, FindingOutcome] = field(default_factory=dict)

    def outcome_of(self, finding: RecordedFinding) -> FindingOutcome:
        """Return the outcome of a finding of the later run."""
        key = (finding.artifact, finding.system, finding.id)
        return self._later.get(key, FindingOutcome.UNCHANGED)

    def add(self, found: ComparedFinding) -> None:
        """Count a finding, and list it unless it is unchanged."""
        outcome, finding = found.outcome, found.finding
        self.counts[outcome] += 1
        self.special[outcome] += finding.special
        counts = self.types.get(kind := (finding.category, finding.type))
        if counts is None:
            counts = self.types[kind] = Counter()
        counts[outcome] += 1
        if found.count_changed:
            self.changed_counts.append(found)
        if outcome is FindingOutcome.UNCHANGED:
            return
        self.listed.setdefault(outcome, []).append(found)
        if outcome in (FindingOutcome.NEW, FindingOutcome.MOVED):
            self._later[finding.artifact, finding.system, finding.id] = outcome

    def sort(self) -> None:
        """Bring the lists in order: special categories first, then by type and place."""
        for found in (*self.listed.values(), self.changed_counts):
            found.sort(key=_order)

    def rows(self, most: int | None = None) -> list[ComparedFinding]:
        """Return at most `most` findings of each outcome; of the unchanged, those counted anew."""
        counted = [e for e in self.changed_counts if e.outcome is FindingOutcome.UNCHANGED]
        lists = [*(self.listed.get(each, []) for each in FindingOutcome), counted]
        return [each for found in lists for each in found[:most]]

    def document(self, most: int | None = None) -> dict[str, Json]:
        """Return the comparison for programs, with at most `most` findings of each outcome."""
        counts = {str(each): self.counts[each] for each in FindingOutcome}
        special = {str(each): self.special[each] for each in FindingOutcome}
        rows = sorted(self.types.items())
        return {
            **counts,
            "count_changed": len(self.changed_counts),
            "special_category": special,
            "by_type": [
                {"category": group, "type": kind, **{str(o): n[o] for o in FindingOutcome}}
                for (group, kind), n in rows
            ],
            "findings": [each.document() for each in self.rows(most)],
        }


def _order(found: ComparedFinding) -> tuple[object, ...]:
    each = found.finding
    return (not each.special, each.category, each.type, each.system, each.item, each.id)


class FindingPool:
    """The findings of an earlier run, from which those that a later run has are taken."""

    def __init__(self, findings: Iterable[ComparableFinding]) -> None:
        self._found: dict[Key, ComparableFinding | list[ComparableFinding]] = {}
        for each in findings:
            key = (each.artifact, each.system, each.id)
            known = self._found.get(key)
            if known is None:
                self._found[key] = each
            elif isinstance(known, list):
                known.append(each)
            else:  # items whose masked names look alike have the same identities
                self._found[key] = [known, each]

    def take(self, finding: RecordedFinding) -> ComparableFinding | None:
        """Remove and return the same finding of the same artifact; None if there is none."""
        key = (finding.artifact, finding.system, finding.id)
        known = self._found.get(key)
        if isinstance(known, list):
            taken = known.pop(0)
            if not known:
                del self._found[key]
            return taken
        if known is not None:
            del self._found[key]
        return known

    def rest(self) -> list[ComparableFinding]:
        """Return the findings that were not taken."""
        found = []
        for each in self._found.values():
            found += each if isinstance(each, list) else [each]
        return found


def compare_findings(
    earlier: Iterable[ComparableFinding],
    later: Iterable[RecordedFinding],
    unexamined: Unexamined,
    renamed: Renamed,
) -> FindingsComparison:
    """Compare findings. Raises what reading them raises."""
    result, pool = FindingsComparison(), FindingPool(earlier)
    new: list[ComparableFinding] = []
    for finding in later:
        before = pool.take(finding)
        if before is None:
            new.append(ComparableFinding.of(finding))
        elif _is_as_before(before, finding):  # most are: a short form of them is not needed
            result.add(ComparedFinding(FindingOutcome.UNCHANGED, before, before))
        else:
            result.add(_same(before, ComparableFinding.of(finding)))
    old = pool.rest()
    del pool
    for before, after in (pairs := _by_identity(old, new)):
        result.add(_same(before, after))
    old, new = _without(pairs, old, new)
    for before, after in (pairs := _by_name(old, new, renamed(old, new))):
        result.add(ComparedFinding(FindingOutcome.MOVED, after, before))
    old, new = _without(pairs, old, new)
    for added in new:
        result.add(ComparedFinding(FindingOutcome.NEW, added))
    for gone in old:
        reason = unexamined(gone)
        outcome = FindingOutcome.RESOLVED if reason is None else FindingOutcome.NOT_EXAMINED
        result.add(ComparedFinding(outcome, gone, reason=reason))
    result.sort()
    return result


def _is_as_before(before: ComparableFinding, finding: RecordedFinding) -> bool:
    located = finding.document.get("locations")
    first = located[0] if type(located) is list and located else None
    place = place_text(first) if type(first) is dict else ""
    same = before.place == place and before.item == finding.item
    return same and before.occurrences == finding.occurrences


def _same(before: ComparableFinding, after: ComparableFinding) -> ComparedFinding:
    moved = (before.item, before.place) != (after.item, after.place)
    return ComparedFinding(
        FindingOutcome.MOVED if moved else FindingOutcome.UNCHANGED, after, before
    )


Pairs: TypeAlias = list[tuple[ComparableFinding, ComparableFinding]]
Match: TypeAlias = tuple[object, ...]


def _by_identity(old: list[ComparableFinding], new: list[ComparableFinding]) -> Pairs:
    """Match findings of artifacts that have another name in the later run."""
    known = {(each.artifact, each.system) for each in new}
    before = {(each.artifact, each.system) for each in old}
    return _paired(
        (each for each in old if (each.artifact, each.system) not in known),
        (each for each in new if (each.artifact, each.system) not in before),
        lambda each: [(each.id,)],
        lambda each: (each.id,),
    )


def _by_name(old: list[ComparableFinding], new: list[ComparableFinding], names: Names) -> Pairs:
    """Match findings of files that have another name in the later run."""

    def wanted(each: ComparableFinding) -> list[Match]:
        places = names.get((each.system, each.item), ())
        return [(system, item, each.alike) for system, item in places]

    return _paired(old, new, wanted, lambda each: (each.system, each.item, each.alike))


def _paired(
    old: Iterable[ComparableFinding],
    new: Iterable[ComparableFinding],
    wanted: Callable[[ComparableFinding], list[Match]],
    key: Callable[[ComparableFinding], Match],
) -> Pairs:
    waiting: dict[Match, list[ComparableFinding]] = defaultdict(list)
    for each in new:
        waiting[key(each)].append(each)
    pairs: Pairs = []
    for each in old:
        found = next((found for name in wanted(each) if (found := waiting.get(name))), None)
        if found:
            pairs.append((each, found.pop(0)))
    return pairs


def _without(
    pairs: Pairs, old: list[ComparableFinding], new: list[ComparableFinding]
) -> tuple[list[ComparableFinding], list[ComparableFinding]]:
    if not pairs:
        return old, new
    taken = {id(each) for pair in pairs for each in pair}
    left = ([each for each in found if id(each) not in taken] for found in (old, new))
    return next(left), next(left)
