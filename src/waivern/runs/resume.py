"""The next attempt at a run: resumed as it is, or after a decision at a gate.

resume   lock → fold the journal → plan → check → attempt
approve  lock → fold the journal → check the question → journal the decision → attempt

All that can be refused is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from waivern.engine.decision_walk import work_left
from waivern.errors import Exit, worst
from waivern.ids import ArtifactId
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.journal_events import GateDecidedRecord, to_record
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs import decisions
from waivern.runs.attempt import carry_out
from waivern.runs.decisions import Decision
from waivern.runs.first_events import attempt_event
from waivern.runs.listed_sources import refuse_unreadable
from waivern.runs.prepare import opened
from waivern.runs.recorded_plan import plan_for_reading
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume_plan import ResumePlan, plan_resume
from waivern.runs.run_options import RunOptions
from waivern.runs.run_references import find, split
from waivern.runs.runbook_file import of_document
from waivern.runs.session import LockedRun, Session, locked, policies_of, secrets_of
from waivern.store.base import RunStore


def resume(request: RunRequest, store: RunStore, options: RunOptions) -> RunResult:
    """Make the next attempt at a run: restore what is complete and intact, produce the rest.

    `approved` in the request's data, where a single gate waits, is a decision by `request.by`.
    Raises RefusedError if the run is running elsewhere or the request does not fit it, ParamsError
    if a secret is missing, IntegrityError if its journal is damaged.
    """
    if request.source is not None:  # read once: the checks and the attempt see the same bytes
        request = request._replace(source=opened(request.source))
    with locked(store, run_of(request, store, options)) as run:
        gate, decision, data = decisions.within(run.record, request.data, request.by)
        request = request._replace(data=data)
        resumed = plan_resume(run.record, store, request, options)
        session = _session(run, resumed)
        if gate and decision:
            _decide(run, resumed.plan, gate, decision, options)
        return _continue(session, resumed, request)


class Decided(NamedTuple):
    """A decision that is recorded, and the attempt that followed it."""

    run_id: str
    event: GateDecidedRecord
    missing: int
    """The number of people who still have to approve."""
    result: RunResult | None
    """None if the run was not resumed."""


def approve(
    request: RunRequest,
    decision: Decision,
    store: RunStore,
    options: RunOptions,
    *,
    resume: bool = True,
    on_decided: Callable[[GateDecidedRecord], None] = lambda _event: None,
) -> Decided:
    """Record a decision at a gate, then resume the run from the recorded bytes.

    `request.run` is RUN/GATE, or RUN if a single gate waits. The decision is durable when
    `on_decided` is called. The run is not resumed without `resume`, nor while more people have to
    approve. Raises RefusedError, IntegrityError as `decisions.decided`, and what `resume` raises,
    all before anything is written.
    """
    reference, name = split(request.reference)
    request = request._replace(run=reference)
    with locked(store, run_of(request, store, options)) as run:
        gate = decisions.gate_of(run.record, name or None)
        resumed = plan_resume(run.record, store, request, options) if resume else None
        session = _session(run, resumed) if resumed else None
        plan = resumed.plan if resumed else plan_for_reading(run.record, store, options)
        event, missing = _decide(run, plan, gate, decision, options)
        on_decided(event)
        result = None
        if resumed and session and not missing:
            result = _continue(session, resumed, request)
        return Decided(run.record.metadata.run_id, event, missing, result)


def run_of(request: RunRequest, store: RunStore, options: RunOptions) -> str:
    """Return the id of the run that a request names; `@last` is one of its runbook, if any."""
    of = None
    if request.source is not None:
        runbook = opened(request.source)
        of = of_document(runbook.document, runbook.name)
    return find(store, request.reference, folder=options.folder, of=of)


def _session(run: LockedRun, resumed: ResumePlan) -> Session:
    """Return the session of the next attempt. Raises UsageError, ArtifactNotFoundError."""
    return Session(
        run.store,
        run.lease,
        run.record,
        resumed.prepared,
        resumed.options,
        resumed.evidence,
        resumed.only,
        resumed.data,
        policies_of(resumed.prepared, resumed.options, run.store),
    )


def _decide(
    run: LockedRun, plan: Plan, gate: ArtifactId, decision: Decision, options: RunOptions
) -> tuple[GateDecidedRecord, int]:
    """Journal a decision; return it, and how many more people have to approve."""
    asked = decisions.question(run.record, plan, gate)
    event = decisions.decided(asked, decision, run.record, run.store, options.clock)
    decisions.write(event, run.lease, run.record)
    return event, decisions.missing(asked, run.record, options.clock.now())


def _continue(session: Session, resumed: ResumePlan, request: RunRequest) -> RunResult:
    """Begin the next attempt at a run, if there is anything to do."""
    if not request.ask_again and _nothing_to_do(session, resumed):
        return _unchanged(session, resumed)
    store, lease, record, plan = session.store, session.lease, session.record, session.plan
    refuse_unreadable(session.prepared, store, record.metadata.run_id, session.evidence)
    options = session.options
    event = attempt_event(
        plan,
        options.clock,
        store,
        renewed=resumed.changed,
        invalidated=resumed.invalidated,
        forced=resumed.overrides,
        supplied=request.data,
        only=session.only,
        output=options.output,
    )
    names = {*record.steps, *plan.nodes}
    # The order is what a crash relies on: bytes that the event names are there before it is, and
    # files are removed only after the event that invalidates them is durable.
    lease.replace_runbook(plan.runbook.document.data)
    lease.replace_children(plan.children)
    lease.append([to_record(event)], sync=True)
    record.apply(event)
    lease.sweep(names - session.evidence.keys())
    lease.project(record.metadata.document(), record.state.document(), sync=True)
    result = carry_out(session)
    return replace(result, warnings=(*resumed.notes, *result.warnings))


def _nothing_to_do(session: Session, resumed: ResumePlan) -> bool:
    record = session.record
    if record.attempt_open or resumed.edits:
        return False
    if session.only is None and record.metadata.status != RunStatus.COMPLETED:
        return False
    return not work_left(session.plan, session.evidence, left_out(record), session.only)


def left_out(record: RunRecord) -> frozenset[str]:
    """Return the artifacts that a condition left out, and those that were skipped after them."""
    causes = {
        name: str((step.error or {}).get("cause"))
        for name, step in record.steps.items()
        if step.status is ArtifactStatus.SKIPPED
    }
    return frozenset(name for name, cause in causes.items() if causes.get(cause) == cause)


def _unchanged(session: Session, resumed: ResumePlan) -> RunResult:
    """Return the result of a run that has nothing to do: no attempt begins, nothing is journaled.

    The projections are written nevertheless: a crash may have followed the journal's last line.
    """
    store, lease, record = session.store, session.lease, session.record
    run = record.metadata
    lease.sweep(())
    lease.project(run.document(), record.state.document(), sync=True)
    secrets = secrets_of(session.plan, session.prepared.environ)
    tripped, outputs = session.tripped_policies(secrets), None
    if session.options.output is not None:
        from waivern.runs.output_delivery import deliver, requested

        # no attempt begins, so the journal does not record it
        record.output = requested(session.options.output, session.plan.runbook.document.folder)
        outputs = deliver(store, session.plan, record)
    codes = [Exit.OK, *([Exit.POLICY] if tripped else [])]
    return RunResult(
        run.run_id,
        run.status,
        None,
        None,
        worst(*codes, *([outputs.error.exit_code] if outputs and outputs.error else [])),
        record,
        session.plan,
        lease.head,
        nothing_to_do=True,
        policies=tripped,
        warnings=(*resumed.notes, *map(secrets.hide, session.policy_notes)),
        outputs=outputs,
        store=store,
    )
