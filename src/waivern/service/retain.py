"""Removing runs: which ones a policy names, which ones are protected, and the removal itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from waivern.errors import IntegrityError, NotFoundError, RefusedError, RunLockedError, WaivernError
from waivern.message import Json
from waivern.record.status import RunStatus
from waivern.service.read import RunRow, list_runs
from waivern.store.base import RunStore
from waivern.store.layout import PINNED
from waivern.store.lock import this_process

AT_WORK = "it is running"
GONE = "it is gone already"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which runs may go. What is not set does not spare a run; nothing set names none."""

    keep_last: int | None = None
    """The newest so many are kept."""
    older_than: timedelta | None = None
    """Younger ones are kept, and those without an age; it is that of the last sign of life."""
    statuses: frozenset[str] = frozenset()
    """Others are kept; empty: any status may go."""
    keep_failed: bool = False

    @property
    def empty(self) -> bool:
        return self.keep_last is None and self.older_than is None and not self.statuses


def doomed(rows: Iterable[RunRow], policy: Policy, now: datetime) -> list[RunRow]:
    """Return the runs that the policy names; `rows` are newest first. Pure."""
    if policy.empty:
        return []
    return [row for n, row in enumerate(rows) if _may_go(n, row, policy, now)]


def _may_go(rank: int, row: RunRow, policy: Policy, now: datetime) -> bool:
    if policy.keep_last is not None and rank < policy.keep_last:
        return False
    if policy.older_than is not None:
        age = _age(row, now)
        if age is None or age < policy.older_than:
            return False
    if policy.statuses and row.status not in policy.statuses:
        return False
    return not (policy.keep_failed and row.status == RunStatus.FAILED)


def _age(row: RunRow, now: datetime) -> timedelta | None:
    """Return how long ago the run's last sign of life was; None if that cannot be told."""
    if row.metadata is None:
        return None
    try:
        return now - datetime.fromisoformat(row.metadata.updated_at)
    except (ValueError, TypeError):  # no time, or one without a zone
        return None


def protections(rows: Iterable[RunRow], wanted: Collection[str], *, force: bool) -> dict[str, str]:
    """Return why some of the wanted runs stay: running, pinned, or reused by one that stays.

    With `force` only running ones do. Pure.
    """
    reasons: dict[str, str] = {}
    stay: list[RunRow] = []
    known = {row.run_id: row for row in rows}
    for run_id, row in known.items():
        if row.status == RunStatus.RUNNING:
            reasons[run_id] = AT_WORK
        elif row.pinned and not force:
            reasons[run_id] = "it is pinned"
        if run_id in reasons or run_id not in wanted:
            stay.append(row)
    while stay and not force:
        row = stay.pop()
        for source in row.metadata.reuses if row.metadata else []:
            if source in wanted and source in known and source not in reasons:
                reasons[source] = f"run {row.run_id} reused it"
                stay.append(known[source])
    return {run_id: reasons[run_id] for run_id in wanted if run_id in reasons}


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a wish to remove runs."""

    removed: tuple[str, ...]
    spared: Mapping[str, str]
    """Run to reason."""


def remove(
    store: RunStore, run_ids: Iterable[str], *, force: bool, dry_run: bool = False
) -> Removal:
    """Remove runs, each whole; `force` takes protected ones too, but never one that is running."""
    wanted = dict.fromkeys(run_ids)
    removed, spared = [], protections(list_runs(store), wanted, force=force)
    for run_id in wanted:
        if run_id in spared:
            continue
        try:
            if not dry_run:
                store.remove(run_id, this_process())
            removed.append(run_id)
        except RunLockedError:
            spared[run_id] = AT_WORK
        except NotFoundError:  # somebody else was quicker
            spared[run_id] = GONE
    return Removal(tuple(removed), spared)


def pin(store: RunStore, run_id: str, by: str, note: str | None, at: str) -> None:
    """Keep a run from being removed."""
    document: dict[str, Json] = {"at": at, "by": by, "note": note}
    store.pin(run_id, document)


def pinned(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return who pinned a run, when and why; None if nobody did. Raises IntegrityError."""
    if not store.pinned(run_id):
        return None
    try:
        document = json.loads(store.read_record(run_id, PINNED))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"{PINNED} of run {run_id} is not JSON", hint=f"pin it anew: `wct runs unpin {run_id}`"
        ) from error
    return document if isinstance(document, dict) else {}


def unpin(store: RunStore, run_id: str) -> bool:
    """Let a pinned run go; say whether it was pinned."""
    was = store.pinned(run_id)
    store.pin(run_id, None)
    return was


def refusal(removal: Removal) -> WaivernError | None:
    """Return the error for runs that were named and are spared, if there are any."""
    if not removal.spared:
        return None
    lines = [f"run {run_id} stays: {reason}" for run_id, reason in removal.spared.items()]
    reasons = set(removal.spared.values())
    if reasons <= {GONE}:
        hint = "`wct runs` lists the runs there are"
    elif reasons <= {AT_WORK, GONE}:
        hint = "`wct runs cancel RUN` ends one that is running"
    else:
        hint = "--force removes pinned and reused runs all the same"
    return RefusedError("\n".join(lines), hint=hint)
