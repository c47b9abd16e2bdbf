"""Changing the annotations of a recorded run: its name, tags, note and pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from waivern.clock import Clock
from waivern.errors import RunLockedError
from waivern.language import template
from waivern.language.secrets import Secrets
from waivern.message import Json
from waivern.record.annotations import Annotations
from waivern.record.fold import RunRecord
from waivern.record.journal_events import RunAnnotatedRecord, to_record
from waivern.runs import recorded_runbooks
from waivern.runs.session import locked
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
            new = wanted.redacted(_secrets(store, record, environ).hide).document
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


def _secrets(store: RunStore, record: RunRecord, environ: Mapping[str, str]) -> Secrets:
    """Return the variables that the run used, as far as they are set now."""
    named = template.names(dict(record.project))
    return Secrets({*recorded_runbooks.placeholders(store, record), *named}, environ)
