"""The page of a run: how it stands, what failed and what to do, then everything about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.pictures.artifact_graph import URGENT, recorded_needs
from waivern.plugins.tally import Progress
from waivern.record.annotations import Annotations
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactSuspendedRecord, GateDecidedRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord, ordered
from waivern.record.wording import assumption, headline, sample, sentence
from waivern.runs.next_command import NextCommands
from waivern.runs.record_cache import RecordCache
from waivern.runs.recorded_findings import RunFindings
from waivern.runs.recorded_texts import of_run
from waivern.server.pages.graph_picture import Picture, picture
from waivern.server.run_operations import progress_of
from waivern.store.base import RunStore

FAILURES = 20
"""The failures that are explained; the table lists all of them."""
LOG_LINES = 15
"""The last lines of a failed artifact's log that are shown beside the failure."""
STEPS = 100
"""The rows of one page of the table of artifacts."""
FINDINGS = "personal_data_findings"
"""The schema of artifacts whose findings are summarised."""
SUMMARIES = 6
"""The artifacts whose findings are summarised."""
SAMPLES = 10


class FailedStep(NamedTuple):
    """A failure with what explains it."""

    step: StepRecord
    kind: str
    message: str
    hint: str | None
    log: list[str]
    earlier: int
    """The lines of the log that precede those in `log`."""


class GateView(NamedTuple):
    """An artifact that waits, with what a person decides on."""

    step: StepRecord
    question: str
    shown: dict[str, str]
    """The artifacts to decide on, each with the digest of its file."""
    asked: str
    decisions: list[GateDecidedRecord]
    command: str | None


class StepRow(NamedTuple):
    """A row of the table of artifacts, with its bar in the timeline of the last attempt."""

    step: StepRecord
    status: str
    """`reused` and `cached` in place of `completed`."""
    inputs: list[str]
    progress: Progress | None
    """Of an artifact that is being produced, if it reports any."""
    start: float | None
    """Where the bar begins, and how wide it is, of 1000; None: it did not run in the attempt."""
    width: float


class FindingsOverview(NamedTuple):
    """The counts of one artifact's findings."""

    artifact: str
    findings: int
    occurrences: int
    by_type: list[tuple[str, int]]


class RunView(NamedTuple):
    """Everything that the page of a run shows."""

    record: RunRecord
    annotations: Annotations
    texts: Mapping[str, str]
    counts: dict[str, int]
    failures: list[FailedStep]
    more_failures: int
    gates: list[GateView]
    coverage: RunCoverage
    coverage_text: str
    samples: list[str]
    sample_note: str
    findings: list[FindingsOverview]
    picture: Picture | None
    rows: list[StepRow]
    row_count: int
    commands: NextCommands
    journal: dict[str, Json]
    """`{count, head}` of the journal at its last sync."""


def run_view(
    records: RecordCache,
    run_id: str,
    opened: list[str],
    status: str | None = None,
    start: int = 0,
) -> RunView:
    """Return the view of a run. Raises what `queries.load` raises."""
    store, record = records.store, records.load(run_id)
    covered = coverage(record)
    failed = [s for s in record.steps.values() if s.status is ArtifactStatus.FAILED]
    chosen = [
        step for step in ordered(record.steps.values()) if status in (None, "", str(step.status))
    ]
    commands = NextCommands.anywhere(record, store.url)
    samples = [sample(each) for each in covered.samples[:SAMPLES]]
    bounded = any(each.at_most is not None for each in covered.samples[:SAMPLES])
    counts = {str(each): 0 for each in URGENT}
    for step in record.steps.values():
        counts[step.status] += 1
    return RunView(
        record=record,
        annotations=Annotations.recorded(record.metadata.metadata),
        texts=of_run(store, record),
        counts={name: count for name, count in counts.items() if count},
        failures=[_failure(store, record, step) for step in failed[:FAILURES]],
        more_failures=max(0, len(failed) - FAILURES),
        gates=_gates(record, commands),
        coverage=covered,
        coverage_text=f"{headline(covered)}: {sentence(covered)}" if covered.sources else "",
        samples=samples,
        sample_note=assumption() if bounded else "",
        findings=_findings(store, record),
        picture=picture(record, opened),
        rows=_rows(record, chosen[start : start + STEPS], _progress(store, record)),
        row_count=len(chosen),
        commands=commands,
        journal=_journal(store, record),
    )


def _failure(store: RunStore, record: RunRecord, step: StepRecord) -> FailedStep:
    error = step.error or {}
    lines: list[str] = []
    if step.artifact not in record.sensitive:
        try:
            lines = store.read_log(step.run_id, step.artifact).rstrip().split("\n")
        except WaivernError as problem:
            lines = [f"(the log cannot be read: {problem.message})"]
    shown = [line for line in lines[-LOG_LINES:] if line]
    hint = error.get("hint")
    return FailedStep(
        step,
        str(error.get("kind")),
        str(error.get("message")),
        str(hint) if hint else None,
        shown,
        max(0, len(lines) - LOG_LINES),
    )


def _gates(record: RunRecord, commands: NextCommands) -> list[GateView]:
    if record.metadata.status is not RunStatus.SUSPENDED:
        return []
    found = []
    for name, step in record.steps.items():
        if step.status is not ArtifactStatus.SUSPENDED:
            continue
        events = record.decisions.get(name, []) if step.gate else []
        asked = [each for each in events if isinstance(each, ArtifactSuspendedRecord)]
        last = asked[-1] if asked else None
        decided = [each for each in events if isinstance(each, GateDecidedRecord)]
        counting = [d for d in decided if last and (d.shown, d.asked) == (last.shown, last.asked)]
        question = last.reason if last else str((step.error or {}).get("message"))
        found.append(
            GateView(
                step,
                question,
                last.shown if last else {},
                last.asked if last else "",
                counting,
                commands.decisions.get(name),
            )
        )
    return found


def _findings(store: RunStore, record: RunRecord) -> list[FindingsOverview]:
    """Return the recorded counts of the findings that no other artifact includes."""
    recorded = RunFindings(store, record)
    found = []
    for each in [each for each in recorded.artifacts if each.unread is None][:SUMMARIES]:
        try:
            message = recorded.message(each.artifact)
        except WaivernError:
            continue  # its own page says what is wrong with it
        content = message.content if message else None
        summary = content.get("summary") if isinstance(content, dict) else None
        if isinstance(summary, dict):
            found.append(_summary(each.artifact, summary))
    return found


def _summary(artifact: str, summary: Mapping[str, Json]) -> FindingsOverview:
    by_type = summary.get("by_type")
    counts = [
        (str(name), count)
        for name, count in (by_type.items() if isinstance(by_type, dict) else ())
        if isinstance(count, int)
    ]
    counts.sort(key=lambda pair: -pair[1])
    total, places = summary.get("findings"), summary.get("occurrences")
    return FindingsOverview(
        artifact,
        total if isinstance(total, int) else 0,
        places if isinstance(places, int) else 0,
        counts,
    )


def _progress(store: RunStore, record: RunRecord) -> dict[str, Progress]:
    """Return the last progress of the artifacts of a live run."""
    if record.metadata.status is not RunStatus.RUNNING:
        return {}
    document = progress_of(store, record.metadata.run_id) or {}
    found = document.get("artifacts")
    return {
        str(name): Progress(each["n"], *(each.get(field) for field in Progress._fields[1:]))
        for name, each in (found.items() if isinstance(found, dict) else ())
        if isinstance(each, dict) and isinstance(each.get("n"), int)
    }


def _rows(
    record: RunRecord, steps: list[StepRecord], progress: Mapping[str, Progress]
) -> list[StepRow]:
    run = record.metadata
    begin = _seconds(str(run.attempts[-1].get("started_at"))) if run.attempts else None
    ran = [record.steps[name] for name in record.executed if name in record.steps]
    ends = [at + (s.duration_ms or 0) / 1000 for s in ran if (at := _seconds(s.started_at))]
    whole = max(ends, default=0.0) - (begin or 0.0)
    rows = []
    for step in steps:
        status = step.completed.how if step.completed else str(step.status)
        at = _seconds(step.started_at) if step.artifact in record.executed else None
        start = width = None
        if at is not None and begin is not None and whole > 0:
            start = min(1000.0, max(0.0, 1000 * (at - begin) / whole))
            width = max(4.0, (step.duration_ms or 0) / whole)
        if status == "produced":
            status = str(step.status)
        inputs = [*recorded_needs(record, step.artifact)]
        now = progress.get(step.artifact)
        rows.append(StepRow(step, status, inputs, now, start, width or 0.0))
    return rows


def _seconds(at: str | None) -> float | None:
    try:
        return datetime.fromisoformat(at or "").timestamp()
    except ValueError:
        return None


def _journal(store: RunStore, record: RunRecord) -> dict[str, Json]:
    """Return `{count, head}` as the last synced `run.json` has it."""
    try:
        found = store.read_json(record.metadata.run_id, "run").get("journal")
    except WaivernError:
        return {}
    return found if record.vouched and isinstance(found, dict) else {}
