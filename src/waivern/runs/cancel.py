"""Asking a run to stop for good."""

from __future__ import annotations

from waivern.clock import Clock
from waivern.errors import RefusedError, RunLockedError
from waivern.record.journal_events import AttemptEndedRecord, RunCancelledRecord, to_record
from waivern.record.status import CLOSED, RunStatus
from waivern.runs import history, unjournaled
from waivern.runs.queries import fold
from waivern.runs.variable_values import without_values
from waivern.store.base import RunStore
from waivern.store.lock import this_process

DEAD = CLOSED


def cancel(store: RunStore, run_id: str, by: str, note: str | None, clock: Clock) -> bool:
    """Ask a live run to stop, or close one that is not running; return whether that is done.

    A live run journals who asked when it sees the request, within a fraction of a second, and ends
    when what runs has finished. Raises RefusedError if the run has ended.
    """
    unjournaled.refuse(store, run_id, "cancelled")
    note = without_values(store, run_id, note)
    try:
        lease = store.lock(run_id, this_process())
    except RunLockedError:
        store.request(run_id, "cancel", {"at": clock.now(), "by": by, "note": note})
        return False
    try:
        _, record = fold(store, run_id)
        if record.metadata.redacted:
            from waivern.runs import redaction  # few runs are redacted

            redaction.finish(store, lease, record)
        status = record.metadata.status
        if status in DEAD and not record.attempt_open:
            hint = f"`wct inspect {run_id}` shows its artifacts"
            raise RefusedError(f"run {run_id} is {status}; there is nothing to cancel", hint=hint)
        events: list[RunCancelledRecord | AttemptEndedRecord] = [
            RunCancelledRecord(clock.now(), by, note)
        ]
        if record.attempt_open:
            events.append(
                AttemptEndedRecord(clock.now(), str(RunStatus.CANCELLED), "cancel", None, 0)
            )
        lease.sweep(name for name, step in record.steps.items() if step.completed is None)
        lease.append(map(to_record, events), sync=True)
        for event in events:
            record.apply(event)
        lease.project(record.metadata.document(), record.state.document(), sync=True)
        history.catch_up(store, store.read_journal(run_id))
    finally:
        lease.release()
    return True
