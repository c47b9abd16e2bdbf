"""The history of a store for programs: which runs ended, how, and why."""

from __future__ import annotations

import warnings

from waivern.api import argument_types
from waivern.api.run_queries import CorruptRunWarning, Folder, Store, chosen
from waivern.diagnostics import shown
from waivern.errors import UsageError
from waivern.record.run_summary import RESULTS, RunSummary
from waivern.runs import history


class RunHistory:
    """The runs of a store that ended, one row each: its latest ended attempt.

    It includes runs whose process crashed, and runs whose folder is gone. Each call reads the
    history as it is then. What cannot be read is skipped with a CorruptRunWarning.
    """

    def __init__(self, store: Store = None, *, project_root: Folder = None) -> None:
        self._store = chosen(store, project_root)

    def list_runs(
        self, limit: int | None = 100, result_filter: str | None = None
    ) -> list[RunSummary]:
        """Return the runs, the last one that ended first; `limit=None`: all of them.

        `result_filter` is 'success', 'failed' or 'stopped'. Raises UsageError.
        """
        if limit is not None and (type(limit) is not int or limit < 0):
            raise UsageError(
                f"limit= cannot be {shown(repr(limit))}", hint="give a number of runs, or None"
            )
        return self._rows(result_filter)[:limit]

    def get_run(self, run_id: str) -> RunSummary | None:
        """Return a run by its full id; None if none with this id has ended.

        Of several that had the id, one after the other, return the last.
        """
        argument_types.text("run_id", run_id)
        return next((row for row in self._rows(None) if row.run_id == run_id), None)

    def get_run_count(self, result_filter: str | None = None) -> int:
        """Return the number of runs with this result, or of all. Raises UsageError."""
        return len(self._rows(result_filter))

    def _rows(self, result: str | None) -> list[RunSummary]:
        if result is not None and result not in RESULTS:
            raise UsageError(
                f"result_filter= cannot be {shown(repr(result))}",
                hint=f"give one of {', '.join(RESULTS)}",
            )
        found = history.rows(self._store)
        for text in found.warnings:
            warnings.warn(text, CorruptRunWarning, stacklevel=3)
        return [row for row in found.rows if result in (None, row.result)]
