"""The protocol of exporters, and the view of a run that an exporter is given.

An exporter writes one file about a recorded run. It is an entry of the kind `exporters`: an entry
point of the group `waivern.exporters`, or a file in a component folder of the project with a
variable `exporter`. `wct run --export` and `wct export` find it by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import IO, Any, Protocol, runtime_checkable

from pydantic import BaseModel

from waivern.errors import IntegrityError, WaivernError
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.fold import RunRecord
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import RunStatus
from waivern.runs import queries
from waivern.runs.baseline import Baseline
from waivern.runs.finding_reviews import FindingReview, FindingReviews
from waivern.runs.findings_comparison import FindingOutcome, FindingsComparison
from waivern.runs.findings_overview import RunFindingsOverview, overview_of
from waivern.runs.recorded_findings import RecordedFinding, RunFindings
from waivern.store.base import RunStore
from waivern.store.store_values import Journal


@dataclass(frozen=True)
class ExportedRun:
    """One recorded run at one moment, as an exporter reads it. Nothing in it may be changed.

    The journal is read once: record, coverage and head agree, also of a run that is running.
    """

    store: RunStore
    record: RunRecord
    """The fold of the journal: steps, inputs, aliases, decisions."""
    journal: Journal | None
    """The checked lines; None for a run in the first form, which no journal vouches for."""
    baseline: Baseline | None = None
    """The earlier findings that those of the run are compared with."""
    reviews: FindingReviews | None = None
    """What people have decided about single findings."""

    @property
    def metadata(self) -> RunMetadata:
        """The head of the run, as `run.json` has it."""
        return self.record.metadata

    @property
    def run_id(self) -> str:
        return self.metadata.run_id

    @property
    def running(self) -> bool:
        """Whether a process is working on the run: what is exported is not its result."""
        return self.metadata.status is RunStatus.RUNNING

    @cached_property
    def coverage(self) -> RunCoverage:
        """How much of the sources was examined, and what was not."""
        return coverage(self.record)

    @cached_property
    def findings(self) -> RunFindings:
        """The findings, read from the store each time they are iterated: hold one at a time."""
        return RunFindings(self.store, self.record)

    @cached_property
    def overview(self) -> RunFindingsOverview:
        """The counts of the findings, and the artifacts whose findings cannot be read."""
        return overview_of(self.findings)

    @cached_property
    def comparison(self) -> FindingsComparison | None:
        """The comparison with the baseline; None if there is none. Raises IntegrityError."""
        return self.baseline.compared(self.store, self.findings) if self.baseline else None

    def outcome(self, finding: RecordedFinding) -> FindingOutcome | None:
        """Return whether a finding is new, moved or unchanged; None if there is no baseline."""
        return self.comparison.outcome_of(finding) if self.comparison else None

    def review(self, finding: RecordedFinding) -> FindingReview | None:
        """Return what people have decided about a finding; None if nothing holds today."""
        found = self.reviews.of(finding) if self.reviews else None
        return found if found and self.reviews and self.reviews.holds(found) else None

    def accepted(self, finding: RecordedFinding) -> bool:
        """Return whether people have accepted a finding until a day that is not over."""
        review = self.review(finding)
        return review is not None and review.decision == "accepted"

    @property
    def head(self) -> str | None:
        """The hash of the journal's last line; None if there is no journal."""
        return self.journal.lines[-1].hash if self.journal and self.journal.lines else None

    @cached_property
    def runbook(self) -> bytes | None:
        """The bytes of the runbook that the last attempt ran; None if the run has lost them."""
        try:
            return self.store.read_runbook(self.run_id, self.metadata.runbook_hash)
        except WaivernError:
            return None

    @cached_property
    def children(self) -> Mapping[str, bytes]:
        """The bytes of each child runbook that the run still has, by path."""
        found = {}
        for child in self.metadata.children:
            try:
                data = self.store.read_child(self.run_id, child["path"], child["sha256"])
            except WaivernError:
                continue
            found[child["path"]] = data
        return MappingProxyType(found)


@runtime_checkable
class Exporter(Protocol):
    """A format that runs are exported to.

    The class docstring begins with a line that describes the format: `wct exporters` lists it.
    """

    name: str
    version: str
    file_name: str
    """The file that `--export FORMAT` without a path writes, in the current folder; `-` is stdout.
    It must not be the name that another format uses."""

    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - implementations have a class here
        """The model of the options, which `--export-option FORMAT.NAME=VALUE` sets.

        Unknown options are refused. VALUE is text; pydantic converts it to the type of the option.
        """
        ...

    def export(self, run: ExportedRun, config: Any, out: IO[bytes]) -> Iterable[str] | None:
        """Write the run to `out`, and return notes for the user, such as what was left out.

        `out` is an empty file that can be sought and read. It takes its final name only when
        `export` has returned: an exception leaves no file. The text of a WaivernError is shown
        unchanged. What was not examined must be said in the format itself: "no findings" and "not
        read" must never look alike. A run may have a million findings: hold one at a time.
        """
        ...


def exported_run(
    store: RunStore,
    run_id: str,
    baseline: Baseline | None = None,
    reviews: FindingReviews | None = None,
) -> ExportedRun:
    """Return the view of a run. Raises RunNotFoundError, and IntegrityError if it is damaged."""
    read: list[Journal] = []

    def folded() -> RunRecord:
        journal, record = queries.fold(store, run_id)
        read.append(journal)
        return record

    record = queries.load(store, run_id, folded)
    if record.metadata.run_id != run_id:
        raise IntegrityError(f"the records of run {run_id} are those of another run")
    return ExportedRun(store, record, read[0] if read else None, baseline, reviews)
