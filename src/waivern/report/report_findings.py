"""The findings that a report shows: the gravest one by one, all of them counted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.runs.finding_reviews import FindingReview, FindingReviews
from waivern.runs.findings_overview import RunFindingsOverview, overview_of
from waivern.runs.recorded_findings import SEVERITIES, RecordedFinding, RunFindings

LISTED = 1_000
"""The findings that a report lists; of more, the gravest."""


class ReportFindings(NamedTuple):
    """The findings of a run as a report shows them."""

    overview: RunFindingsOverview
    by_system: Counter[tuple[str, str]]
    """The number of findings by system and category, without test data."""
    listed: list[RecordedFinding]
    """The gravest first: special categories, then the severity, then the occurrences."""
    reviewed: list[tuple[RecordedFinding, FindingReview]]
    """The findings that people have decided about, with the decision, whether it holds or not."""
    accepted: Counter[str]
    """The findings that are accepted today, by category."""


class _Watched(RunFindings):
    """Findings that are counted and ranked while the overview reads them, so that they are read
    once; those of an artifact that proves to be damaged are dropped, as the overview drops them."""

    def __init__(self, findings: RunFindings, reviews: FindingReviews | None) -> None:
        self.__dict__.update(findings.__dict__)
        self.reviews = reviews
        self.reviewed: list[tuple[RecordedFinding, FindingReview]] = []
        self.accepted: Counter[str] = Counter()
        self.by_system: Counter[tuple[str, str]] = Counter()
        self.gravest: list[tuple[tuple[int, int, int, int], RecordedFinding]] = []
        self._number = 0

    def of(self, artifact: str) -> Iterator[RecordedFinding]:
        counted = self.by_system.copy(), self.accepted.copy()
        listed = list(self.gravest), list(self.reviewed)
        try:
            for finding in super().of(artifact):
                self._add(finding)
                yield finding
        except IntegrityError:
            self.by_system, self.accepted = counted
            self.gravest, self.reviewed = listed
            raise

    def _add(self, finding: RecordedFinding) -> None:
        if finding.test_data:
            return
        self.by_system[finding.system, finding.category] += 1
        if self.reviews and (review := self.reviews.of(finding)):
            self.reviewed.append((finding, review))
            self.accepted[finding.category] += self.reviews.suppresses(finding)
        self._number += 1
        rank = (finding.special, _severity(finding), finding.occurrences, -self._number)
        if len(self.gravest) < LISTED:
            heapq.heappush(self.gravest, (rank, finding))
        else:
            heapq.heappushpop(self.gravest, (rank, finding))


def report_findings(findings: RunFindings, reviews: FindingReviews | None) -> ReportFindings:
    """Read the findings of a run once, and return what a report shows of them."""
    watched = _Watched(findings, reviews)
    overview = overview_of(watched)
    listed = [each for _, each in sorted(watched.gravest, key=lambda pair: pair[0], reverse=True)]
    return ReportFindings(overview, watched.by_system, listed, watched.reviewed, watched.accepted)


def _severity(finding: RecordedFinding) -> int:
    rank = SEVERITIES.index(finding.severity) if finding.severity in SEVERITIES else len(SEVERITIES)
    return len(SEVERITIES) - rank
