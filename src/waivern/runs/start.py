"""A new run: read → plan → begin, whole or not at all → attempt."""

from __future__ import annotations

from waivern.ids import new_run_id, parse_run_id
from waivern.message import Json
from waivern.planning.plan import Copy
from waivern.record.annotations import NO_ANNOTATIONS, Annotations
from waivern.record.journal_events import to_record
from waivern.runs.attempt import carry_out
from waivern.runs.first_events import first_events
from waivern.runs.prepare import PreparedRun, drafted, prepare, resolver
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.run_options import RunOptions
from waivern.runs.selection import EVERYTHING, Selection
from waivern.runs.session import Session, policies_of, secrets_of
from waivern.store.base import RunStore
from waivern.store.lock import this_process
from waivern.store.store_values import InitialState


def start(request: RunRequest, store: RunStore, options: RunOptions) -> RunResult:
    """Run a runbook in a new run.

    Raises, before anything is written, InvalidError if the runbook, its plan or its parameters are
    wrong, UsageError or ArtifactNotFoundError if the selection or a policy is, and ForeignRunError
    if it reuses a list of a source from a run of another store that is not trusted.
    """
    assert request.source is not None
    draft = drafted(request.source, options.environ, request.params.bound)
    lookups = resolver(draft.runbook, store, remote=options.resolver)
    prepared = prepare(draft, lookups, options.environ, options.project)
    return begin(
        prepared,
        store,
        options,
        request.run_id,
        request.selection,
        annotations=request.annotations,
    )


def begin(
    prepared: PreparedRun,
    store: RunStore,
    options: RunOptions,
    run_id: str | None,
    selection: Selection = EVERYTHING,
    replay_of: str | None = None,
    annotations: Annotations = NO_ANNOTATIONS,
) -> RunResult:
    """Begin a new run, whole or not at all, and carry out its first attempt."""
    plan = prepared.plan
    options = options.resolved(plan)
    policies, only = policies_of(prepared, options, store), None
    if selection:
        from waivern.runs.selected_artifacts import selected  # most runs produce everything

        only = selected(plan, selection, store, options)
    if any(isinstance(node.work, Copy) for node in plan.nodes.values()):
        from waivern.runs.foreign_sources import confirm_sources  # most runs copy nothing
        from waivern.runs.listed_sources import refuse_unreadable

        confirm_sources(plan, store, options)
        refuse_unreadable(prepared, store, None, {})
    chosen = new_run_id() if run_id is None else parse_run_id(run_id)
    record, events = first_events(
        chosen,
        plan,
        options.clock,
        store,
        only=only,
        replay_of=replay_of,
        output=options.output,
        metadata=_recorded(annotations, prepared),
    )
    initial = InitialState(
        plan.runbook.document.data,
        tuple(map(to_record, events)),
        record.metadata.document(),
        record.state.document(),
        plan.children,
    )
    lease = store.begin(chosen, initial, this_process())
    try:
        return carry_out(
            Session(store, lease, record, prepared, options, {}, only, policies=policies)
        )
    finally:
        lease.release()


def _recorded(annotations: Annotations, prepared: PreparedRun) -> dict[str, Json]:
    """Return the annotations as they are recorded, without secrets."""
    if not any(annotations):
        return {}
    secrets = secrets_of(prepared.plan, prepared.environ)
    return annotations.redacted(secrets.hide).document
