"""The artifacts that an attempt may produce: a selection, resolved with what runs have recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from waivern.errors import RefusedError, RunNotFoundError
from waivern.ids import ArtifactId
from waivern.planning.plan import Node, Plan
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus
from waivern.runs import queries
from waivern.runs.run_options import RunOptions
from waivern.runs.run_references import find_after_at
from waivern.runs.runbook_file import of_document, of_run
from waivern.runs.selection import Selection, refuse_starved
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.runs.runbook_file import RunbookFile


def selected(
    plan: Plan,
    selection: Selection,
    store: RunStore,
    options: RunOptions,
    record: RunRecord | None = None,
    there: Collection[str] = (),
) -> frozenset[ArtifactId] | None:
    """Return the artifacts that may be produced; None: all.

    `record` is the run that is resumed, of which the artifacts `there` are restored. Raises
    UsageError and the like for a selection that means nothing or lacks inputs.
    """
    if not selection:
        return None
    only = selection.resolve(plan, _RecordedRuns(plan, store, options, record))
    refuse_starved(plan, only, there)
    return only


class _RecordedRuns:
    """The runs that a selection may refer to."""

    def __init__(
        self, plan: Plan, store: RunStore, options: RunOptions, record: RunRecord | None
    ) -> None:
        self._store, self._options, self._record = store, options, record
        document = plan.runbook.document
        self._of: RunbookFile = (
            of_run(store, record.metadata) if record else of_document(document, plan.runbook.name)
        )

    def statuses(self, run: str | None) -> Mapping[str, ArtifactStatus]:
        """Return the statuses of the artifacts of a run; None: of the resumed run."""
        record = self._loaded(run) if run else self._record
        if record is None:
            raise RefusedError(
                "a new run has no results yet",
                hint="name the run, as in --select result:failed@last",
            )
        return {name: step.status for name, step in record.steps.items()}

    def nodes(self, run: str | None) -> Mapping[ArtifactId, Node]:
        """Return the plan of a run; None: of the resumed run, or of the newest of the runbook.

        Without any, there is no artifact.
        """
        from waivern.runs.recorded_plan import plan_for_reading  # few selections ask for it

        record = self._record
        if run or record is None:
            try:
                record = self._loaded(run or "last")
            except RunNotFoundError:
                if run:
                    raise
                return {}
        return plan_for_reading(record, self._store, self._options).nodes

    def _loaded(self, run: str) -> RunRecord:
        return queries.load(self._store, find_after_at(self._store, run, self._of))
