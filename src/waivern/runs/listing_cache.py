"""The lists of a store for a program that asks for them again and again, such as a server."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from waivern.runs import history
from waivern.runs.history import HistoryRows
from waivern.runs.listing import RunGlance, RunListing
from waivern.runs.queries import UNREADABLE, RunRow
from waivern.store.base import RunStore
from waivern.store.store_values import Stamp

AGE_S = 60.0
"""The age at which a list is read again in any case: a file may have been changed by hand."""
OPEN_RUNS = 100
"""The most runs without a recorded end whose locks are looked at instead of reading all runs."""


class _Lists(NamedTuple):
    generation: Stamp | None
    """As the store had it before anything was read."""
    at: float
    glances: list[RunGlance]
    rows: HistoryRows
    held: dict[str, bool]
    """Of each run without a recorded end, whether a process held it."""
    ended: dict[str, RunRow]
    """The rows of ended runs that were shown."""


class ListingCache:
    """The list of runs and the history, read again only when something may have changed.

    While the generation of the store stays the same, all that changes is whether runs without a
    recorded end are still held: a process may have been killed.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._lists: _Lists | None = None

    def listing(self) -> RunListing:
        """Return the runs, newest first. Raises StoreError."""
        lists = self._current()
        return RunListing(self._store, lists.glances, lists.ended)

    def history(self) -> HistoryRows:
        """Return the rows of the history, which no caller changes. Raises StoreError."""
        return self._current().rows

    def _current(self) -> _Lists:
        with self._lock:  # of several threads one reads, and the others use that
            generation = self._store.generation()
            lists = self._lists
            if lists is None or not self._is_current(lists, generation):
                lists = self._lists = self._read(generation)
            return lists

    def _is_current(self, lists: _Lists, generation: Stamp | None) -> bool:
        return (
            generation is not None
            and lists.generation == generation
            and time.monotonic() - lists.at < AGE_S
            and all(self._is_held(run_id) == held for run_id, held in lists.held.items())
        )

    def _read(self, generation: Stamp | None) -> _Lists:
        listing = RunListing(self._store)
        open_runs = [found.run_id for found in listing.glances if found.status is None]
        if len(open_runs) > OPEN_RUNS or any(f.status == UNREADABLE for f in listing.glances):
            generation = None
        held = {run_id: self._is_held(run_id) for run_id in open_runs} if generation else {}
        rows = history.rows(self._store, listing)
        return _Lists(generation, time.monotonic(), listing.glances, rows, held, {})

    def _is_held(self, run_id: str) -> bool:
        return self._store.owner(run_id) is not None
