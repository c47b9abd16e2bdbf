"""A replay: a recorded run repeated as a new run.

find the run → plan the recorded bytes → compare parameters → begin → attempt
"""

from __future__ import annotations

from dataclasses import replace

from waivern.errors import RefusedError
from waivern.language import params
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.runs import changed_variables, unjournaled
from waivern.runs.queries import load
from waivern.runs.recorded_plan import restored
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.run_options import RunOptions
from waivern.runs.run_references import find
from waivern.runs.start import begin
from waivern.store.base import RunStore


def replay(request: RunRequest, store: RunStore, options: RunOptions) -> RunResult:
    """Repeat a run as a new one, with its recorded runbook, children, parameters and references.

    Nothing that the run produced is used, nor the cache. Raises RefusedError if the parameters
    differ from those of the run, ParamsError if a secret is missing.
    """
    record = load(store, find(store, request.reference, folder=options.folder))
    run_id = record.metadata.run_id
    unjournaled.refuse(store, run_id, "replayed")
    found = restored(record, store, options, request.params)
    _refuse_other_params(found.prepared.plan, record)
    notes = changed_variables.changed_since(
        record, found.prepared.plan, found.prepared.environ, store
    )
    result = begin(found.prepared, store, options, request.run_id, replay_of=run_id)
    return replace(result, warnings=(*found.base.notes, *notes, *result.warnings))


def _refuse_other_params(plan: Plan, record: RunRecord) -> None:
    """Raise RefusedError if parameters differ from those that the run recorded."""
    run = record.metadata
    if names := params.changed(plan.runbook.params, run.params, plan.params):
        raise RefusedError(
            f"run {run.run_id} had another value for: {', '.join(names)}",
            hint="a replay uses the same; for others, start a new run",
        )
