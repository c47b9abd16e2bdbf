"""The history of a runbook's artifacts: duration and identity in earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import How
from waivern.runs import queries
from waivern.runs.listing import RunListing
from waivern.store.base import RunStore

LOOKED_AT = 5
"""The newest runs of a runbook, which are asked."""


class DurationHistory:
    """The newest runs of the same runbook, known by path or name, that can be read."""

    def __init__(self, store: RunStore, path: str | None, name: str) -> None:
        self._records = list(_records(store, path, name))

    def made(self, artifact: str) -> bool:
        """Return whether any of them completed it."""
        return next(self._completed(artifact), None) is not None

    def took_ms(self, artifact: str) -> int | None:
        """Return how long producing it usually took; None if none of them produced it."""
        done = self._completed(artifact)
        took = sorted(one.duration_ms for one in done if one.how == How.PRODUCED)
        return took[(len(took) - 1) // 2] if took else None  # statistics takes 10 ms to import

    def identity(self, artifact: str) -> Mapping[str, Json] | None:
        """Return the identity of the artifact the last time that it was known."""
        return next((one.identity for one in self._completed(artifact) if one.identity), None)

    def _completed(self, artifact: str) -> Iterator[ArtifactCompletedRecord]:
        for record in self._records:
            step = record.steps.get(artifact)
            if step is not None and step.completed is not None:
                yield step.completed


def _records(store: RunStore, path: str | None, name: str) -> Iterator[RunRecord]:
    from_files = (run for run in RunListing(store).glances if run.runbook_path and path)
    found = 0
    for run in from_files:
        if run.status in queries.DAMAGED:
            continue
        if run.runbook_name != name and run.runbook_path != path:
            continue
        try:
            record = queries.load(store, run.run_id)
        except WaivernError:
            continue  # it has no information, and others may
        if not record.vouched:
            continue  # without a journal, nothing was measured
        yield record
        found += 1
        if found == LOOKED_AT:
            return
