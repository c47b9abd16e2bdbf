"""Changing the annotations of a recorded run: its name, tags, note and pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from waivern.clock import Clock
from waivern.errors import RunLockedError
from waivern.message import Json
from waivern.record.annotations import Annotations
from waivern.record.journal_events import RunAnnotatedRecord, to_record
from waivern.runs.session import locked
from waivern.runs.variable_values import variable_values
from waivern.store.base import RunStore


def annotate(
    store: RunStore,
    run_id: str,
    change: Callable[[Annotations], Annotations],
    by: str,
    environ: Mapping[str, str],
    clock: Clock,
) -> dict[str, Json]:
    """Change the annotations of a run, and return them as they are recorded.

    The values of variables that the run used are replaced by their names. Raises UsageError if an
    annotation cannot be recorded, RunLockedError while another process works on the run.
    """
    try:
        with locked(store, run_id, "annotated") as held:
            record = held.record
            old = record.metadata.metadata
            wanted = change(Annotations.recorded(old)).checked()
            new = wanted.redacted(variable_values(store, record, environ).hide).document
            if new != old:
                event = RunAnnotatedRecord(clock.now(), by, new)
                held.lease.append([to_record(event)], sync=True)
                record.apply(event)
                state = record.state.document()
                held.lease.project(record.metadata.document(), state, sync=True)
            return new
    except RunLockedError as error:
        raise RunLockedError(
            error.message,
            hint=f"when it has ended, `wct runs tag {run_id}` can annotate it; "
            "`wct run --tag` annotates a run from its start",
        ) from error
