"""What ran before, again: resume a run, decide and go on, run the same anew.

resume   lock → fold the journal → load → plan → check → verify → attempt
approve  lock → fold the journal → check the question → journal the decision → as resume
replay   what another run kept → plan → begin → attempt
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.record.journal_events import GateDecidedRecord
from waivern.runs import changed_variables, decisions, resume_checks, unjournaled
from waivern.runs.attempt import RunOptions, refreshing
from waivern.runs.decisions import Decision
from waivern.runs.prepare import opened
from waivern.runs.queries import load
from waivern.runs.result import RunResult
from waivern.runs.resume_attempt import HeldRun, ahead, go_on, hold, referred
from waivern.runs.resume_checks import ResumeRequest, Source, ready
from waivern.runs.run_params import NOTHING, GivenParams
from waivern.runs.run_references import find, split
from waivern.runs.selection import EVERYTHING, Selection
from waivern.runs.start import begin
from waivern.store.base import RunStore

NO_DATA: Mapping[str, Json] = MappingProxyType({})


def resume(
    source: Source,
    reference: str,
    store: RunStore,
    options: RunOptions,
    *,
    allow_changed: bool = False,
    force: bool = False,
    ask_again: bool = False,
    params: GivenParams = NOTHING,
    data: Mapping[str, Json] = NO_DATA,
    selection: Selection = EVERYTHING,
    by: str = "",
) -> RunResult:
    """Continue a run on the terms of `ResumeRequest`: keep what is there and intact, make the rest.

    `approved` in `data`, where a single gate waits, is a decision by `by`.
    Raises RefusedError if the run is running elsewhere or its terms do not allow it, ParamsError if
    a secret is not given again, IntegrityError if its journal is damaged.
    """
    runbook = None if source is None else opened(source)
    with hold(store, referred(store, reference, runbook, options)) as held:
        gate, decision, data = decisions.within(held.record, data, by)
        again = ResumeRequest(allow_changed, force, ask_again, params, data, selection)
        known = ready(runbook, held.record, store, options, again)
        options = refreshing(options, known.plan)
        start = ahead(held, known, options, again)
        if gate and decision:
            _decide(held, known.plan, gate, decision, options)
        return go_on(held, known, options, again, start)


class Decided(NamedTuple):
    """What became of a decision."""

    run_id: str
    event: GateDecidedRecord
    missing: int
    """How many more people have to approve."""
    result: RunResult | None
    """None if the run did not go on."""


def approve(
    reference: str,
    store: RunStore,
    options: RunOptions,
    decision: Decision,
    *,
    params: GivenParams = NOTHING,
    onward: bool = True,
    on_decided: Callable[[GateDecidedRecord], None] = lambda _event: None,
) -> Decided:
    """Decide on a gate, named RUN/GATE, or the only one of RUN; then continue from the kept bytes.

    The decision is durable before `on_decided` is told. The run stays as it is without `onward`,
    and while more people have to approve. Raises RefusedError, IntegrityError as `decide.decided`,
    and what `resume` raises, all before anything is written.
    """
    run, name = split(reference)
    again = ResumeRequest(params=params)
    with hold(store, referred(store, run, None, options)) as held:
        gate = decisions.gate_of(held.record, name or None)
        known = ready(None, held.record, store, options, again) if onward else None
        options = refreshing(options, known.plan) if known else options
        start = ahead(held, known, options, again) if known else None
        plan = known.plan if known else resume_checks.as_it_ran(held.record, store, options)
        event, missing = _decide(held, plan, gate, decision, options)
        on_decided(event)
        result = None
        if known and start and not missing:
            result = go_on(held, known, options, again, start)
        return Decided(held.record.metadata.run_id, event, missing, result)


def _decide(
    held: HeldRun, plan: Plan, gate: ArtifactId, decision: Decision, options: RunOptions
) -> tuple[GateDecidedRecord, int]:
    """Journal a decision; return it, and how many more people have to approve."""
    asked = decisions.question(held.record, plan, gate)
    event = decisions.decided(asked, decision, held.record, held.store, options.clock)
    decisions.write(event, held.lease, held.record)
    return event, decisions.missing(asked, held.record, options.clock.now())


def replay(
    reference: str,
    store: RunStore,
    options: RunOptions,
    *,
    run_id: str | None = None,
    params: GivenParams = NOTHING,
) -> RunResult:
    """Run again what a run kept, in a new run: its runbook, children, parameters and pins.

    Nothing that was made before is used but what the runbook reuses. Raises RefusedError if
    `params` differ from those of the run, ParamsError if a secret is not given again.
    """
    record = load(store, find(store, reference, folder=options.folder))
    unjournaled.refuse(store, record.metadata.run_id, "replayed")
    known = resume_checks.from_kept(record, store, options, params)
    resume_checks.refuse_other_params(known.prepared.plan, record)
    others = changed_variables.changed_since(
        record, known.prepared.plan, known.prepared.environ, store
    )
    of = record.metadata.run_id
    result = begin(known.prepared, store, options, run_id, EVERYTHING, replay_of=of)
    return replace(result, warnings=(*known.base.notes, *others, *result.warnings))
