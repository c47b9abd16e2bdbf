"""The run of the same runbook before another one, which that is compared with."""

from __future__ import annotations

from waivern.record.run_metadata import RunMetadata
from waivern.record.status import RunStatus
from waivern.runs.listing import RunFilter, RunGlance, RunListing


def previous_run(
    listing: RunListing, run: RunMetadata, *, status: RunStatus | None = None
) -> RunGlance | None:
    """Return the newest run of its runbook that started before a run; None if there is none.

    With `status`, only runs with this status count.
    """
    wanted = RunFilter(status=status, runbook=run.called)
    for found in listing.matching(wanted):
        if found.started_at < run.started_at and found.head:
            return found
    return None
