"""The fold of a journal: the only place where an event changes the record of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from waivern.errors import IntegrityError, UsageError
from waivern.ids import parse_artifact_id
from waivern.message import Json
from waivern.record.coverage import RunCoverage, coverage
from waivern.record.execution_state import ExecutionState
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
)
from waivern.record.run_metadata import MOST_NAMES, RunMetadata
from waivern.record.status import CLOSED, ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord

T = TypeVar("T")
LISTED_SOURCES = 100
"""The maximal number of sources that `run.json` lists; of more, it has the summary."""
AFTERTHOUGHTS = (ArtifactRedactedRecord, RunAnnotatedRecord)
"""Events that are no sign of life: they may follow long after the run has ended."""
ASK_AGAIN = "ask-again"
"""In the options of an attempt: decisions from before it are invalidated."""


class RunRecord:
    """The record of a run: created from the first event of its journal; `apply` adds the others."""

    def __init__(self, first: Event) -> None:
        if not isinstance(first, RunStartedRecord):
            raise IntegrityError("the journal does not begin with run_started")
        self.started = first
        self.reuse = first.reuse
        self.project = first.project
        self.invalidated: dict[str, str] = {}
        """The artifacts that the current attempt invalidated, each with the reason."""
        self.steps = {name: StepRecord(name, first.run_id) for name in _ids(first.artifacts)}
        self.metadata = RunMetadata(
            run_id=first.run_id,
            runbook_path=first.runbook_path,
            runbook_name=first.runbook_name,
            runbook_version=first.runbook_version,
            runbook_hash="",
            status=RunStatus.RUNNING,
            started_at=first.at,
            updated_at=first.at,
            params=first.params,
            reuses=_sources(first.reuse),
            children=first.children,
            replay_of=first.replay_of,
            metadata=first.metadata,
        )
        self.aliases = first.aliases
        self.sensitive = frozenset(first.sensitive)
        self.sources = None if first.sources is None else frozenset(first.sources)
        """The artifacts that come from outside the run; None if the journal does not list them."""
        self.processors = first.processors or {}
        """The inputs of each artifact of a processor; empty if the journal lists none."""
        self.decisions: dict[str, list[ArtifactSuspendedRecord | GateDecidedRecord]] = {}
        """The questions and decisions of each gate, in order."""
        self.notified: dict[str, tuple[str, dict[str, str]]] = {}
        """The gates that people were notified of, with the question and the artifacts shown."""
        self.held: dict[str, int] = {}
        """The artifacts that hold content of a source, with the bytes of each."""
        self.redacted: dict[str, str] = {}
        """The artifacts whose content or evidence was destroyed, with the time of each."""
        self.last_attempt_ms = 0
        """How long the last attempt that ended took."""
        self.executed: dict[str, None] = {}
        """The artifacts that the last attempt started, in order of starting."""
        self.vouched = True
        """Whether a journal vouches for the record; otherwise it is read from editable files."""
        self.store = ""
        """The id of the store in which the last attempt began; empty if that is not recorded."""
        self.output: str | None = None
        """The folder that outputs are delivered to, absolute or relative to the base folder."""
        self.covered: tuple[int, RunCoverage] | None = None
        """The coverage at the end of the last attempt, and the value of `count` then."""
        self.count = 1
        self.next_step = 1

    @classmethod
    def of(cls, events: Iterable[Event]) -> RunRecord:
        """Fold a whole journal."""
        iterator = iter(events)
        try:
            record = cls(next(iterator))
        except StopIteration:
            raise IntegrityError("the journal is empty") from None
        for event in iterator:
            record.apply(event)
        return record

    def copy(self) -> RunRecord:
        """Return a record that `apply` can change without changing this one."""
        found = copy(self)
        found.steps = {name: step.copy() for name, step in self.steps.items()}
        found.metadata = replace(
            self.metadata, attempts=[dict(each) for each in self.metadata.attempts]
        )
        found.decisions = {name: list(events) for name, events in self.decisions.items()}
        found.notified = dict(self.notified)
        found.held, found.redacted = dict(self.held), dict(self.redacted)
        found.executed = dict(self.executed)
        return found

    @property
    def state(self) -> ExecutionState:
        """The artifacts of the plan by their current status."""
        return ExecutionState.of(self.steps.values(), self.metadata.updated_at)

    @property
    def base(self) -> str:
        """The base folder of relative paths in the last attempt."""
        return str(self._of_attempt("base") or self.started.base)

    @property
    def place(self) -> str:
        """The same folder, relative to the folder of the store; empty if it is not below that."""
        return str(self._of_attempt("place") or "")

    def _of_attempt(self, name: str) -> Json:
        attempts = self.metadata.attempts
        return attempts[-1].get(name) if attempts else None

    @property
    def attempt_open(self) -> bool:
        """Whether the end of the last attempt is missing in the journal."""
        attempts = self.metadata.attempts
        return bool(attempts) and attempts[-1]["ended_at"] is None

    def apply(self, event: Event) -> None:
        """Apply the next event of the journal."""
        self.count += 1
        take_in = _TAKEN_IN.get(type(event))
        if take_in is None:
            raise IntegrityError(f"journal line {self.count}: {type(event).__name__} out of place")
        take_in(self, event)
        if not isinstance(event, AFTERTHOUGHTS):  # or it would prolong the run's retention
            self.metadata.updated_at = event.at

    def step(self, name: str) -> StepRecord:
        """Return an artifact's step. Raises IntegrityError if the plan has no such artifact."""
        try:
            return self.steps[name]
        except KeyError:
            raise IntegrityError(
                f"journal line {self.count} speaks of artifact '{name}', which the run has not"
            ) from None


def _attempt_started(record: RunRecord, event: AttemptStartedRecord) -> None:
    run = record.metadata
    if record.attempt_open:  # the process died: its last event is the only known time
        run.attempts[-1]["ended_at"] = run.updated_at
        run.attempts[-1]["status"] = str(RunStatus.INTERRUPTED)
    record.invalidated = event.invalidated
    record.output = event.output or record.output
    _renew(record, event)
    run.status, run.completed_at, run.error = RunStatus.RUNNING, None, None
    run.cancelled_by, run.suspended_at, run.suspension_reason = None, None, None
    run.suspended_at_node = None
    run.coverage = None
    run.runbook_hash = event.runbook_hash
    record.store = event.store
    run.attempts.append(_attempt(event))
    record.executed = {}
    for name, step in record.steps.items():
        step.tries = 0
        if step.status is not ArtifactStatus.COMPLETED or name in event.invalidated:
            step.status, step.error = ArtifactStatus.NOT_STARTED, None
            step.completed, step.seq, step.redacted = None, None, None
    record.held, record.redacted = {}, {}
    run.holds, run.redacted, run.holds_count, run.holds_bytes, run.redacted_count = {}, {}, 0, 0, 0
    for step in record.steps.values():
        if step.completed is not None:
            _account(record, step)


def _account(record: RunRecord, step: StepRecord) -> None:
    """Record whether an artifact holds source content, or was redacted, after it has changed."""
    run, name = record.metadata, step.artifact
    held = step.held_bytes
    if held or name in record.held:
        run.holds_bytes += held - record.held.pop(name, 0)
        if held:
            record.held[name] = held
        run.holds, run.holds_count = _first(run.holds, name, record.held), len(record.held)
    if step.redacted or name in record.redacted:
        record.redacted.pop(name, None)
        if step.redacted:
            record.redacted[name] = step.redacted.at
        run.redacted = _first(run.redacted, name, record.redacted)
        run.redacted_count = len(record.redacted)


def _first(first: dict[str, T], name: str, named: dict[str, T]) -> dict[str, T]:
    """Return the first of `named`, of which `name` has changed; `first` was right before.

    `run.json` has them: it is written often, and must not grow without bound.
    """
    if name not in first and len(first) == MOST_NAMES:
        return first
    return dict(islice(named.items(), MOST_NAMES))


def _renew(record: RunRecord, event: AttemptStartedRecord) -> None:
    """Replace the parts that a changed runbook, or a changed child, defines."""
    run = record.metadata
    if event.artifacts is not None:
        ids = _ids(event.artifacts)
        record.steps = {name: record.steps.get(name, StepRecord(name, run.run_id)) for name in ids}
    if event.reuse is not None:
        record.reuse = event.reuse
        run.reuses = _sources(event.reuse)
    if event.project is not None:
        record.project = event.project
    if event.aliases is not None:
        record.aliases = event.aliases
    if event.sensitive is not None:
        record.sensitive = frozenset(event.sensitive)
    if event.sources is not None:
        record.sources = frozenset(event.sources)
        record.processors = event.processors or {}
    if event.children is not None:
        run.children = event.children
    if event.params is not None:
        run.params = event.params
    if ASK_AGAIN in event.forced:
        record.decisions, record.notified = {}, {}


NAMED_OUTPUT = "output"
"""In place of the component, for one of several outputs of a processor."""


def _artifact_started(record: RunRecord, event: ArtifactStartedRecord) -> None:
    step = record.step(event.artifact)
    if step.step_index is None:
        step.step_index = event.step
        record.next_step = max(record.next_step, event.step + 1)
    if step.completed:  # it is rebuilt: the completed one is invalidated
        step.status, step.completed, step.seq = ArtifactStatus.NOT_STARTED, None, None
        step.redacted = None
        _account(record, step)
    step.component, step.inputs = event.component, tuple(event.inputs)
    step.started_at, step.duration_ms = event.at, None
    step.attempts += 1
    step.tries += 1
    record.executed[event.artifact] = None


def _artifact_completed(record: RunRecord, event: ArtifactCompletedRecord) -> None:
    step = record.step(event.artifact)
    step.status, step.error = ArtifactStatus.COMPLETED, None
    step.completed, step.seq, step.redacted = event, record.count, None
    _account(record, step)
    step.inputs, step.duration_ms = tuple(event.inputs), event.duration_ms
    if step.component == NAMED_OUTPUT and len(step.inputs) == 1:
        whole = record.step(step.inputs[0])
        if event.artifact not in whole.outputs:
            whole.outputs = (*whole.outputs, event.artifact)


def _artifact_redacted(record: RunRecord, event: ArtifactRedactedRecord) -> None:
    step = record.step(event.artifact)
    if step.completed is None:
        raise IntegrityError(
            f"journal line {record.count} redacts '{event.artifact}', which is not completed"
        )
    # what was produced from it stays valid: it was produced from the content of this digest
    step.completed = step.completed._replace(size=event.size, digest=event.digest, total=None)
    step.redacted = event
    _account(record, step)


def _artifact_failed(record: RunRecord, event: ArtifactFailedRecord) -> None:
    step = record.step(event.artifact)
    step.status, step.error = ArtifactStatus.FAILED, event.error
    step.completed, step.redacted, step.duration_ms = None, None, event.duration_ms
    _account(record, step)


def _artifact_skipped(record: RunRecord, event: ArtifactSkippedRecord) -> None:
    step = record.step(event.artifact)
    step.status, step.completed, step.redacted = ArtifactStatus.SKIPPED, None, None
    _account(record, step)
    step.error = {"kind": "skipped", "message": event.reason, "cause": event.cause}
    if event.more_causes:
        step.error["more_causes"] = list(event.more_causes)


def _artifact_retried(record: RunRecord, event: ArtifactRetriedRecord) -> None:
    step = record.step(event.artifact)
    step.error, step.duration_ms = event.error, event.duration_ms


def _artifact_suspended(record: RunRecord, event: ArtifactSuspendedRecord) -> None:
    step = record.step(event.artifact)
    step.status, step.completed, step.redacted = ArtifactStatus.SUSPENDED, None, None
    _account(record, step)
    step.error = {"kind": "suspended", "message": event.reason}
    step.gate = event.gate
    if event.gate:
        record.decisions.setdefault(event.artifact, []).append(event)


def _gate_decided(record: RunRecord, event: GateDecidedRecord) -> None:
    record.step(event.artifact)
    record.decisions.setdefault(event.artifact, []).append(event)


def _gate_notified(record: RunRecord, event: GateNotifiedRecord) -> None:
    record.step(event.artifact)
    if event.error is None:
        record.notified[event.artifact] = event.asked, event.shown


def _run_cancelled(record: RunRecord, event: RunCancelledRecord) -> None:
    run = record.metadata
    run.status, run.completed_at = RunStatus.CANCELLED, event.at
    run.cancelled_by = event.by


def _run_annotated(record: RunRecord, event: RunAnnotatedRecord) -> None:
    record.metadata.metadata = event.metadata


def _attempt_ended(record: RunRecord, event: AttemptEndedRecord) -> None:
    run = record.metadata
    if not record.attempt_open:
        raise IntegrityError(f"journal line {record.count}: an attempt ends that never started")
    try:
        run.status, run.error = RunStatus(event.status), event.error
    except ValueError as error:
        raise IntegrityError(f"journal line {record.count}: {error}") from error
    run.completed_at = event.at if run.status in CLOSED else None
    if run.status is RunStatus.SUSPENDED:
        run.suspended_at, run.suspension_reason = event.at, event.reason
        run.suspended_at_node = next(
            (n for n, s in record.steps.items() if s.status is ArtifactStatus.SUSPENDED), None
        )
    run.duration_ms += event.duration_ms
    record.last_attempt_ms = event.duration_ms
    run.attempts[-1].update(ended_at=event.at, status=event.status, reason=event.reason)
    if record.sources is not None:  # `run.json` of an older version has none
        found = coverage(record)
        record.covered = (record.count, found)
        run.coverage = found.document(LISTED_SOURCES)


_TAKEN_IN: dict[type, Callable[[RunRecord, Any], None]] = {
    AttemptStartedRecord: _attempt_started,
    ArtifactStartedRecord: _artifact_started,
    ArtifactCompletedRecord: _artifact_completed,
    ArtifactRedactedRecord: _artifact_redacted,
    ArtifactFailedRecord: _artifact_failed,
    ArtifactSkippedRecord: _artifact_skipped,
    ArtifactRetriedRecord: _artifact_retried,
    ArtifactSuspendedRecord: _artifact_suspended,
    GateDecidedRecord: _gate_decided,
    GateNotifiedRecord: _gate_notified,
    RunCancelledRecord: _run_cancelled,
    RunAnnotatedRecord: _run_annotated,
    AttemptEndedRecord: _attempt_ended,
}
"""The change of the record by each kind of event."""


def _sources(reuse: dict[str, dict[str, Json]]) -> list[str]:
    return sorted({str(pin.get("run")) for pin in reuse.values()})


def _ids(names: list[str]) -> list[str]:
    """Return the ids of artifacts, checked: they are names of files in the run folder."""
    try:
        return [parse_artifact_id(name) for name in names]
    except UsageError as error:
        raise IntegrityError(
            f"the journal has an artifact that cannot be: {error.message}"
        ) from error


def _attempt(event: AttemptStartedRecord) -> dict[str, Json]:
    more: dict[str, Json] = {} if event.selected is None else {"selected": event.selected}
    if event.base:  # a run.json of an earlier version does not have it either
        more |= {"base": event.base, "place": event.place}
    if event.waivern:
        more |= {"waivern": event.waivern, "python": event.python}
    return more | {
        "started_at": event.at,
        "ended_at": None,
        "status": str(RunStatus.RUNNING),
        "reason": None,
        "host": event.owner.get("host"),
        "pid": event.owner.get("pid"),
        "runbook_hash": event.runbook_hash,
    }
