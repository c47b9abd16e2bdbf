"""The store's history, `runs.jsonl`: who writes which line. Run folders stay the truth.

An attempt writes its line at its end. If it cannot, because its process died or the disk was full,
the next holder of the run's lock does. So no failure here is more than a warning.
"""

from __future__ import annotations

from waivern.clock import rfc3339
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import from_record
from waivern.record.run_summary import RunSummary, summaries, summary, unknown
from waivern.store.base import Journal, RunStore


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
    """Return the lines of a run's attempts; lines of other versions are of another form."""
    return [
        line
        for line in store.read_history(run_id)
        if "result" in line and "event" not in line and isinstance(line.get("attempt"), int)
    ]


def _append(store: RunStore, line: dict[str, Json]) -> list[str]:
    try:
        store.append_history(line)
    except WaivernError as error:
        return [f"the history lacks a line: {error.message}"]
    return []
