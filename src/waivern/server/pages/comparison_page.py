"""The page that shows two runs side by side: what differs in what ran, and in what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from waivern.record.fold import RunRecord
from waivern.record.text_forms import duration
from waivern.runs.compare import Pair
from waivern.runs.findings_comparison import ComparedFinding, FindingOutcome
from waivern.runs.record_cache import RecordCache
from waivern.runs.run_comparison import ComparedFact, RunComparison, compare_runs
from waivern.server.pages.page_templates import utc

LISTED = 25
"""The findings that are listed of each outcome."""
ROWS = 200
"""The artifacts that are listed; those that differ come first."""


class ComparedFindings(NamedTuple):
    """The findings of one outcome."""

    outcome: FindingOutcome
    total: int
    listed: list[ComparedFinding]

    @property
    def label(self) -> str:
        """The outcome in words."""
        return self.outcome.replace("_", " ")


class ComparisonView(NamedTuple):
    """Two runs, the earlier one first."""

    before: RunRecord
    after: RunRecord
    facts: list[ComparedFact]
    pairs: list[Pair]
    equal: int
    more: int
    notes: list[str]
    findings: list[ComparedFindings]
    """Of each outcome that occurs."""
    changed_counts: int


def comparison_view(records: RecordCache, one: str, other: str) -> ComparisonView:
    """Return the comparison of two runs. Raises what `queries.load` raises."""
    found = [records.load(one), records.load(other)]
    before, after = sorted(found, key=lambda record: record.metadata.started_at)
    compared = compare_runs(records.store, before, after)
    different = [pair for pair in compared.pairs if pair.outcome != "equal"]
    shown = [*different, *(pair for pair in compared.pairs if pair.outcome == "equal")]
    counts = compared.findings.counts
    return ComparisonView(
        before,
        after,
        [*_facts(compared)],
        shown[:ROWS],
        len(compared.pairs) - len(different),
        max(0, len(shown) - ROWS),
        compared.notes,
        [
            ComparedFindings(each, counts[each], compared.findings.listed.get(each, [])[:LISTED])
            for each in FindingOutcome
            if counts[each]
        ],
        len(compared.findings.changed_counts),
    )


def _facts(compared: RunComparison) -> Iterator[ComparedFact]:
    """Yield the facts of both runs; that they began at other times is no difference."""
    one, two = compared.before.metadata, compared.after.metadata
    yield ComparedFact("status", str(one.status), str(two.status))
    yield ComparedFact("started", utc(one.started_at), utc(two.started_at), expected=True)
    took = duration(one.duration_ms), duration(two.duration_ms)
    yield ComparedFact("took", *took, expected=True)
    before, after = compared.coverages
    yield ComparedFact("coverage", f"{before.percent} %", f"{after.percent} %")
    yield from compared.facts
