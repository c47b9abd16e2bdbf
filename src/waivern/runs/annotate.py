"""Changing the annotations of a recorded run: its name, tags, note and pairs.

The holder of the lock journals a change. A live run is asked to, by a request in a file: it does so
when it looks for requests, and the file is removed when the change is durable. A request that an
attempt left behind is granted by the next process that holds the run, before it does anything else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from secrets import token_hex

from waivern.clock import Clock
from waivern.errors import RunLockedError
from waivern.message import Json
from waivern.record.annotations import AnnotationChange, Annotations
from waivern.record.journal_events import RunAnnotatedRecord, to_record
from waivern.runs import annotation_requests, queries
from waivern.runs.session import locked
from waivern.runs.variable_values import variable_values
from waivern.store.base import RunStore

PATIENCE_S = 15.0
"""How long a request waits to be journaled. A live run looks for it several times a second."""


def annotate(
    store: RunStore,
    run_id: str,
    change: AnnotationChange,
    by: str,
    environ: Mapping[str, str],
    clock: Clock,
) -> dict[str, Json]:
    """Change the annotations of a run, and return them as they are recorded.

    The values of variables that the run used are replaced by their names. Raises UsageError if an
    annotation cannot be recorded, RunLockedError if the process that holds the run does not react:
    the change is durable by then, and the next holder journals it.
    """
    request, deadline = "", time.monotonic() + PATIENCE_S
    while True:
        try:
            return _recorded(store, run_id, None if request else change, by, environ, clock)
        except RunLockedError as error:
            request = request or _requested(store, run_id, change, by, environ, clock)
            if request not in store.requests(run_id):
                return queries.load(store, run_id).metadata.metadata
            if time.monotonic() > deadline:
                raise RunLockedError(
                    error.message,
                    hint="the change is recorded as a request, and will be in the journal when "
                    f"that process reacts or another resumes the run; `wct runs tag {run_id}` "
                    "shows the annotations",
                ) from error
        time.sleep(store.watch_s / 2)


def _recorded(
    store: RunStore,
    run_id: str,
    change: AnnotationChange | None,
    by: str,
    environ: Mapping[str, str],
    clock: Clock,
) -> dict[str, Json]:
    """Journal a change, after those that were requested before; None: only those."""
    with locked(store, run_id, "annotated") as held:
        record, lease = held.record, held.lease
        annotation_requests.grant(store, lease, record, clock)
        if change is not None:
            old = record.metadata.metadata
            wanted = change.applied(Annotations.recorded(old))
            new = wanted.redacted(variable_values(store, record, environ).hide).document
            if new != old:
                event = RunAnnotatedRecord(clock.now(), by, new)
                lease.append([to_record(event)], sync=True)
                record.apply(event)
        state = record.state.document()
        lease.project(record.metadata.document(), state, sync=True)
        return record.metadata.metadata


def _requested(
    store: RunStore,
    run_id: str,
    change: AnnotationChange,
    by: str,
    environ: Mapping[str, str],
    clock: Clock,
) -> str:
    """Leave a request to the holder of a run, durably, and return its name."""
    record = queries.load(store, run_id)
    change.applied(Annotations.recorded(record.metadata.metadata))  # refused here, not there
    change = change.redacted(variable_values(store, record, environ).hide)
    # in the order of time: they are granted in the order of their names
    name = f"{annotation_requests.PREFIX}{time.time_ns():020}-{token_hex(8)}"
    store.request(run_id, name, {"at": clock.now(), "by": by, "change": change.document})
    return name
