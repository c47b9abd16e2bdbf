"""Another attempt at a run that is held: what of it is kept, whether there is anything to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from waivern.engine import rebuilder
from waivern.engine.decision_walk import work_left
from waivern.errors import Exit, RefusedError, worst
from waivern.ids import ArtifactId
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import to_record
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs import history, resume_checks, unjournaled
from waivern.runs.attempt import (
    Attempt,
    AttemptInput,
    RunOptions,
    carry_out,
    hidden,
    policies,
    tripped,
)
from waivern.runs.first_events import attempt_event
from waivern.runs.queries import fold
from waivern.runs.result import RunResult
from waivern.runs.resume_checks import ReadyRun, ResumeRequest, faults
from waivern.runs.run_references import find, standing
from waivern.runs.runbook_file import of_document, of_run
from waivern.runs.selection import refuse_starved
from waivern.store.base import Lease, RunStore
from waivern.store.lock import this_process

REFRESHED = "it was to be refreshed"


class HeldRun(NamedTuple):
    """A run that nobody else can write to."""

    store: RunStore
    lease: Lease
    record: RunRecord


def referred(store: RunStore, reference: str, runbook: Runbook | None, options: RunOptions) -> str:
    """Return the id of the run that is to go on; `@last` is one of `runbook`, if that is given."""
    of = of_document(runbook.document, runbook.name) if runbook else None
    return find(store, reference, folder=options.folder, of=of)


@contextmanager
def hold(store: RunStore, run_id: str) -> Iterator[HeldRun]:
    unjournaled.refuse(store, run_id, "resumed")
    lease = store.lock(run_id, this_process())
    try:
        journal, record = fold(store, run_id)
        history.catch_up(store, journal)
        yield HeldRun(store, lease, record)
    finally:
        lease.release()


class ResumePlan(NamedTuple):
    """What another attempt starts from, with nothing written yet."""

    evidence: rebuilder.Evidence
    fallen: Mapping[ArtifactId, str]
    """What counts no longer, with the reason."""
    orders: AttemptInput


def ahead(held: HeldRun, known: ReadyRun, options: RunOptions, again: ResumeRequest) -> ResumePlan:
    """Return what another attempt starts from; raises all that can be wrong with its terms."""
    evidence, fallen = counted(held.store, held.record, known, options)
    return ResumePlan(evidence, fallen, _orders(held, known, options, again, evidence))


def go_on(
    held: HeldRun, known: ReadyRun, options: RunOptions, again: ResumeRequest, start: ResumePlan
) -> RunResult:
    """Begin another attempt at a run, if there is anything to do."""
    store, lease, record, plan = held.store, held.lease, held.record, known.plan
    evidence, fallen, orders = start
    if not again.ask_again and _nothing_to_do(record, known, evidence, orders):
        return _kept_as_it_is(held, known, orders, options)
    event = attempt_event(
        plan,
        options.clock,
        store,
        renewed=known.renewed,
        invalidated=fallen,
        forced=known.forced,
        given=again.data,
        only=orders.only,
        output=options.output,
    )
    names = {*record.steps, *plan.nodes}
    lease.replace_runbook(plan.runbook.document.data)
    lease.replace_children(plan.children)
    lease.append([to_record(event)], sync=True)
    record.apply(event)
    lease.sweep(names - evidence.keys())
    lease.project(record.metadata.document(), record.state.document(), sync=True)
    result = carry_out(Attempt(store, lease, plan, evidence, record, options, orders))
    return replace(result, warnings=(*known.notes, *result.warnings))


def counted(
    store: RunStore, record: RunRecord, known: ReadyRun, options: RunOptions
) -> tuple[rebuilder.Evidence, dict[ArtifactId, str]]:
    """Return the completed artifacts that count, and those that do no longer, with the reason."""
    plan = known.plan
    completed = {n: s.completed for n, s in record.steps.items() if s.completed}
    damaged = faults(store, record.metadata.run_id, completed)
    reasons: dict[str, str] = {e.artifact: f"runbook changed: {e.what}" for e in known.edits}
    fallen = rebuilder.invalid(plan, completed, damaged, reasons)
    # what was made from those is made again only if they come out different
    refreshed = {n: REFRESHED for n in plan.nodes if n in options.refresh}
    fallen |= {n: why for n, why in refreshed.items() if n in completed}
    return {n: e for n, e in completed.items() if n in plan.nodes and n not in fallen}, fallen


def _orders(
    held: HeldRun,
    known: ReadyRun,
    options: RunOptions,
    again: ResumeRequest,
    evidence: rebuilder.Evidence,
) -> AttemptInput:
    plan, record = known.plan, held.record
    orders = AttemptInput(
        known.environ,
        given=_handed_over(record, again.data),
        policies=policies(options, plan, known.catalogue),
        catalogue=known.catalogue,
    )
    if again.selection:
        statuses = standing(held.store, record, of_run(held.store, record.metadata))
        only = again.selection.resolve(plan, statuses)
        refuse_starved(plan, only, evidence)
        orders = replace(orders, only=only)
    return orders


def _handed_over(
    record: RunRecord, data: Mapping[str, Json]
) -> Mapping[ArtifactId, dict[str, Json]]:
    """Return what each component that waits is given. Raises RefusedError if none waits."""
    gates, components = resume_checks.waiting(record)
    if data and not components:
        what = f"only gates wait: {', '.join(gates)}" if gates else "nothing waits for data"
        raise RefusedError(
            f"run {record.metadata.run_id}: {what}",
            hint=f"`wct runs approve {record.metadata.run_id}/{gates[0]}` decides"
            if gates
            else "resume it without --data",
        )
    return {name: dict(data) for name in components}


def _nothing_to_do(
    record: RunRecord, known: ReadyRun, evidence: rebuilder.Evidence, orders: AttemptInput
) -> bool:
    if record.attempt_open or known.edits:
        return False
    if orders.only is None and record.metadata.status != RunStatus.COMPLETED:
        return False
    return not work_left(known.plan, evidence, left_out(record), orders.only)


def left_out(record: RunRecord) -> frozenset[str]:
    """Return what was decided not to be made, or follows from that."""
    causes = {
        name: str((step.error or {}).get("cause"))
        for name, step in record.steps.items()
        if step.status is ArtifactStatus.SKIPPED
    }
    return frozenset(name for name, cause in causes.items() if causes.get(cause) == cause)


def _kept_as_it_is(
    held: HeldRun, known: ReadyRun, orders: AttemptInput, options: RunOptions
) -> RunResult:
    store, lease, record = held.store, held.lease, held.record
    run = record.metadata
    lease.sweep(())  # a crash may have come when the journal had its end, and nothing else
    lease.project(run.document(), record.state.document(), sync=True)
    found = tripped(orders, store, known.plan, record, hidden(known.plan, orders.environ))
    outputs = None
    if options.output is not None:
        from waivern.runs.output_delivery import deliver, requested

        # no attempt begins, so the journal does not record it
        record.output = requested(options.output, known.plan.runbook.document.folder)
        outputs = deliver(store, known.plan, record)
    code = worst(Exit.OK, Exit.POLICY) if found else Exit.OK
    return RunResult(
        run.run_id,
        run.status,
        None,
        None,
        worst(code, outputs.error.exit_code) if outputs and outputs.error else code,
        record,
        known.plan,
        lease.head,
        nothing_to_do=True,
        policies=found,
        warnings=known.notes,
        outputs=outputs,
        store=store,
    )
