"""The store's history, `runs.jsonl`: who writes which line, and its rows. Folders stay the truth.

An attempt writes its line at its end. If it cannot, because its process died or the disk was full,
the next holder of the run's lock does. So no failure here is more than a warning. Readers derive
what has no line yet from the run's folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import NamedTuple

from waivern.clock import rfc3339
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import from_record
from waivern.record.run_summary import REMOVED, RunSummary, summaries, summary, unknown
from waivern.record.status import RunStatus
from waivern.runs import queries
from waivern.runs.listing import RunFilter, RunGlance, RunListing
from waivern.runs.queries import DAMAGED
from waivern.store.base import RunStore
from waivern.store.store_values import Journal


class HistoryRows(NamedTuple):
    """The runs of a history, one row each: its latest ended attempt, the last one first."""

    rows: list[RunSummary]
    warnings: list[str]
    """What could not be read."""


def rows(store: RunStore, listing: RunListing | None = None) -> HistoryRows:
    """Return the history of a store; runs whose folder is gone are in it, too.

    `listing` is the list of its runs, if it was read already. Lines of a removal and runs that
    never ended are no rows. Raises StoreError.
    """
    latest, ended, skipped = _from_lines(store.read_history())
    warnings = []
    if skipped:
        lines = "1 line is" if skipped == 1 else f"{skipped:,} lines are"
        warnings.append(f"{lines} no summary of a run in runs.jsonl, and skipped")
    listing = listing or RunListing(store)
    for found in listing.glances:
        if found.status in DAMAGED:
            continue
        row = latest.get(found.run_id)
        if _lacks_a_line(listing, found, row):
            try:
                row = _derived(store, found.run_id) or row
            except WaivernError as error:
                warnings.append(f"run {found.run_id} is left out: {error.message}")
                continue
        if row is not None:  # annotations may have changed since the line was written
            latest[found.run_id] = row._replace(metadata=found.metadata or row.metadata)
    every = [*ended, *latest.values()]
    every.sort(key=lambda row: str(row.ended_at), reverse=True)
    return HistoryRows(every, warnings)


def chosen(found: Iterable[RunSummary], wanted: RunFilter) -> list[RunSummary]:
    """Return the rows that match a filter, but for its status, in their order."""
    return [row for row in found if wanted.admits(row) and _is_of(row, wanted.runbook)]


def _is_of(row: RunSummary, runbook: str | None) -> bool:
    """Report whether a row is of a runbook: by its name, its path as typed, or its stem."""
    if runbook is None:
        return True
    path = PurePath(row.runbook or "")
    return PurePath(runbook) in (path, PurePath(path.name), PurePath(path.stem))


def _from_lines(
    lines: Iterable[dict[str, Json]],
) -> tuple[dict[str, RunSummary], list[RunSummary], int]:
    """Return the latest summary of each run, those of removed runs, and how many lines are none.

    An id may be used again after its run was removed: that is another run.
    """
    latest: dict[str, RunSummary] = {}
    ended: list[RunSummary] = []
    skipped = 0
    for line in lines:
        if line.get("event") == REMOVED:
            if (gone := latest.pop(str(line.get("run_id")), None)) is not None:
                ended.append(gone)
        elif (found := RunSummary.of(line)) is None:
            skipped += 1
        elif (known := latest.get(found.run_id)) is None or known.attempt <= found.attempt:
            latest[found.run_id] = found
    return latest, ended, skipped


def _lacks_a_line(listing: RunListing, found: RunGlance, row: RunSummary | None) -> bool:
    """Report whether the last attempt at a run has ended, or crashed, and has no line yet."""
    if row is not None and row.attempt >= found.attempt:
        return False
    if found.status is not None:
        return True
    seen = listing.row(found.run_id)
    return seen is not None and seen.status not in (RunStatus.RUNNING, *DAMAGED)


def _derived(store: RunStore, run_id: str) -> RunSummary | None:
    """Return the summary of the last attempt at a run, as its folder has it."""
    record = queries.load(store, run_id)
    if record.metadata.status is RunStatus.RUNNING:
        return None
    return summary(record)


def note(store: RunStore, record: RunRecord) -> list[str]:
    """Append the line of the attempt that has just ended; return a warning if that fails."""
    if record.attempt_open or not record.metadata.attempts:
        return []
    return _append(store, summary(record).document())


def catch_up(store: RunStore, journal: Journal) -> None:
    """Append the lines that ended or crashed attempts of a run lack; the caller holds its lock."""
    ended = list(summaries(from_record(line.record) for line in journal.lines))
    if not ended:
        return
    try:
        known = {line["attempt"] for line in _summaries_in(store, ended[-1].run_id)}
    except WaivernError:
        return  # the next holder tries again
    for each in ended:
        if each.attempt not in known and _append(store, each.document()):
            return


def note_removal(store: RunStore, run_id: str, now: float) -> list[str]:
    """Append the line that records a removal and repeats the run's last result."""
    last = unknown(run_id)
    try:
        for line in _summaries_in(store, run_id):
            last = RunSummary(**{name: line.get(name) for name in RunSummary._fields})  # type: ignore[arg-type]
    except WaivernError:
        pass  # the line then names the run and nothing else
    return _append(store, last._replace(run_id=run_id).removal(rfc3339(now)))


def _summaries_in(store: RunStore, run_id: str) -> list[dict[str, Json]]:
    """Return the lines of a run's attempts, without those of removed runs with the same id."""
    found: list[dict[str, Json]] = []
    for line in store.read_history(run_id):
        if line.get("event") == REMOVED:
            found = []  # an earlier run had the same id
        elif "result" in line and isinstance(line.get("attempt"), int):
            found.append(line)
    return found


def _append(store: RunStore, line: dict[str, Json]) -> list[str]:
    try:
        store.append_history(line)
    except WaivernError as error:
        return [f"the history lacks a line: {error.message}"]
    return []
