"""The forecast of a run: its decision on each artifact, with the reason; nothing is written.

A decision that depends on results of the run is reported as open: that on an artifact with a
condition, and on one whose inputs are rebuilt and may turn out unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.engine.decision_walk import Action
from waivern.errors import UsageError
from waivern.language.models import Runbook
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.runs import queries
from waivern.runs.forecaster import Forecast, Forecaster
from waivern.runs.prepare import drafted, opened, prepare, resolver
from waivern.runs.request import RunRequest
from waivern.runs.resume import left_out, run_of
from waivern.runs.resume_plan import plan_resume
from waivern.runs.run_options import RunOptions
from waivern.runs.run_params import NO_PARAMS, RequestedParams
from waivern.runs.selected_artifacts import selected
from waivern.runs.selection import EVERYTHING, Selection
from waivern.store.base import RunStore

__all__ = ["Action", "Forecast", "forecast"]


def forecast(
    source: str | Runbook | None,
    store: RunStore,
    options: RunOptions,
    *,
    params: RequestedParams = NO_PARAMS,
    resume: str | None = None,
    selection: Selection = EVERYTHING,
) -> list[Forecast]:
    """Return what `wct run` would do with each artifact that is selected, in declared order.

    Without a source, the retained runbook of the resumed run is used. Raises what starting, or
    resuming, that run would raise before anything is written.
    """
    evidence: Mapping[str, ArtifactCompletedRecord] = {}
    skipped: frozenset[str] = frozenset()
    notes: Mapping[str, str] = {}
    run_id: str | None = None
    if resume is not None:
        options = options._replace(trust_run=True)  # nothing is run
        request = RunRequest(
            source=None if source is None else opened(source),
            run=resume,
            params=params,
            allow_changed=True,
            selection=selection,
        )
        run_id = run_of(request, store, options)
        record = queries.load(store, run_id)
        resumed = plan_resume(record, store, request, options)
        prepared, options = resumed.prepared, resumed.options
        if record.metadata.replay_of:
            options = options._replace(cache=False)
        skipped = left_out(record) - {change.artifact for change in resumed.edits}
        evidence = resumed.evidence
        notes = {str(name): why for name, why in resumed.invalidated.items()}
        only = resumed.only
    elif source is not None:
        draft = drafted(source, options.environ, params.bound)
        found = resolver(draft.runbook, store)
        prepared = prepare(draft, found, options.environ, options.project)
        options = options.resolved(prepared.plan)
        only = selected(prepared.plan, selection, store, options)
    else:
        raise UsageError("there is nothing to forecast", hint="give a source, resume=, or both")
    forecaster = Forecaster(prepared, store, options, evidence, notes, skipped, run_id, only)
    foreseen = forecaster.all()
    return [foreseen[name] for name in prepared.plan.declared if name in foreseen]
