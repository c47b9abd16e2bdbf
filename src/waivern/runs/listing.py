"""Lists of runs that open only the folders of the rows they show.

The order of all runs, and which of them match a filter, comes from the store's index for runs whose
records are unchanged since it was written; other runs are read. The result is as if all were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from waivern.errors import RunNotFoundError, WaivernError
from waivern.message import Json
from waivern.record.status import RunStatus
from waivern.runs import queries
from waivern.runs.queries import DAMAGED, UNREADABLE, RunRow
from waivern.store.base import RunStore

WORTH_WRITING = 32
"""A reader that had to read this many runs writes the index; with fewer it writes nothing."""
STATUSES = frozenset({*map(str, RunStatus), *DAMAGED})
LIVE = (RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.CANCELLED)
"""What a run whose last attempt has no end can be, as its lock is held or not."""


class RunGlance(NamedTuple):
    """The facts of a run that are known before it is opened."""

    run_id: str
    status: str | None
    """As of a RunRow; None if it depends on who holds the lock: then one of LIVE."""
    started_at: str
    """Empty if no record of a corrupt run has it."""
    runbook_name: str
    runbook_path: str | None
    runbook_hash: str
    last: dict[str, Json]
    """What the last attempt recorded of the runbook's place: `base` and `place`."""

    @property
    def head(self) -> RunGlance | None:
        """This, unless no record of the run can be read."""
        return self if self.started_at else None

    @property
    def attempts(self) -> list[dict[str, Json]]:
        """The last attempt, as far as it is known."""
        return [self.last]

    @property
    def names(self) -> tuple[str, ...]:
        """What people may call its runbook."""
        return queries.names(self)


class RunListing:
    """The runs of a store, newest first, as they were when this was made."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._rows: dict[str, RunRow] = {}
        seen = store.indexed()
        glances = {run: found for run, e in seen.entries.items() if (found := _glance(run, e))}
        fresh: dict[str, list[Json]] = {}
        for run_id in seen.stamps:
            if run_id not in glances and (row := self.row(run_id)):
                glances[run_id] = found = _glance_of(store, row)
                if row.status not in DAMAGED or not row.volatile:
                    fresh[run_id] = list(found[1:])
        if any(run_id in self._rows and self._rows[run_id].status in DAMAGED for run_id in glances):
            there = set(store.runs())  # what looked corrupt may have been removed meanwhile
            glances = {run_id: found for run_id, found in glances.items() if run_id in there}
        if len(fresh) >= WORTH_WRITING:
            with suppress(WaivernError):
                store.index(seen, fresh)
        self.glances = sorted(glances.values(), key=_age, reverse=True)

    def row(self, run_id: str) -> RunRow | None:
        """Return the row of a run; None if it is gone."""
        if run_id not in self._rows:
            with suppress(RunNotFoundError):
                self._rows[run_id] = queries.look(self._store, run_id)
        return self._rows.get(run_id)

    def matching(
        self, status: str | None = None, runbook: str | None = None
    ) -> Iterator[RunGlance]:
        """Yield the runs with this status, of this runbook; opens those that may have it."""
        for found in self.glances:
            if runbook is not None and runbook not in found.names:
                continue
            if status is None or found.status == status:
                yield found
            elif found.status is None and status in LIVE:
                row = self.row(found.run_id)
                if row is not None and row.status == status:
                    yield found


class RunPage(NamedTuple):
    """The first rows of a list, and how many runs it left out."""

    rows: list[RunRow]
    left_out: int
    damaged_left_out: int
    total: int
    """All runs of the store."""
    unreadable: bool = False
    """Whether the system could not read a run that matches now."""

    @property
    def matching(self) -> int:
        """How many runs match the filter."""
        return len(self.rows) + self.left_out


def page(
    store: RunStore,
    *,
    status: str | None = None,
    runbook: str | None = None,
    limit: int | None = None,
) -> RunPage:
    """Return the newest runs with this status, of this runbook, at most `limit`."""
    listing = RunListing(store)
    rows: list[RunRow] = []
    left_out = damaged = 0
    unreadable = False
    for found in listing.matching(status, runbook):
        unreadable = unreadable or found.status == UNREADABLE
        if limit is not None and len(rows) >= limit:
            left_out += 1
            damaged += found.status in DAMAGED
        elif (row := listing.row(found.run_id)) and status in (None, row.status):
            rows.append(row)  # else it has changed since
    unreadable = unreadable or any(row.status == UNREADABLE for row in rows)
    return RunPage(rows, left_out, damaged, len(listing.glances), unreadable)


def every(store: RunStore) -> list[RunRow]:
    """Return all runs, newest first; what cannot be read comes last, as one of DAMAGED."""
    return page(store).rows


def _age(found: RunGlance) -> tuple[str, str]:
    return ("" if found.status in DAMAGED else found.started_at, found.run_id)


def _glance_of(store: RunStore, row: RunRow) -> RunGlance:
    run = row.metadata or queries.damaged_head(store, row.run_id)
    status = None if row.volatile and row.status not in DAMAGED else str(row.status)
    if run is None:
        return RunGlance(row.run_id, status, "", "", None, "", {})
    last = run.attempts[-1] if run.attempts else {}
    return RunGlance(
        row.run_id,
        status,
        run.started_at,
        run.runbook_name,
        run.runbook_path,
        run.runbook_hash,
        {name: last[name] for name in ("base", "place") if name in last},
    )


def _glance(run_id: str, entry: list[Json]) -> RunGlance | None:
    """Return what an entry of the index says; None if it is not one."""
    if len(entry) != len(RunGlance._fields) - 1:
        return None
    found = RunGlance(run_id, *entry)
    fine = found.status is None or found.status in STATUSES
    texts = (found.started_at, found.runbook_name, found.runbook_hash, found.runbook_path or "")
    fine = fine and all(isinstance(text, str) for text in texts) and isinstance(found.last, dict)
    return found if fine else None
