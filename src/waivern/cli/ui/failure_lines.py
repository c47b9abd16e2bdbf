"""The lines about the artifacts that failed: cause, hint, runbook line, end of the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from waivern.cli.ui.screen import Screen
from waivern.errors import WaivernError
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip, near, short
from waivern.store.base import RunStore

FAILURES = 20
"""The failures that have a line."""
EXPLAINED = 3
"""The failures whose hint, place and log are shown."""
LOG_LINES = 3
"""The last lines of a log that are shown."""


def failure_lines(
    out: Screen,
    store: RunStore,
    record: RunRecord,
    failed: Sequence[StepRecord],
    width: int,
    optional: Collection[str] = (),
) -> Iterator[str]:
    """Yield the failures, the first of them in full. Names are padded to `width`."""
    places = _Places(store, record)
    for number, step in enumerate(failed[:FAILURES]):
        error = step.error or {}
        text = clip(clean(f"{error.get('kind')}: {error.get('message')}"), 1000)
        again = "  (optional)" if step.artifact in optional else ""
        again += f"  after {step.tries:,} tries" if step.tries > 1 else ""
        kind = clean((step.component or "").partition(":")[2])
        yield f"  {out.mark('failed')} {step.artifact:{width}}  {kind}{again}  {text}"
        if number < EXPLAINED:
            yield from _explained(store, record, step, places)
    if (more := len(failed) - FAILURES) > 0:
        run = short(record.metadata.run_id)
        yield f"    and {more:,} more failed: `wct inspect {run}` lists them"


def _explained(
    store: RunStore, record: RunRecord, step: StepRecord, places: _Places
) -> Iterator[str]:
    if hint := (step.error or {}).get("hint"):
        yield f"      = help: {clip(clean(str(hint)), 1000)}"
    if place := places.of(step.artifact):
        yield f"      at: {clean(place)}"
    run_id = record.metadata.run_id
    try:
        last = [] if step.artifact in record.sensitive else _log_end(store, run_id, step)
    except WaivernError:
        return  # the failure is reported all the same
    yield from (f"      | {clip(clean(line), 300)}" for line in last)
    if log := log_path(store, run_id, step.artifact):
        yield f"      log: {clean(log)}"


def _log_end(store: RunStore, run_id: str, step: StepRecord) -> list[str]:
    """Return the last lines of a log that say more than the error does."""
    text = store.read_log(run_id, step.artifact)[-16_384:]
    error = step.error or {}
    known = f"{error.get('kind')}: {error.get('message')}"
    lines = [line for line in text.splitlines() if line.strip() and line.strip(" ^~") != ""]
    return [line for line in lines if line.strip() not in known][-LOG_LINES:]


def log_path(store: RunStore, run_id: str, artifact: str | None) -> str | None:
    """Return the path of an artifact's log, relative to the current folder if it is below it.

    Without an artifact, it is the log of the run itself. None: there is no such log.
    """
    found = store.log_path(run_id, artifact)
    return None if found is None else near(found)


class _Places:
    """The lines of a runbook at which its artifacts are declared; read when first asked for."""

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self._store = store
        self._run = record.metadata
        self._data: bytes | None = None

    def of(self, artifact: str) -> str | None:
        """Return `file:line` of an artifact, or of the child or fan-out that it is part of."""
        from waivern.yamldoc.document import YamlDocument

        run = self._run
        if run.runbook_path is None:
            return None
        try:
            if self._data is None:
                self._data = self._store.read_runbook(run.run_id, run.runbook_hash)
        except WaivernError:
            return None
        document = YamlDocument(run.runbook_path, Path(), self._data)
        path = ("artifacts", artifact.partition("/")[0])
        position = document.problem("", "", path, on="key").position
        return f"{position.file}:{position.line}" if position else None
