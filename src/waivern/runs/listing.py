"""Lists of runs that open only the folders of the rows they show.

The order of all runs, and which of them match a filter, comes from the store's index for runs whose
records are unchanged since it was written; other runs are read. The result is as if all were read.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from waivern.errors import RunNotFoundError, WaivernError
from waivern.message import Json
from waivern.record.status import RunStatus
from waivern.runs import queries
from waivern.runs.queries import DAMAGED, UNREADABLE, RunRow
from waivern.store.base import RunStore

if TYPE_CHECKING:  # creating a Protocol takes time, and a list of runs must be instant
    from typing import Protocol

    class Dated(Protocol):
        """A run with its start and annotations: an entry of the index, or a row of the history."""

        @property
        def started_at(self) -> str | None: ...
        @property
        def metadata(self) -> dict[str, Json]: ...


WORTH_WRITING = 32
"""A reader that had to read this many runs writes the index; with fewer it writes nothing."""
STATUSES = frozenset({*map(str, RunStatus), *DAMAGED})
LIVE = (RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.CANCELLED)
"""What a run whose last attempt has no end can be, as its lock is held or not."""


class RunFilter(NamedTuple):
    """The runs that a list is to have: those that match everything that is set."""

    status: str | None = None
    runbook: str | None = None
    """Its name, its path as typed or from the current folder, or the stem of that."""
    since: str | None = None
    """The first moment at which a run may have started, as `run.json` has times."""
    until: str | None = None
    """The first moment after that."""
    tags: tuple[str, ...] = ()
    """Tags that a run has, all of them."""

    def admits(self, found: "Dated") -> bool:
        """Report whether a run matches in its start and its tags."""
        if self.since is self.until is None and not self.tags:
            return True
        start, tags = found.started_at or "", found.metadata.get("tags")
        return (
            (self.since is None or start >= self.since)
            and (self.until is None or "" < start < self.until)
            and all(isinstance(tags, list) and tag in tags for tag in self.tags)
        )


EVERY = RunFilter()


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
    attempt: int
    """The number of attempts; 0 for a run without a journal."""
    duration_ms: int
    """Without an attempt that has no end."""
    updated_at: str
    metadata: dict[str, Json]
    """The annotations of the run."""

    @property
    def head(self) -> "RunGlance | None":
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

    @property
    def name(self) -> str:
        """The name that its user gave the run; empty if there is none."""
        return str(self.metadata.get("name", ""))


class RunListing:
    """The runs of a store, newest first, as they were when this object was created.

    With `glances` nothing is read: they are those of an earlier listing that is still current, and
    so are the rows of ended runs in `known`, to which others are added.
    """

    def __init__(
        self,
        store: RunStore,
        glances: Iterable[RunGlance] | None = None,
        known: dict[str, RunRow] | None = None,
    ) -> None:
        self._store = store
        self._known = {} if known is None else known
        self._rows: dict[str, RunRow] = {}
        self.glances = self._read() if glances is None else list(glances)

    def _read(self) -> list[RunGlance]:
        store = self._store
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
        return sorted(glances.values(), key=_age, reverse=True)

    def row(self, run_id: str) -> RunRow | None:
        """Return the row of a run; None if it was removed."""
        if run_id not in self._rows:
            with suppress(RunNotFoundError), self._store.as_listed():
                self._rows[run_id] = self._look(run_id)
        return self._rows.get(run_id)

    def _look(self, run_id: str) -> RunRow:
        if (row := self._known.get(run_id)) is not None:
            return row._replace(pinned=self._store.pinned(run_id))  # a pin needs no lock
        row = queries.look(self._store, run_id)
        if not row.volatile and row.status not in DAMAGED:
            self._known[run_id] = row
        return row

    def matching(self, wanted: RunFilter) -> Iterator[RunGlance]:
        """Yield the runs that match; opens those whose status is open until then."""
        for found in self.glances:
            if not (wanted.admits(found) and self._is_of(found, wanted.runbook)):
                continue
            if wanted.status is None or found.status == wanted.status:
                yield found
            elif found.status is None and wanted.status in LIVE:
                row = self.row(found.run_id)
                if row is not None and row.status == wanted.status:
                    yield found

    def _is_of(self, found: RunGlance, runbook: str | None) -> bool:
        """Report whether a run is one of this runbook: by its name, or by the path of its file."""
        if runbook is None or runbook in found.names:
            return True
        if not (os.sep in runbook and found.runbook_path and found.head):
            return False
        from waivern.runs import runbook_file  # most lists name no path

        return runbook_file.of_run(self._store, found).path == os.path.realpath(runbook)

    def sort(self, key: str) -> None:
        """Put the runs in the order of SORTS with this name; equal ones stay newest first."""
        value, reverse = SORTS[key]
        self.glances.sort(key=lambda found: value(self, found), reverse=reverse)

    def duration_ms(self, found: RunGlance) -> int:
        """Return how long a run took; of a live one, so far."""
        row = self.row(found.run_id) if found.status is None else None
        return row.metadata.duration_ms if row and row.metadata else found.duration_ms

    def status(self, found: RunGlance) -> str:
        """Return the status of a run as it is shown."""
        row = self.row(found.run_id) if found.status is None else None
        return str(row.status if row else found.status or "")


Sort: TypeAlias = tuple[Callable[[RunListing, RunGlance], Any], bool]
SORTS: dict[str, Sort] = {
    "started": (lambda _, found: "" if found.status in DAMAGED else found.started_at, True),
    "updated": (lambda _, found: found.updated_at, True),
    "duration": (RunListing.duration_ms, True),
    "runbook": (lambda _, found: found.runbook_path or found.runbook_name, False),
    "status": (RunListing.status, False),
    "name": (lambda _, found: (not found.name, found.name.casefold()), False),
}
"""The orders of a list: the value that decides, and whether the greatest comes first."""


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
    wanted: RunFilter = EVERY,
    *,
    limit: int | None = None,
    sort: str = "started",
) -> RunPage:
    """Return the first runs that match, at most `limit`, in an order of SORTS."""
    listing, status = RunListing(store), wanted.status
    if sort != "started":
        listing.sort(sort)
    rows: list[RunRow] = []
    left_out = damaged = 0
    unreadable = False
    for found in listing.matching(wanted):
        unreadable = unreadable or found.status == UNREADABLE
        if limit is not None and len(rows) >= limit:
            left_out += 1
            damaged += found.status in DAMAGED
        elif (row := listing.row(found.run_id)) and status in (None, row.status):
            rows.append(row)  # else it has changed since
    unreadable = unreadable or any(row.status == UNREADABLE for row in rows)
    return RunPage(rows, left_out, damaged, len(listing.glances), unreadable)


def every(store: RunStore) -> list[RunRow]:
    """Return all runs, newest first; those that cannot be read are last, with status DAMAGED."""
    return page(store).rows


def _age(found: RunGlance) -> tuple[str, str]:
    return ("" if found.status in DAMAGED else found.started_at, found.run_id)


def _glance_of(store: RunStore, row: RunRow) -> RunGlance:
    run = row.metadata or queries.damaged_head(store, row.run_id)
    status = None if row.volatile and row.status not in DAMAGED else str(row.status)
    if run is None:
        return RunGlance(row.run_id, status, "", "", None, "", {}, 0, 0, "", {})
    last = run.attempts[-1] if run.attempts else {}
    return RunGlance(
        row.run_id,
        status,
        run.started_at,
        run.runbook_name,
        run.runbook_path,
        run.runbook_hash,
        {name: last[name] for name in ("base", "place") if name in last},
        len(run.attempts),
        run.duration_ms,
        run.updated_at,
        run.metadata,
    )


def _glance(run_id: str, entry: list[Json]) -> RunGlance | None:
    """Return what an entry of the index says; None if it is not one."""
    if len(entry) != len(RunGlance._fields) - 1:
        return None
    found = RunGlance(run_id, *entry)
    fine = found.status is None or found.status in STATUSES
    texts = (found.started_at, found.runbook_name, found.runbook_hash, found.runbook_path or "")
    fine = fine and all(isinstance(text, str) for text in (*texts, found.updated_at))
    fine = fine and isinstance(found.last, dict) and isinstance(found.metadata, dict)
    fine = fine and isinstance(found.attempt, int) and isinstance(found.duration_ms, int)
    return found if fine else None
