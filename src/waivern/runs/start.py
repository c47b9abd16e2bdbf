"""A new run: load → plan → begin (whole, or not at all) → attempt."""

from __future__ import annotations

from dataclasses import replace

from waivern.ids import new_run_id, parse_run_id
from waivern.language.models import Runbook
from waivern.record.journal_events import to_record
from waivern.runs.attempt import Attempt, AttemptInput, RunOptions, carry_out, policies, refreshing
from waivern.runs.first_events import first_events
from waivern.runs.prepare import PreparedRun, drafted, prepare, resolver
from waivern.runs.result import RunResult
from waivern.runs.run_params import NOTHING, GivenParams
from waivern.runs.run_references import standing
from waivern.runs.runbook_file import of_document
from waivern.runs.selection import EVERYTHING, Selection, refuse_starved
from waivern.store.base import InitialState, RunStore
from waivern.store.lock import this_process


def start(
    source: str | Runbook,
    store: RunStore,
    options: RunOptions,
    *,
    run_id: str | None = None,
    params: GivenParams = NOTHING,
    selection: Selection = EVERYTHING,
) -> RunResult:
    """Run a runbook, or the one in a file, in a new run.

    Raises, before anything is written, InvalidError if the runbook, its plan or its parameters are
    wrong, UsageError or ArtifactNotFoundError if the selection or a policy is.
    """
    draft = drafted(source, options.environ, params.bound)
    found = resolver(draft.runbook, store)
    prepared = prepare(draft, found, options.environ, options.project)
    return begin(prepared, store, options, run_id, selection)


def begin(
    prepared: PreparedRun,
    store: RunStore,
    options: RunOptions,
    run_id: str | None,
    selection: Selection,
    replay_of: str | None = None,
) -> RunResult:
    """Begin a new run, whole or not at all, and carry out its first attempt."""
    plan = prepared.plan
    options = refreshing(options, plan)
    orders = AttemptInput(
        prepared.environ,
        policies=policies(options, plan, prepared.catalogue),
        catalogue=prepared.catalogue,
    )
    if selection:
        runbook = of_document(plan.runbook.document, plan.runbook.name)
        only = selection.resolve(plan, standing(store, None, runbook))
        refuse_starved(plan, only, ())
        orders = replace(orders, only=only)
    chosen = new_run_id() if run_id is None else parse_run_id(run_id)
    record, events = first_events(
        chosen,
        plan,
        options.clock,
        store,
        only=orders.only,
        replay_of=replay_of,
        output=options.output,
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
        return carry_out(Attempt(store, lease, plan, {}, record, options, orders))
    finally:
        lease.release()
