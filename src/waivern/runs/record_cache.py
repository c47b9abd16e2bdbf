"""The records of runs for a program that asks for them again and again, such as a server.

A record is folded from the whole journal once. Later calls fold only what was appended meanwhile,
by whichever process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from waivern.record.fold import RunRecord
from waivern.record.journal_events import from_record
from waivern.runs import queries
from waivern.store.base import RunStore
from waivern.store.journal_growth import GrownJournal, JournalPlace

RUNS = 64
"""The most runs whose records are retained."""
ARTIFACTS = 50_000
"""The most artifacts that they have in all; the record used last is retained in any case."""


class RecordCache:
    """The records of the runs of a store that were used last. Threads may share it."""

    def __init__(self, store: RunStore, runs: int = RUNS, artifacts: int = ARTIFACTS) -> None:
        self.store = store
        self._most = runs, artifacts
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, _CachedRun] = OrderedDict()

    def load(self, run_id: str) -> RunRecord:
        """Return what `queries.load` returns, for reading only. Raises what it raises."""
        with self._lock:
            cached = self._runs.setdefault(run_id, _CachedRun(self.store, run_id))
            self._runs.move_to_end(run_id)
        try:
            return queries.load(self.store, run_id, cached.record)
        finally:
            self._forget()

    def _forget(self) -> None:
        """Forget runs that cannot be read, and those used first while there are too many."""
        runs, most = self._most
        with self._lock:
            for run_id in [key for key, cached in self._runs.items() if cached.failed]:
                del self._runs[run_id]
            artifacts = sum(cached.artifacts for cached in self._runs.values())
            while len(self._runs) > 1 and (len(self._runs) > runs or artifacts > most):
                _, oldest = self._runs.popitem(last=False)
                artifacts -= oldest.artifacts


class _CachedRun:
    """The fold of one run's journal, up to a place in it."""

    def __init__(self, store: RunStore, run_id: str) -> None:
        self.artifacts = 0
        self.failed = False
        """Whether the journal could not be read the last time."""
        self._store = store
        self._run_id = run_id
        self._lock = threading.Lock()
        self._fold: tuple[RunRecord, JournalPlace] | None = None

    def record(self) -> RunRecord:
        """Return the record as the journal is now; the caller only reads it."""
        with self._lock:  # of several threads one reads, and the others use that
            fold, self._fold, self.failed = self._fold, None, True
            self._fold = fold = self._read_on(fold) or self._read()
            self.failed = False
            self.artifacts = len(fold[0].steps)
            return fold[0]

    def _read_on(
        self, fold: tuple[RunRecord, JournalPlace] | None
    ) -> tuple[RunRecord, JournalPlace] | None:
        """Apply what was appended; return None if the whole journal is to be read."""
        if fold is None:
            return None
        record, place = fold
        news = self._store.read_on(self._run_id, place)
        if news is None:
            return None
        if news.lines:
            record = record.copy()  # others may be reading the one that they received
        for line in news.lines:
            record.apply(from_record(line.record))
        return record, news.place

    def _read(self) -> tuple[RunRecord, JournalPlace]:
        whole = self._store.read_on(self._run_id) or GrownJournal((), JournalPlace(0, ""))
        record = RunRecord.of(from_record(line.record) for line in whole.lines)
        queries.refuse_copy(record.metadata.run_id, self._run_id)
        return record, whole.place
