"""The events of a run as lines of its progress: for people, and as JSON for programs."""

from __future__ import annotations

import json
from typing import Literal, TypeAlias, assert_never

from waivern.cli.ui.progress_state import ProgressLine, ProgressState
from waivern.message import Json
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRedactedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    GateDecidedRecord,
    GateNotifiedRecord,
    RunAnnotatedRecord,
    RunCancelledRecord,
    RunStartedRecord,
    to_record,
)
from waivern.record.text_forms import clean, counted, duration, taken

LogFormat: TypeAlias = Literal["text", "json"]
_FIELDS: dict[str, tuple[str, ...]] = {
    "artifact_started": ("component", "inputs"),
    "artifact_completed": ("component", "how", "duration_ms", "schema", "size", "digest"),
    "artifact_failed": ("error", "duration_ms"),
    "artifact_retried": ("error", "duration_ms", "attempt", "max_attempts", "delay_ms"),
    "artifact_skipped": ("reason", "cause"),
    "artifact_suspended": ("reason", "gate"),
    "gate_notified": ("by", "error"),
    "attempt_ended": ("status", "reason", "error", "duration_ms"),
}
"""The fields of each event for programs, beside `at`, `type`, `seq` and `artifact`."""


def event_line(seq: int, event: Event, state: ProgressState) -> ProgressLine | None:
    """Return the line of an event; None for one that is not shown."""
    match event:
        case ArtifactStartedRecord():
            status = "started"
            text = f"{event.artifact}  {event.component.partition(':')[2]}"
        case ArtifactCompletedRecord():
            status = "completed" if event.how == "produced" else event.how
            beside = taken(event) or duration(event.duration_ms)
            text = f"{event.artifact}  {beside}{_found(event.artifact, state)}"
        case ArtifactFailedRecord():
            status, text = "failed", f"{event.artifact}  {_error(event.error)}"
        case ArtifactRetriedRecord():
            after = f"try {event.attempt} of {event.max_attempts}, next in "
            after += duration(event.delay_ms)
            status, text = "retried", f"{event.artifact}  {after}  {_error(event.error)}"
        case ArtifactSkippedRecord():
            status, text = "skipped", f"{event.artifact}  {event.reason}"
        case ArtifactSuspendedRecord():
            what = "asks" if event.gate else "waits"
            status, text = "suspended", f"{event.artifact}  {what}: {event.reason}"
        case GateNotifiedRecord():
            how = "people were not notified" if event.error else "people were notified"
            status, text = "notified", f"{event.artifact}  {how} by {event.by}"
        case AttemptEndedRecord():
            return ProgressLine("ended", "", _document(seq, event, state))
        case (
            RunStartedRecord()
            | AttemptStartedRecord()
            | GateDecidedRecord()
            | ArtifactRedactedRecord()
            | RunCancelledRecord()
            | RunAnnotatedRecord()
        ):
            return None
        case _:
            assert_never(event)
    return ProgressLine(status, clean(text), _document(seq, event, state))


def _error(error: dict[str, Json]) -> str:
    return f"{error.get('kind')}: {error.get('message')}"


def _found(artifact: str, state: ProgressState) -> str:
    """Return the number of findings of an artifact that has reported it."""
    work = state.artifacts.get(artifact)
    found = work.progress.found if work and work.progress else None
    return "" if found is None else f"  {counted(found, 'finding')}"


def _document(seq: int, event: Event, state: ProgressState) -> dict[str, Json]:
    if not state.for_programs:
        return {}
    record = to_record(event)
    kind = record["type"]
    head = {"at": event.at, "type": kind, "run_id": state.run_id, "seq": seq}
    if "artifact" in record:
        head["artifact"] = record["artifact"]
    return head | {name: record[name] for name in _FIELDS[kind]}


def plain_text(line: ProgressLine) -> str:
    """Return a line for a pipe: the status in a column, except for sentences and output."""
    return line.text if line.status in ("run", "output") else f"{line.status:9}  {line.text}"


def json_text(line: ProgressLine) -> str:
    """Return a line as one JSON object."""
    return json.dumps(line.document, ensure_ascii=False)
