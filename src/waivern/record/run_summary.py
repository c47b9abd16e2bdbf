"""Lines of `runs.jsonl`: one summary of each attempt that ended."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import AttemptEndedRecord, AttemptStartedRecord, Event
from waivern.record.json_shape import misfit
from waivern.record.status import ArtifactStatus, RunStatus

RESULTS = ("success", "failed", "stopped")
CRASHED = "the process ended without recording how: it was killed, or it crashed"
REMOVED = "removed"


class RunSummary(NamedTuple):
    """The summary of an attempt; its first nine fields are a format that other programs read."""

    run_id: str
    started_at: str | None
    ended_at: str | None
    result: str | None
    """`success`, `failed` or `stopped`."""
    failure_reason: str | None
    stages_executed: list[str]
    """The artifacts that ran in this attempt, in order of starting."""
    stages_failed: list[str]
    retry_count: int
    """The number of retries of artifacts in this attempt."""
    metadata: dict[str, Json]
    status: str | None = None
    duration_ms: int = 0
    attempt: int = 0
    """The number of the attempt, from 1."""
    runbook: str | None = None
    """The path as typed, or the name of a runbook that has none."""

    @classmethod
    def of(cls, line: Mapping[str, Json]) -> "RunSummary | None":
        """Return the summary on a line of the history; None if it is none.

        A line may have only the first nine names, and names that are not ours.
        """
        known = {name: line[name] for name in cls._fields if name in line}
        if known.keys() >= REQUIRED and misfit(cls, known) is None:
            found = cls(**known)
            ended = found.started_at is not None and found.ended_at is not None
            return found if ended and found.result in RESULTS else None
        return None

    def document(self) -> dict[str, Json]:
        """Return the line as a document."""
        return self._asdict()

    def removal(self, at: str) -> dict[str, Json]:
        """Return the line that records the removal of the run, with its last result."""
        return {**self._asdict(), "event": REMOVED, "removed_at": at}


REQUIRED = frozenset(RunSummary._fields[:9])


def unknown(run_id: str) -> RunSummary:
    """Return the summary of a run without a record."""
    return RunSummary(run_id, None, None, None, None, [], [], 0, {})


def summary(record: RunRecord) -> RunSummary:
    """Return the summary of the last attempt; one without an end has crashed."""
    if not record.metadata.attempts:
        return _of_first_form(record)
    run, last = record.metadata, record.metadata.attempts[-1]
    crashed = record.attempt_open
    status = RunStatus.INTERRUPTED if crashed else RunStatus(str(last["status"]))
    ended_at = run.updated_at if crashed else str(last["ended_at"])
    reason = CRASHED if crashed else run.error or last["reason"]
    steps = [record.steps[name] for name in record.executed if name in record.steps]
    return RunSummary(
        run_id=run.run_id,
        started_at=last["started_at"],
        ended_at=ended_at,
        result=_RESULTS.get(status, "stopped"),
        failure_reason=None if status is RunStatus.COMPLETED else reason,
        stages_executed=[step.artifact for step in steps],
        stages_failed=[s.artifact for s in steps if s.status is ArtifactStatus.FAILED],
        retry_count=sum(max(0, step.tries - 1) for step in steps),
        metadata=dict(run.metadata),
        status=str(status),
        duration_ms=_between(last["started_at"], ended_at) if crashed else record.last_attempt_ms,
        attempt=len(run.attempts),
        runbook=run.runbook_path or run.runbook_name,
    )


def _of_first_form(record: RunRecord) -> RunSummary:
    """Return the summary of a run without a journal: nothing but its head and its state is known"""
    run, state = record.metadata, record.state
    return RunSummary(
        run_id=run.run_id,
        started_at=run.started_at,
        ended_at=run.updated_at,
        result=_RESULTS.get(run.status, "stopped"),
        failure_reason=run.error,
        stages_executed=sorted([*state.completed, *state.failed]),
        stages_failed=list(state.failed),
        retry_count=0,
        metadata={},
        status=str(run.status),
        duration_ms=_between(run.started_at, run.updated_at),
        runbook=run.runbook_path or run.runbook_name,
    )


_RESULTS = {RunStatus.COMPLETED: "success", RunStatus.FAILED: "failed"}


def summaries(events: Iterable[Event]) -> Iterator[RunSummary]:
    """Yield the summary of each attempt in a journal without a writer."""
    iterator = iter(events)
    record = RunRecord(next(iterator))
    for event in iterator:
        if isinstance(event, AttemptStartedRecord) and record.attempt_open:
            yield summary(record)
        record.apply(event)
        if isinstance(event, AttemptEndedRecord):
            yield summary(record)
    if record.attempt_open:
        yield summary(record)


def _between(start: Json, end: str) -> int:
    """Return the milliseconds between two times; 0 if one of them is invalid."""
    try:
        span = datetime.fromisoformat(end) - datetime.fromisoformat(str(start))
    except (TypeError, ValueError):
        return 0
    return max(0, round(span.total_seconds() * 1000))
