"""The events that a stream delivers, each a type of its own.

They are derived from the records of the journal: an envelope (`run_id`, `seq`, `at`), and those
fields of the record that a program can use. All have `type`, `run_id`, `artifact`, `seq`, `at`,
`duration_ms` and `error`, None where one does not apply:

`seq`          the line of the record in the journal, from 1. Completion events are delivered after
               that line is durable; start events may arrive slightly earlier. Progress is not
               journaled, and has none.
`at`           the time: RFC 3339, UTC, for people only. Order is the stream's.
`duration_ms`  of one try at an artifact; at the end, of the attempt.
`error`        `{kind, message, hint}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict, assert_never

from waivern.message import Json, Message
from waivern.record import journal_events as journaled
from waivern.record.status import How, RunStatus
from waivern.runs.completed_artifact import Artifact
from waivern.runs.result import RunResult
from waivern.store.base import RunStore

Error: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """An attempt at the run begins: its first, or a resume."""

    run_id: str
    seq: int
    at: str
    artifacts: tuple[str, ...]
    """All artifacts of the run, as declared."""
    restored: tuple[str, ...]
    """The restored artifacts: earlier attempts completed them, and no event will name them."""
    attempt: int
    """From 1."""
    type: Literal["run_started"] = field(default="run_started", init=False)
    artifact: None = field(default=None, init=False)
    duration_ms: None = field(default=None, init=False)
    error: None = field(default=None, init=False)

    @property
    def kept(self) -> tuple[str, ...]:
        """The earlier name of `restored`."""
        return self.restored


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStarted:
    """A try at an artifact begins."""

    run_id: str
    artifact: str
    seq: int
    at: str
    component: str
    """`connector:<type>`, `processor:<type>`, `reuse:<run>/<artifact>`, `gate` and the like."""
    inputs: tuple[str, ...]
    type: Literal["artifact_started"] = field(default="artifact_started", init=False)
    duration_ms: None = field(default=None, init=False)
    error: None = field(default=None, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactProgress:
    """A component reports progress; of reports in quick succession only the last is delivered."""

    run_id: str
    artifact: str
    at: str
    n: int
    """Items done."""
    total: int | None
    """Items in all, if that is known."""
    size: int | None = None
    """Bytes done, if they are known."""
    total_size: int | None = None
    """Bytes in all, if they are known."""
    found: int | None = None
    """Findings so far, if the component counts them."""
    type: Literal["artifact_progress"] = field(default="artifact_progress", init=False)
    seq: None = field(default=None, init=False)
    duration_ms: None = field(default=None, init=False)
    error: None = field(default=None, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRetried:
    """A try failed; another begins after a while."""

    run_id: str
    artifact: str
    seq: int
    at: str
    duration_ms: int
    error: Error
    delay_ms: int
    """Milliseconds until the next try."""
    attempt: int
    """The number of the try that failed, from 1, within this attempt at the run."""
    max_attempts: int
    """The tries that the runbook allows: one, and its retries."""
    type: Literal["artifact_retried"] = field(default="artifact_retried", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactCompleted:
    """An artifact is published and durable."""

    run_id: str
    artifact: str
    seq: int
    at: str
    duration_ms: int
    made: Artifact
    type: Literal["artifact_completed"] = field(default="artifact_completed", init=False)
    error: None = field(default=None, init=False)

    @property
    def how(self) -> How:
        """Whether it was produced, reused from another run, or taken from the cache."""
        return self.made.how

    async def message(self) -> Message:
        """Return the artifact, read and checked now; raise what `Artifact.message` raises."""
        from anyio import to_thread

        return await to_thread.run_sync(self.made.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFailed:
    """An artifact could not be produced."""

    run_id: str
    artifact: str
    seq: int
    at: str
    duration_ms: int
    error: Error
    type: Literal["artifact_failed"] = field(default="artifact_failed", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSkipped:
    """An artifact is skipped: because of another one, or by its own condition."""

    run_id: str
    artifact: str
    seq: int
    at: str
    reason: str
    cause: str
    """The artifact that failed or was skipped before it; itself if it was decided here."""
    more_causes: tuple[str, ...] = ()
    """Further artifacts that alone would be reason enough, if there are any."""
    type: Literal["artifact_skipped"] = field(default="artifact_skipped", init=False)
    duration_ms: None = field(default=None, init=False)
    error: None = field(default=None, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSuspended:
    """An artifact waits for people, or for something outside."""

    run_id: str
    artifact: str
    seq: int
    at: str
    reason: str
    """Of a gate, its question."""
    gate: bool
    shown: tuple[str, ...]
    """Of a gate: the artifacts to decide on."""
    type: Literal["artifact_suspended"] = field(default="artifact_suspended", init=False)
    duration_ms: None = field(default=None, init=False)
    error: None = field(default=None, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The attempt is over and the run is free: the last event of every stream."""

    run_id: str
    seq: int
    at: str
    duration_ms: int
    status: RunStatus
    error: Error | None
    """`kind` is the run's reason, if it has one, else its status."""
    result: RunResult = field(repr=False)
    type: Literal["run_finished"] = field(default="run_finished", init=False)
    artifact: None = field(default=None, init=False)


RunEvent: TypeAlias = (
    RunStarted
    | ArtifactStarted
    | ArtifactProgress
    | ArtifactRetried
    | ArtifactCompleted
    | ArtifactFailed
    | ArtifactSkipped
    | ArtifactSuspended
    | RunFinished
)


class _Line(TypedDict):
    """The fields that all journaled events of an artifact have."""

    run_id: str
    artifact: str
    seq: int
    at: str


def public(store: RunStore, run_id: str, seq: int, event: journaled.Event) -> RunEvent | None:
    """Return the event that a journal record becomes; None if it is not about an artifact."""

    def line(artifact: str) -> _Line:
        return {"run_id": run_id, "artifact": artifact, "seq": seq, "at": event.at}

    match event:
        case journaled.ArtifactStartedRecord(_, name, _, component, inputs):
            return ArtifactStarted(**line(name), component=component, inputs=tuple(inputs))
        case journaled.ArtifactCompletedRecord(_, name):
            made = Artifact.of(store, run_id, event)
            return ArtifactCompleted(**line(name), duration_ms=event.duration_ms, made=made)
        case journaled.ArtifactFailedRecord(_, name, error, took):
            return ArtifactFailed(**line(name), duration_ms=took, error=error)
        case journaled.ArtifactRetriedRecord(_, name, error, took, delay, tried, most):
            return ArtifactRetried(
                **line(name),
                duration_ms=took,
                error=error,
                delay_ms=delay,
                attempt=tried,
                max_attempts=most,
            )
        case journaled.ArtifactSkippedRecord(_, name, cause, reason, more):
            return ArtifactSkipped(
                **line(name), reason=reason, cause=cause, more_causes=tuple(more)
            )
        case journaled.ArtifactSuspendedRecord(_, name, reason, gate, shown):
            return ArtifactSuspended(**line(name), reason=reason, gate=gate, shown=tuple(shown))
        case (
            journaled.RunStartedRecord()
            | journaled.AttemptStartedRecord()
            | journaled.GateDecidedRecord()
            | journaled.GateNotifiedRecord()
            | journaled.ArtifactRedactedRecord()
            | journaled.RunCancelledRecord()
            | journaled.RunAnnotatedRecord()
            | journaled.AttemptEndedRecord()
        ):
            return None
    assert_never(event)
