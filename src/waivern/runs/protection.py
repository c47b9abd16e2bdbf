"""Runs that must not be removed, and the reason for each.

Every protection is read apart from the row of the run: a damaged record takes none of them away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from waivern.errors import IntegrityError, NotFoundError, StoreError, WaivernError
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs import queries
from waivern.runs.queries import DAMAGED, RunRow
from waivern.store.base import RunStore
from waivern.store.store_values import RecordName

AT_WORK = "it is running"
PINNED = "it is pinned"
WAITS = "it waits for a decision"
DECIDED = "it holds a decision that the run has not used yet"
OPEN = (ArtifactStatus.SUSPENDED, ArtifactStatus.NOT_STARTED)
SETTLED = (RunStatus.COMPLETED, RunStatus.CANCELLED)
"""A run of these statuses waits for nothing, whatever was decided in it."""


def protections(
    store: RunStore, rows: Iterable[RunRow], wanted: Collection[str], *, force: bool
) -> dict[str, str]:
    """Return why some of the wanted runs stay; `rows` are all runs there are.

    A run stays that is running, pinned, waits for a decision or holds one, cannot be read, or was
    reused by a run that stays. With `force` only running ones do.
    """
    known = {row.run_id: row for row in rows}
    reasons: dict[str, str] = {}
    for run_id in wanted:
        row = known.get(run_id)
        if row and (reason := protection(store, row, force=force)):
            reasons[run_id] = reason
    if force:
        return reasons
    stay = [row for row in known.values() if row.run_id not in wanted or row.run_id in reasons]
    while stay:
        row = stay.pop()
        for source, reason in _reused(store, row, wanted):
            if source in known and source not in reasons:
                reasons[source] = reason
                stay.append(known[source])
    return {run_id: reasons[run_id] for run_id in wanted if run_id in reasons}


def protection(store: RunStore, row: RunRow, *, force: bool) -> str | None:
    """Return why a run stays, as far as that depends on the run itself; None if it may go."""
    if row.status == RunStatus.RUNNING:
        return AT_WORK
    if force:
        return None
    if row.pinned or _maybe_pinned(store, row.run_id):
        return PINNED
    if row.status in DAMAGED:
        return f"it cannot be read: {row.fault}"
    if row.status in SETTLED:
        return None
    if row.status == RunStatus.SUSPENDED or row.counts.get("suspended"):
        return WAITS
    return DECIDED if _holds_a_decision(store, row.run_id) else None


def _maybe_pinned(store: RunStore, run_id: str) -> bool:
    """Report whether a run is pinned; one whose pin cannot be looked for counts as pinned."""
    try:
        return store.pinned(run_id)
    except (NotFoundError, IntegrityError):  # no run, or no records: nothing can be pinned there
        return False
    except StoreError:
        return True


def _holds_a_decision(store: RunStore, run_id: str) -> bool:
    """Return whether people decided on a gate that has not ended since."""
    try:
        _, record = queries.fold(store, run_id)
    except NotFoundError:  # it is gone
        return False
    except WaivernError:
        text = _records(store, run_id)
        return text is None or b'"gate_decided"' in text
    gates = (record.steps[name] for name in record.decisions if name in record.steps)
    return any(step.status in OPEN for step in gates)


def _reused(store: RunStore, row: RunRow, wanted: Collection[str]) -> Iterable[tuple[str, str]]:
    """Yield the wanted runs that a run reused, each with the reason for it to stay."""
    if row.metadata is not None:
        for source in row.metadata.reuses:
            if source in wanted:
                yield source, f"run {row.run_id} reused it"
        return
    text = _records(store, row.run_id)
    for source in wanted:
        if source == row.run_id:
            continue
        if text is None:
            yield source, f"run {row.run_id}, which cannot be read, may have reused it"
        elif f'"{source}"'.encode() in text:
            yield source, f"run {row.run_id}, which cannot be read, names it"


def _records(store: RunStore, run_id: str) -> bytes | None:
    """Return what can be read of a damaged run's records; None if they are there but closed."""
    found: list[bytes] = []
    closed = False
    names: tuple[RecordName, ...] = ("run", "journal")
    for name in names:
        try:
            found.append(store.read_record(run_id, name))
        except NotFoundError:
            continue
        except (IntegrityError, StoreError) as error:
            closed = closed or isinstance(error, StoreError)
    return b"\n".join(found) if found or not closed else None
