"""The most severe findings of a run, for formats whose readers accept only so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_findings import SEVERITIES, RecordedFinding


class MostSevere:
    """At most `most` findings: special categories first, then by severity.

    Accepted ones follow, test data comes last.
    """

    def __init__(self, run: ExportedRun, most: int) -> None:
        self._run = run
        counts = Counter(map(self._rank, run.findings))
        self.total = counts.total()
        self._room: dict[int, int] = {}
        left = most
        for rank in sorted(counts):
            self._room[rank] = min(counts[rank], left)
            left -= self._room[rank]

    @property
    def left_out(self) -> int:
        """The number of findings that are not among them."""
        return self.total - sum(self._room.values())

    def __iter__(self) -> Iterator[RecordedFinding]:
        """Yield them in their recorded order; the run is read a second time."""
        room = dict(self._room)
        for finding in self._run.findings:
            rank = self._rank(finding)
            if room.get(rank, 0) > 0:
                room[rank] -= 1
                yield finding

    def _rank(self, finding: RecordedFinding) -> int:
        known = finding.severity in SEVERITIES
        severity = SEVERITIES.index(finding.severity) if known else len(SEVERITIES)
        rank = severity + (0 if finding.special else 10)
        return rank + 100 * self._run.accepted(finding) + 1000 * finding.test_data
