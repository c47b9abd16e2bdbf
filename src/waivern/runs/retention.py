"""Removing runs: which ones a policy names, what is shown before, and the removal itself."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from waivern.errors import IntegrityError, NotFoundError, RefusedError, RunLockedError, WaivernError
from waivern.message import Json
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import RunStatus
from waivern.runs import history, listing, queries, runbook_file
from waivern.runs.protection import AT_WORK, protection, protections
from waivern.runs.queries import RunRow
from waivern.runs.runbook_file import RunbookFile
from waivern.runs.variable_values import without_values
from waivern.store.base import RunStore
from waivern.store.lock import this_process

Rows: TypeAlias = Sequence[RunRow] | None
GONE = "it is gone already"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The runs that may be removed: those that match everything that is set, if anything is."""

    keep_last: int | None = None
    """The newest so many of each runbook are retained."""
    older_than: timedelta | None = None
    """Younger ones are retained, and those without an age; it is that of the last sign of life."""
    statuses: frozenset[str] = frozenset()
    """Runs of other statuses are retained; empty: any status."""
    keep_failed: bool = False
    runbooks: frozenset[str] = frozenset()
    """Runs of other runbooks are retained; empty: any runbook. A name, a path, or its stem."""

    @property
    def empty(self) -> bool:
        return self.keep_last is None and self.older_than is None and not self.statuses


def doomed(
    store: RunStore, rows: Iterable[RunRow], policy: RetentionPolicy, now: datetime
) -> list[RunRow]:
    """Return the runs that the policy names; `rows` are newest first.

    One that cannot be read is among them if nothing is known to exclude it: it is protected.
    """
    if policy.empty:
        return []
    ranks: Counter[object] = Counter()
    found = []
    for row in rows:
        file = runbook_file.of_run(store, row.metadata) if row.metadata else None
        key = file and file.key
        if _may_go(ranks[key], row, file, policy, now):
            found.append(row)
        ranks[key] += 1
    return found


def _may_go(
    rank: int, row: RunRow, file: RunbookFile | None, policy: RetentionPolicy, now: datetime
) -> bool:
    if policy.statuses and row.status not in policy.statuses:
        return False
    if policy.keep_failed and row.status == RunStatus.FAILED:
        return False
    if policy.runbooks and not (row.metadata and file and named(policy, row.metadata, file)):
        return False
    if policy.older_than is not None:
        age = age_of(row.metadata, now)
        if age is None or age < policy.older_than:
            return False
    return policy.keep_last is None or row.metadata is None or rank >= policy.keep_last


def named(policy: RetentionPolicy, run: RunMetadata, file: RunbookFile) -> bool:
    """Report whether a policy names the runbook of a run: by name, stem, or path."""
    paths = {os.path.realpath(Path(name).expanduser()) for name in policy.runbooks}
    return file.path in paths or not policy.runbooks.isdisjoint(queries.names(run))


def age_of(run: RunMetadata | None, now: datetime) -> timedelta | None:
    """Return how long ago the run's last sign of life was; None if that is not known."""
    try:
        return now - datetime.fromisoformat(run.updated_at) if run else None
    except (ValueError, TypeError):  # no time, or one without a zone
        return None


class RemovalItem(NamedTuple):
    """A run that is to be removed, as people are shown it before."""

    run_id: str
    runbook: str
    """Its path as typed, or its name; empty if neither can be read."""
    status: str
    updated_at: str
    """The last sign of life; empty if that cannot be read."""
    age: timedelta | None
    size: int | None
    """Bytes; None if that cannot be read."""
    protection: str | None
    """The reason why it is retained; None if it is removed."""

    def document(self) -> dict[str, Json]:
        """Return the item for programs."""
        age = None if self.age is None else int(self.age.total_seconds())
        return {**self._asdict(), "age": age}


def survey(
    store: RunStore, run_ids: Iterable[str], *, force: bool, now: datetime, rows: Rows = None
) -> list[RemovalItem]:
    """Return what a removal of these runs would do to each; `rows`: all runs, if they are known."""
    wanted = dict.fromkeys(run_ids)
    rows = listing.every(store) if rows is None else rows
    known = {row.run_id: row for row in rows}
    spared = protections(store, rows, wanted, force=force)
    found = []
    for run_id in wanted:
        row = known.get(run_id)
        if row is None:  # another process was faster
            found.append(RemovalItem(run_id, "", "", "", None, None, GONE))
            continue
        run = row.metadata or queries.damaged_head(store, run_id)
        path = (run.runbook_path or run.runbook_name) if run else ""
        seen, size = run.updated_at if run else "", _size(store, run_id)
        reason = spared.get(run_id)
        found.append(RemovalItem(run_id, path, row.status, seen, age_of(run, now), size, reason))
    return found


def _size(store: RunStore, run_id: str) -> int | None:
    try:
        return store.size(run_id)
    except WaivernError:
        return None


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of a request to remove runs."""

    removed: tuple[str, ...]
    spared: Mapping[str, str]
    """Run to reason."""
    warnings: tuple[str, ...] = ()


class _SparedError(Exception):
    """A run became protected after it was surveyed."""


def remove(store: RunStore, run_ids: Iterable[str], *, force: bool) -> Removal:
    """Remove runs, each whole, but none that `protections` names with these arguments."""
    wanted = dict.fromkeys(run_ids)
    removed: list[str] = []
    warnings: list[str] = []
    rows = listing.every(store)
    spared = protections(store, rows, wanted, force=force)
    for run_id in wanted:
        if run_id in spared:
            continue
        try:
            check = partial(_last_look, store, run_id, force=force)
            store.remove(run_id, this_process(), check)
            warnings += history.note_removal(store, run_id, time.time())
            removed.append(run_id)
        except RunLockedError:
            spared[run_id] = AT_WORK
        except NotFoundError:  # another process was faster
            spared[run_id] = GONE
        except _SparedError as error:
            spared[run_id] = str(error)
    return Removal(tuple(removed), spared, tuple(warnings))


def _last_look(store: RunStore, run_id: str, *, force: bool) -> None:
    """Check the run's own protections once more under its lock; complete its history."""
    row = queries.look(store, run_id)
    if row.status == RunStatus.RUNNING:  # the lock that makes it look so is ours
        row = row._replace(status=RunStatus.INTERRUPTED)
    if reason := protection(store, row, force=force):
        raise _SparedError(reason)
    with suppress(WaivernError):  # a damaged run can be removed all the same
        history.catch_up(store, store.read_journal(run_id))


def pin(store: RunStore, run_id: str, by: str, note: str | None, at: str) -> None:
    """Keep a run from being removed."""
    document: dict[str, Json] = {"at": at, "by": by, "note": without_values(store, run_id, note)}
    store.pin(run_id, document)


def pinned(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return who pinned a run, when and why; None if it is not pinned. Raises IntegrityError."""
    if not store.pinned(run_id):
        return None
    try:
        document = json.loads(store.read_record(run_id, "pin"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"the pin of run {run_id} is not JSON", hint=f"pin it again: `wct runs unpin {run_id}`"
        ) from error
    return document if isinstance(document, dict) else {}


def unpin(store: RunStore, run_id: str) -> bool:
    """Remove the pin of a run; return whether it was pinned."""
    was = store.pinned(run_id)
    store.pin(run_id, None)
    return was


def refusal(spared: Mapping[str, str]) -> WaivernError | None:
    """Return the error for named runs that stay, each with its reason; None if there are none."""
    if not spared:
        return None
    lines = [f"run {run_id} stays: {reason}" for run_id, reason in spared.items()]
    reasons = set(spared.values())
    if reasons <= {GONE}:
        hint = "`wct runs` lists the runs there are"
    elif reasons <= {AT_WORK, GONE}:
        hint = "`wct runs cancel RUN` ends one that is running"
    else:
        run_id = next(iter(spared))
        hint = f"`wct runs delete {run_id} --force` removes a protected run all the same"
    return RefusedError("\n".join(lines), hint=hint)
