"""What a run would do, artifact by artifact, and why: decided as the run decides, nothing written.

What is not known before the run is said to be decided at run time: the artifacts with conditions,
and those whose inputs are going to be made and may come out as they were.
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.engine.decision_walk import Action
from waivern.errors import UsageError
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.runs import queries
from waivern.runs.attempt import RunOptions, refreshing
from waivern.runs.forecaster import Forecast, Forecaster
from waivern.runs.prepare import PreparedRun, drafted, opened, prepare, resolver
from waivern.runs.resume_attempt import counted, left_out, referred
from waivern.runs.resume_checks import ResumeRequest, Source, ready
from waivern.runs.run_params import NOTHING, GivenParams
from waivern.store.base import RunStore

__all__ = ["Action", "Forecast", "forecast"]


def forecast(
    source: Source,
    store: RunStore,
    options: RunOptions,
    *,
    params: GivenParams = NOTHING,
    resume: str | None = None,
) -> list[Forecast]:
    """Return what `wct run` would do with each artifact, in declared order.

    Without a source, it is about what the run that is resumed has kept. Raises what starting, or
    resuming, that run would raise before anything is written.
    """
    evidence: Mapping[str, ArtifactCompletedRecord] = {}
    skipped: frozenset[str] = frozenset()
    notes: Mapping[str, str] = {}
    if resume is not None:
        options = options._replace(trust_run=True)  # nothing is run
        runbook = None if source is None else opened(source)
        record = queries.load(store, referred(store, resume, runbook, options))
        known = ready(
            runbook, record, store, options, ResumeRequest(allow_changed=True, params=params)
        )
        if record.metadata.replay_of:
            options = options._replace(cache=False)
        prepared = PreparedRun(known.plan, known.environ, known.catalogue)
        options = refreshing(options, prepared.plan)
        skipped = left_out(record) - {change.artifact for change in known.edits}
        evidence, fallen = counted(store, record, known, options)
        notes = {str(name): why for name, why in fallen.items()}
    elif source is not None:
        draft = drafted(source, options.environ, params.bound)
        found = resolver(draft.runbook, store)
        prepared = prepare(draft, found, options.environ, options.project)
        options = refreshing(options, prepared.plan)
    else:
        raise UsageError("there is nothing to foresee", hint="give a source, resume=, or both")
    foreseen = Forecaster(prepared, store, options, evidence, notes, skipped).all()
    return [foreseen[name] for name in prepared.plan.declared]
