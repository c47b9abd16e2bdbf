"""The overview of the findings of a run: what was found, where most, and what was not examined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.record.coverage import RunCoverage, coverage
from waivern.runs.recorded_findings import SEVERITIES, RecordedFinding, RunFindings

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore

K = TypeVar("K")
PLACES = 20
"""The items with most findings that an overview names."""
_DISTINGUISHED = 50_000
"""The items that are counted at once; beyond, those with the fewest findings are dropped."""


@dataclass(slots=True)
class FoundCount:
    """The number of findings of a type, a category, a system or an item."""

    name: str
    category: str = ""
    """Of a type: its category."""
    system: str = ""
    """Of an item: where it is."""
    special: bool = False
    severity: str = "info"
    """The highest of them."""
    findings: int = 0
    occurrences: int = 0

    def add(self, finding: RecordedFinding) -> None:
        """Count a finding."""
        self.findings += 1
        self.occurrences += finding.occurrences
        self.special = self.special or finding.special
        if _rank(finding.severity) < _rank(self.severity):
            self.severity = finding.severity

    def include(self, other: FoundCount) -> None:
        """Add the counts of another one of the same name."""
        self.findings += other.findings
        self.occurrences += other.occurrences
        self.special = self.special or other.special
        self.severity = min(self.severity, other.severity, key=_rank)

    def document(self) -> dict[str, Json]:
        """Return the count for programs."""
        named: dict[str, Json] = {"name": self.name}
        named |= {"category": self.category} if self.category else {}
        named |= {"system": self.system} if self.system else {}
        counts = {"findings": self.findings, "occurrences": self.occurrences}
        return {**named, "special_category": self.special, "severity": self.severity, **counts}


@dataclass(slots=True)
class _Counts:
    """The counts of some findings, in bounded memory."""

    findings: int = 0
    occurrences: int = 0
    special: int = 0
    test_data: int = 0
    types: dict[tuple[str, str], FoundCount] = field(default_factory=dict)
    categories: dict[str, FoundCount] = field(default_factory=dict)
    systems: dict[str, FoundCount] = field(default_factory=dict)
    items: dict[tuple[str, str], FoundCount] = field(default_factory=dict)
    rulesets: dict[str, None] = field(default_factory=dict)

    def add(self, finding: RecordedFinding) -> None:
        if finding.ruleset:
            self.rulesets[finding.ruleset] = None
        if finding.test_data:
            self.test_data += 1
            return
        self.findings += 1
        self.occurrences += finding.occurrences
        self.special += finding.special
        group, system = finding.category, finding.system
        _count(self.types, (group, finding.type), finding.type, category=group).add(finding)
        _count(self.categories, group, group).add(finding)
        _count(self.systems, system, system).add(finding)
        _count(self.items, (system, finding.place), finding.place, system=system).add(finding)
        if len(self.items) > _DISTINGUISHED:
            self.items = dict(_most(self.items)[: _DISTINGUISHED // 2])

    def include(self, other: _Counts) -> None:
        self.findings += other.findings
        self.occurrences += other.occurrences
        self.special += other.special
        self.test_data += other.test_data
        self.rulesets |= other.rulesets
        _include(self.types, other.types)
        _include(self.categories, other.categories)
        _include(self.systems, other.systems)
        _include(self.items, other.items)


def _count(
    counts: dict[K, FoundCount], key: K, name: str, category: str = "", system: str = ""
) -> FoundCount:
    found = counts.get(key)
    if found is None:
        found = counts[key] = FoundCount(name, category, system)
    return found


def _include(mine: dict[K, FoundCount], theirs: dict[K, FoundCount]) -> None:
    for key, count in theirs.items():
        known = mine.setdefault(key, count)
        if known is not count:
            known.include(count)


class RunFindingsOverview(NamedTuple):
    """The counts of the findings of a run; test data is counted apart from all others."""

    findings: int
    occurrences: int
    special: int
    """The findings of special categories."""
    test_data: int
    """The findings that are test data: they are in no other number."""
    types: tuple[FoundCount, ...]
    """Special categories first, then the highest severity, then most findings."""
    categories: tuple[FoundCount, ...]
    systems: tuple[FoundCount, ...]
    """Where most was found first."""
    items: tuple[FoundCount, ...]
    """The items with most findings; at most PLACES."""
    artifacts: tuple[str, ...]
    """The artifacts that were read."""
    included: dict[str, str]
    """The artifacts of findings that are part of others: `RunFindings.included`."""
    unread: dict[str, str]
    """The artifacts whose findings are not counted, with the reason: redacted, missing, altered."""
    rulesets: tuple[str, ...]
    coverage: RunCoverage

    @property
    def searched(self) -> bool:
        """Return whether the run has findings, or could have had some."""
        return bool(self.artifacts or self.unread)

    def document(self) -> dict[str, Json]:
        """Return the overview for programs."""
        return {
            "findings": self.findings,
            "occurrences": self.occurrences,
            "special_category": self.special,
            "test_data": self.test_data,
            "by_category": [each.document() for each in self.categories],
            "by_type": [each.document() for each in self.types],
            "by_system": [each.document() for each in self.systems],
            "most": [each.document() for each in self.items],
            "artifacts": list(self.artifacts),
            "included": dict(self.included),
            "unread": dict(self.unread),
            "rulesets": list(self.rulesets),
            "coverage": self.coverage.document(),
        }


def overview(store: RunStore, record: RunRecord, *, reveal: bool = False) -> RunFindingsOverview:
    """Count the findings of a run; those of a damaged artifact are named and not counted."""
    return overview_of(RunFindings(store, record, reveal=reveal))


def overview_of(findings: RunFindings) -> RunFindingsOverview:
    """Count findings; the artifacts that prove to be damaged are named and not counted."""
    total, unread = _Counts(), dict(findings.unread)
    for each in findings.artifacts:
        if each.artifact in unread:
            continue
        counts = _Counts()
        try:
            for finding in findings.of(each.artifact):
                counts.add(finding)
        except IntegrityError as error:
            unread[each.artifact] = error.message
            continue
        total.include(counts)
    return RunFindingsOverview(
        total.findings,
        total.occurrences,
        total.special,
        total.test_data,
        gravest(total.types.values()),
        gravest(total.categories.values()),
        tuple(count for _, count in _most(total.systems)),
        tuple(count for _, count in _most(total.items)[:PLACES]),
        tuple(each.artifact for each in findings.artifacts if each.artifact not in unread),
        findings.included,
        unread,
        tuple(total.rulesets),
        coverage(findings.record),
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


def gravest(counts: Iterable[FoundCount]) -> tuple[FoundCount, ...]:
    """Return counts in order: special categories, then the severest, then the most findings."""
    return tuple(
        sorted(counts, key=lambda c: (not c.special, _rank(c.severity), -c.findings, c.name))
    )


def _most(counts: dict[K, FoundCount]) -> list[tuple[K, FoundCount]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1].findings, pair[1].name))
