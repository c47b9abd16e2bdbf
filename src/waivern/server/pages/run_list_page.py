"""The page with the list of runs: the filters of `wct runs list`, in the URL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from waivern.errors import UsageError
from waivern.message import Json
from waivern.record.status import DamagedStatus, RunStatus
from waivern.runs.listing import SORTS, RunFilter, RunListing
from waivern.runs.moments import moment
from waivern.runs.queries import RunRow

STATUSES = tuple(map(str, (*RunStatus, *DamagedStatus)))
ROWS = 50
"""The runs on one page."""


class TypedFilter(NamedTuple):
    """The filter as it is in the URL."""

    status: str = ""
    runbook: str = ""
    since: str = ""
    until: str = ""
    tag: tuple[str, ...] = ()
    sort: str = "started"
    start: int = 0

    @property
    def is_set(self) -> bool:
        """Whether some runs may not match."""
        return self[:5] != ("", "", "", "", ())

    def query(self, start: int) -> Mapping[str, Json]:
        """Return the parameters of the same list from another row."""
        found = self._asdict() | {"tag": " ".join(self.tag), "from": start or None}
        del found["start"]
        return found | {"sort": "" if self.sort == "started" else self.sort}

    def wanted(self, now: float) -> RunFilter:
        """Return the filter. Raises UsageError if a part of it is wrong."""
        if self.status not in ("", *STATUSES):
            raise UsageError(f"there is no status {self.status[:80]!r}")
        if self.sort not in SORTS:
            raise UsageError(f"runs cannot be sorted by {self.sort[:80]!r}")
        return RunFilter(
            self.status or None,
            self.runbook or None,
            moment(self.since, now) if self.since else None,
            moment(self.until, now, ends=True) if self.until else None,
            self.tag,
        )


class RunListPart(NamedTuple):
    """One page of a list of runs."""

    rows: list[RunRow]
    matching: int
    total: int


def run_list(listing: RunListing, typed: TypedFilter) -> RunListPart:
    """Return the runs of one page; only these are opened. Raises UsageError."""
    wanted = typed.wanted(time.time())
    if typed.sort != "started":
        listing.sort(typed.sort)
    matching = [*listing.matching(wanted)]
    rows = (
        listing.row(found.run_id) for found in islice(matching, typed.start, typed.start + ROWS)
    )
    return RunListPart([row for row in rows if row], len(matching), len(listing.glances))
