"""Statistics of recorded runs: durations, failures, slowest artifacts and what copies saved.

Counts and durations of runs come from the history. Artifacts are only in the journals, of which
the newest are read: at most JOURNALS, and no more once they had EVENTS lines.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from statistics import median_low
from typing import Literal, NamedTuple, TypeAlias

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.run_summary import RESULTS, RunSummary
from waivern.record.status import ArtifactStatus, How
from waivern.runs import queries
from waivern.store.base import RunStore

JOURNALS = 200
EVENTS = 200_000
SLOWEST = 5
"""The artifacts that are named for each runbook."""
By: TypeAlias = Literal["day", "week", "month"]


class RunTotals(NamedTuple):
    """The counts of several runs, and how long those that completed took."""

    runs: int
    success: int
    failed: int
    stopped: int
    failure_rate: float | None
    """The part of the runs that ended in success or failure which failed; None without such."""
    median_ms: int | None
    p95_ms: int | None

    @classmethod
    def of(cls, rows: Sequence[RunSummary]) -> RunTotals:
        """Return the totals of these runs."""
        counts = dict.fromkeys(RESULTS, 0)
        for row in rows:
            counts[str(row.result)] += 1
        decided = counts["success"] + counts["failed"]
        rate = round(counts["failed"] / decided, 4) if decided else None
        took = sorted(row.duration_ms for row in rows if row.result == "success")
        middle = median_low(took) if took else None
        high = took[max(0, -(-len(took) * 95 // 100) - 1)] if took else None
        return cls(len(rows), **counts, failure_rate=rate, median_ms=middle, p95_ms=high)


@dataclass(slots=True)
class ArtifactStatistics:
    """The times of one artifact of a runbook, in the journals that were read."""

    artifact: str
    produced_ms: list[int] = field(default_factory=list)
    copied_ms: list[int] = field(default_factory=list)
    """Of results that were cached or reused."""
    failures: int = 0

    @property
    def median_ms(self) -> int | None:
        """How long it takes to produce, as a rule; None if it was never produced."""
        return median_low(self.produced_ms) if self.produced_ms else None

    @property
    def saved_ms(self) -> int:
        """The time that copies saved: what producing takes as a rule, less what they took."""
        usual = self.median_ms or 0
        return sum(max(0, usual - each) for each in self.copied_ms)

    def document(self) -> dict[str, Json]:
        """Return the statistics for programs."""
        return {
            "artifact": self.artifact,
            "produced": len(self.produced_ms),
            "copied": len(self.copied_ms),
            "failed": self.failures,
            "median_ms": self.median_ms,
            "longest_ms": max(self.produced_ms, default=None),
            "saved_ms": self.saved_ms,
        }


class RunbookStatistics(NamedTuple):
    """The statistics of the runs of one runbook."""

    runbook: str
    totals: RunTotals
    periods: dict[str, RunTotals]
    """By day, week or month in which the runs started, the oldest first."""
    artifacts: list[ArtifactStatistics]
    """All that the journals name, the slowest first."""

    @property
    def copied(self) -> int:
        """The number of results that were cached or reused."""
        return sum(len(each.copied_ms) for each in self.artifacts)

    @property
    def saved_ms(self) -> int:
        """The time that these saved."""
        return sum(each.saved_ms for each in self.artifacts)

    def document(self) -> dict[str, Json]:
        """Return the statistics for programs."""
        periods = [{"period": name, **each._asdict()} for name, each in self.periods.items()]
        return {
            "runbook": self.runbook,
            **self.totals._asdict(),
            "copied": self.copied,
            "saved_ms": self.saved_ms,
            "periods": periods,
            "slowest": [each.document() for each in self.artifacts[:SLOWEST]],
        }


class Statistics(NamedTuple):
    """The statistics of all chosen runs, the runbook with the most runs first."""

    runbooks: list[RunbookStatistics]
    by: By
    journals: int
    """How many journals were read."""


def statistics(store: RunStore, rows: Sequence[RunSummary], by: By | None = None) -> Statistics:
    """Return the statistics of rows of the history; without `by`, periods that fit their span."""
    by = by or _fitting(rows)
    groups: dict[str, list[RunSummary]] = defaultdict(list)
    for row in rows:
        groups[os.path.normpath(row.runbook or "?")].append(row)
    artifacts, read = _artifacts(store, rows)
    found = []
    for runbook, own in groups.items():
        periods: dict[str, list[RunSummary]] = defaultdict(list)
        for row in own:
            periods[_period(row, by)].append(row)
        by_period = {name: RunTotals.of(periods[name]) for name in sorted(periods)}
        slowest = sorted(artifacts[runbook].values(), key=lambda each: -(each.median_ms or 0))
        found.append(RunbookStatistics(runbook, RunTotals.of(own), by_period, slowest))
    found.sort(key=lambda each: (-each.totals.runs, each.runbook))
    return Statistics(found, by, read)


def _artifacts(
    store: RunStore, rows: Iterable[RunSummary]
) -> tuple[dict[str, dict[str, ArtifactStatistics]], int]:
    """Return the artifacts of each runbook, by id, and how many journals name them."""
    found: dict[str, dict[str, ArtifactStatistics]] = defaultdict(dict)
    present, read, lines = set(store.runs()), 0, 0
    for row in islice((row for row in rows if row.run_id in present), JOURNALS):
        if lines >= EVENTS:
            break
        try:
            record = queries.load(store, row.run_id)
        except WaivernError:  # what the history says of it is counted all the same
            continue
        read += 1
        lines += record.count
        _add(found[os.path.normpath(row.runbook or "?")], record)
    return found, read


def _add(artifacts: dict[str, ArtifactStatistics], record: RunRecord) -> None:
    for name, step in record.steps.items():
        done = step.completed
        if done is None and step.status is not ArtifactStatus.FAILED:
            continue
        known = artifacts.setdefault(name, ArtifactStatistics(name))
        if done is None:
            known.failures += 1
        elif done.component == "gate":
            continue  # how long people took
        elif done.how == How.PRODUCED:
            known.produced_ms.append(done.duration_ms)
        else:
            known.copied_ms.append(done.duration_ms)


def _fitting(rows: Sequence[RunSummary]) -> By:
    days = sorted(_day(row) for row in rows)
    span = (days[-1] - days[0]).days if days else 0
    return "day" if span < 15 else "week" if span < 120 else "month"


def _period(row: RunSummary, by: By) -> str:
    day = _day(row)
    if by == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return day.isoformat() if by == "day" else f"{day:%Y-%m}"


def _day(row: RunSummary) -> date:
    try:
        return date.fromisoformat(str(row.started_at)[:10])
    except ValueError:  # a line of another program
        return date.min
