"""The facts that a report shows, read from the store once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from waivern.errors import RefusedError, WaivernError
from waivern.pictures.artifact_graph import DrawnGraph, graph_of_run
from waivern.pictures.timeline import Timeline, timeline
from waivern.record.annotations import Annotations
from waivern.record.coverage import RunCoverage
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import short
from waivern.report.report_findings import ReportFindings, report_findings
from waivern.runs.exporter import ExportedRun
from waivern.runs.finding_reviews import FindingReviews
from waivern.runs.listing import RunListing
from waivern.runs.next_command import NextCommands
from waivern.runs.previous_run import previous_run
from waivern.runs.queries import load
from waivern.runs.recorded_texts import of_run
from waivern.runs.run_comparison import RunComparison, compare_runs
from waivern.runs.trust import is_foreign

MOST_ARTIFACTS = 5_000
"""The artifacts of a run whose graph is drawn: of more, grouping takes too long."""
MOST_BOXES = 300
"""The boxes of the graph in a report; of a larger graph, the command that draws it is shown."""


MOST_COMPARED = 300_000
"""The findings of a run that is compared with another one: comparing more takes a gigabyte."""


class ReportFacts(NamedTuple):
    """Everything that a report shows."""

    record: RunRecord
    findings: ReportFindings
    graph: DrawnGraph | None
    """None: there is too little or too much to draw."""
    timeline: Timeline
    texts: Mapping[str, str]
    annotations: Annotations
    lines: int
    """Of the journal; 0 if there is none."""
    head: str
    """The hash of its last line; empty if there is none."""
    foreign: bool
    reviews: FindingReviews | None
    previous: RunComparison | None = None
    """The comparison with the previous completed run of the runbook; None: there is none."""
    incomparable: str = ""
    """Why the previous run is not compared, if there is one."""

    @property
    def coverage(self) -> RunCoverage:
        return self.findings.overview.coverage

    @property
    def name(self) -> str:
        """The reference to the run in commands."""
        return short(self.record.metadata.run_id)

    @property
    def commands(self) -> NextCommands:
        """The commands that are useful next, for a reader who has the store."""
        return NextCommands(self.record, ["wct", "runs", "resume", self.name])

    def steps(self, status: ArtifactStatus) -> list[StepRecord]:
        """Return the steps with a status, in the order of the runbook."""
        return [step for step in self.record.steps.values() if step.status is status]

    @property
    def waiting(self) -> dict[str, str]:
        """The artifacts that a suspended run waits for, each with the question or the reason."""
        if self.record.metadata.status is not RunStatus.SUSPENDED:
            return {}
        steps = self.steps(ArtifactStatus.SUSPENDED)
        return {step.artifact: str((step.error or {}).get("message") or "") for step in steps}


def report_facts(run: ExportedRun) -> ReportFacts:
    """Return the facts of a report on a run. Raises IntegrityError."""
    store, record = run.store, run.record
    facts = ReportFacts(
        record,
        report_findings(run.findings, run.reviews),
        _graph(record),
        timeline(record),
        of_run(store, record),
        Annotations.recorded(record.metadata.metadata),
        len(run.journal.lines) if run.journal else 0,
        run.head or "",
        bool(record.store) and is_foreign(record, store),
        run.reviews,
    )
    if facts.findings.overview.findings > MOST_COMPARED:
        most = f"{MOST_COMPARED:,}"
        return facts._replace(incomparable=f"it has more than {most} findings: see `wct diff`")
    try:
        previous = _previous(run)
    except WaivernError as error:
        return facts._replace(incomparable=error.message)
    if previous is not None and any(previous.unread):  # what is not read would look new or resolved
        return facts._replace(incomparable="; ".join(previous.notes))
    return facts._replace(previous=previous)


def _previous(run: ExportedRun) -> RunComparison | None:
    """Return the comparison with the baseline, or else with the previous run of the runbook.

    Raises WaivernError if it cannot be read.
    """
    store, record, completed = run.store, run.record, RunStatus.COMPLETED
    if run.baseline is not None:
        earlier = run.baseline.record
        if earlier is None:
            raise RefusedError("the baseline is a file, which has findings only: see `wct diff`")
        return compare_runs(store, earlier, record)
    if record.metadata.status is not completed:
        return None  # what was not reached would look resolved
    found = previous_run(RunListing(store), record.metadata, status=completed)
    return compare_runs(store, load(store, found.run_id), record) if found else None


def _graph(record: RunRecord) -> DrawnGraph | None:
    if not 1 < len(record.steps) <= MOST_ARTIFACTS:
        return None
    drawn = graph_of_run(record).drawn()
    return drawn if len(drawn.boxes) <= MOST_BOXES else None
