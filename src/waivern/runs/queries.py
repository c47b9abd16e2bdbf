"""Looking at runs: takes no lock, writes nothing, repairs nothing, never imports the engine."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    StoreError,
    WaivernError,
)
from waivern.message import Json
from waivern.record.run_metadata import NewerVersionError, RunMetadata
from waivern.record.status import RECORDED, DamagedStatus, RunStatus
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef, Journal

if TYPE_CHECKING:  # a list of runs that ended needs none of them, and must be instant
    from collections.abc import Callable

    from waivern.record.fold import RunRecord
    from waivern.record.journal_events import ArtifactCompletedRecord

CORRUPT, UNREADABLE, NEWER = DamagedStatus
DAMAGED = tuple(DamagedStatus)
"""In place of a RunStatus, for a run whose head is not known."""
COUNTED = tuple(map(str, RECORDED))


class RunRow(NamedTuple):
    """One run in a list: its head and its artifacts by status, or why it cannot be read."""

    run_id: str
    status: str
    """A RunStatus, or one of DAMAGED."""
    metadata: RunMetadata | None
    counts: dict[str, int]
    fault: str | None = None
    pinned: bool = False
    at_work: tuple[tuple[str, int], ...] = ()
    """The artifacts at work of a live run, each with its milliseconds so far."""
    volatile: bool = False
    """Whether it depends on more than the records: on the lock, or on a disk that fails."""

    def document(self) -> dict[str, Json]:
        """Return the row for programs."""
        head = self.metadata.document() if self.metadata else {}
        head |= {"run_id": self.run_id, "status": self.status}
        return head | {
            "artifacts": self.counts,
            "pinned": self.pinned,
            "fault": self.fault,
            "running": [{"artifact": n, "milliseconds": ms} for n, ms in self.at_work],
        }


def with_artifacts_at_work(store: RunStore, row: RunRow) -> RunRow:
    """Return a row with the artifacts at work, if the run is live; that takes its whole journal."""
    if row.status != RunStatus.RUNNING:
        return row
    from waivern.record.status import ArtifactStatus

    try:
        steps = load(store, row.run_id).steps.values()
    except WaivernError:
        return row  # it has just ended, or was removed
    found = [(s.artifact, s.duration_ms or 0) for s in steps if s.status is ArtifactStatus.RUNNING]
    return row._replace(at_work=tuple(sorted(found, key=lambda each: -each[1])))


ASIDE = ("run_cancelled", "gate_decided", "gate_notified", "artifact_redacted", "run_annotated")
"""Events that also occur while no attempt runs: the lock is then held for a moment only."""


def look(store: RunStore, run_id: str) -> RunRow:
    """Return one run's row. Its status is the truth at this moment, whatever `run.json` says."""
    volatile = False
    try:
        metadata = RunMetadata.from_document(store.read_json(run_id, "run"))
        refuse_copy(metadata.run_id, run_id)
        last = store.last_record(run_id) or {}
        ended = last.get("type") == "attempt_ended" and metadata.status == last["status"]
        ended |= last.get("type") == "gate_notified"  # it follows the end of an attempt
        if ended and metadata.updated_at == last["at"]:
            state = store.read_json(run_id, "state")
        else:
            volatile = True
            opened = last.get("type") not in (None, "attempt_ended", *ASIDE)
            if opened and store.owner(run_id):
                metadata = replace(metadata, status=RunStatus.RUNNING)
                metadata.duration_ms += elapsed_ms(metadata.attempts[-1]["started_at"])
                state = store.read_json(run_id, "state")
            else:  # a crash came before the end, or between the journal and its projections
                record = load(store, run_id)
                metadata, state = record.metadata, record.state.document()
                if record.attempt_open and store.owner(run_id):
                    metadata.status = RunStatus.RUNNING
                volatile = record.attempt_open
        counts = {name: len(state[name]) for name in COUNTED}
        pinned = store.pinned(run_id)
        return RunRow(run_id, metadata.status, metadata, counts, pinned=pinned, volatile=volatile)
    except (IntegrityError, ArtifactNotFoundError, StoreError, *_ODD) as error:
        status, fault = _fault(error)
        try:
            if (row := _bare(store, run_id)) is not None:
                return row
        except WaivernError as other:  # it is one without a journal, and damaged
            status, fault = _fault(other)
        volatile = volatile or status == UNREADABLE
        pinned = _pinned(store, run_id)
        return RunRow(run_id, status, None, {}, fault, pinned=pinned, volatile=volatile)


_ODD = (LookupError, TypeError, ValueError, AttributeError, MemoryError, RecursionError)
"""What reading records of any content may raise."""


def _fault(error: Exception) -> tuple[str, str]:
    """Return what a run that cannot be read is listed as, and why."""
    if isinstance(error, NewerVersionError):
        return NEWER, error.message
    if isinstance(error.__cause__, NotADirectoryError):
        return CORRUPT, "something else is in the place of a folder of its records"
    if isinstance(error, StoreError):
        code = errno.errorcode.get(getattr(error.__cause__, "errno", None) or 0)
        return UNREADABLE, f"{error.message} ({code})" if code else error.message
    if isinstance(error, WaivernError):
        return CORRUPT, error.message
    if isinstance(error, MemoryError):
        return CORRUPT, "its records need more memory than there is"
    return CORRUPT, f"state.json: {error}"


def elapsed_ms(start: Json) -> int:
    """Return the milliseconds since a moment; 0 if it is none, or in the future."""
    from datetime import datetime

    try:
        began = datetime.fromisoformat(str(start)).timestamp()
    except ValueError:
        return 0
    return max(0, round((time.time() - began) * 1000))


def _bare(store: RunStore, run_id: str) -> RunRow | None:
    """Return the row of a run in the first form, without a journal; None if it is not one.

    Raises WaivernError if it is one that cannot be read.
    """
    from waivern.runs import unjournaled

    run = unjournaled.head(store, run_id)
    if run is None:
        return None
    state = unjournaled.state(store, run_id)
    counts = {name: len(state.get(name, ())) for name in COUNTED}
    return RunRow(run_id, run.status, run, counts, unjournaled.NOTE, store.pinned(run_id))


def _pinned(store: RunStore, run_id: str) -> bool:
    """Report whether a run that cannot be read is pinned, as far as that can be seen."""
    try:
        return store.pinned(run_id)
    except WaivernError:
        return False


def damaged_head(store: RunStore, run_id: str) -> RunMetadata | None:
    """Return what one of the two records of a damaged run still says of it."""
    with suppress(WaivernError):
        return RunMetadata.from_document(store.read_json(run_id, "run"))
    with suppress(WaivernError):
        return fold(store, run_id)[1].metadata
    return None


class HasRunbook(Protocol):
    """A record with a runbook: the head of a run, or an entry of the index."""

    @property
    def runbook_name(self) -> str: ...
    @property
    def runbook_path(self) -> str | None: ...


def names(run: HasRunbook) -> tuple[str, ...]:
    """Return what people may call the runbook of a run: its name, its path, the path's stem."""
    path = run.runbook_path
    if not path:
        return (run.runbook_name,)
    name = path.rpartition("/")[2]
    return run.runbook_name, path, name.rpartition(".")[0] or name


def load(store: RunStore, run_id: str, folded: Callable[[], RunRecord] | None = None) -> RunRecord:
    """Fold a run's journal; an attempt without a live process reads as `interrupted`.

    Of a live one, artifacts in progress read as `running`, with their duration so far.

    A run in the first form, which had no journal, is what its files say: `vouched` is false.
    The fold is what `folded` returns, which stays as it is. Raises RunNotFoundError, or
    IntegrityError naming the journal line that is damaged.
    """
    owner = store.owner(run_id)  # before the journal: a run may end between the two looks
    try:
        record = folded() if folded else fold(store, run_id)[1]
    except IntegrityError:
        from waivern.runs import unjournaled

        if (run := unjournaled.head(store, run_id)) is None:
            raise
        return unjournaled.record(store, run)
    running = record.metadata.status is RunStatus.RUNNING  # once cancelled, it stays so
    if running and folded:
        record = record.copy()
    if running and owner is None and store.owner(run_id) is None:
        record.metadata.status = RunStatus.INTERRUPTED
    elif running and record.attempt_open:
        _show_as_running(record)
    return record


def _show_as_running(record: RunRecord) -> None:
    """Add the durations so far of a live run and of its artifacts in progress."""
    from waivern.record.status import ArtifactStatus

    run = record.metadata
    run.duration_ms += elapsed_ms(run.attempts[-1]["started_at"])
    for name in record.executed:
        step = record.steps.get(name)
        if step and step.status is ArtifactStatus.NOT_STARTED and step.duration_ms is None:
            step.status = ArtifactStatus.RUNNING
            step.duration_ms = elapsed_ms(step.started_at)


def fold(store: RunStore, run_id: str) -> tuple[Journal, RunRecord]:
    """Return a run's journal, and the record that it folds to.

    Raises IntegrityError if it is damaged, or is the journal of another run.
    """
    from waivern.record.fold import RunRecord
    from waivern.record.journal_events import from_record

    journal = store.read_journal(run_id)
    record = RunRecord.of(from_record(line.record) for line in journal.lines)
    refuse_copy(record.metadata.run_id, run_id)
    return journal, record


def refuse_copy(recorded: str, run_id: str) -> None:
    """Raise IntegrityError if the records of a run have another id than the run is read under."""
    if recorded != run_id:
        raise IntegrityError(
            f"the journal of run {run_id} is that of run {recorded!r}",
            hint="was the folder renamed or copied? a run is read under its own id only",
        )


def artifact(record: RunRecord, name: str) -> ArtifactCompletedRecord:
    """Return the event that completed an artifact. Raises ArtifactNotFoundError."""
    run_id = record.metadata.run_id
    step = record.steps.get(name)
    if step is None:
        known = ", ".join(sorted(record.steps)[:10])
        raise ArtifactNotFoundError(
            f"run {run_id} has no artifact '{name}'", hint=f"it has {known}"
        )
    if step.completed is None:
        raise ArtifactNotFoundError(
            f"artifact '{name}' of run {run_id} is {step.status}, not completed"
        )
    return step.completed


def content(store: RunStore, record: RunRecord, name: str) -> Json:
    """Return the content of a completed artifact, checked against the journal.

    A list that is too large to be held is a RecordStream, whose records are checked as they are
    iterated.
    """
    done = artifact(record, name)
    ref = ArtifactRef(name, done.digest, done.content_digest)
    return store.fetch(record.metadata.run_id, ref).complete_content
