"""Running: start a run, resume one. Each use case reads from top to bottom.

start    load → plan → begin (whole, or not at all) → attempt
resume   load → lock → fold the journal → check → plan → verify → attempt
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.clock import Clock
from waivern.engine import rebuilder
from waivern.errors import Exit, RefusedError
from waivern.ids import ArtifactId, new_run_id, parse_run_id
from waivern.message import Json, sha256
from waivern.planning.plan import Plan
from waivern.planning.planner import make_plan
from waivern.record.events import (
    AttemptStarted,
    Event,
    RunStarted,
    to_record,
)
from waivern.record.fold import RunRecord
from waivern.record.status import RunStatus
from waivern.runbook.loader import load
from waivern.runbook.model import Runbook
from waivern.service.attempt import DEFAULT_GRACE_S, Options, RunResult, carry_out
from waivern.service.check import check
from waivern.service.children import ChildFiles
from waivern.service.read import fold
from waivern.service.references import RecordedResolver, StoreResolver, find, pins
from waivern.service.resuming import changed_error, edits, faults, is_current
from waivern.store.base import Birth, Lease, RunStore
from waivern.store.lock import this_process

__all__ = ["DEFAULT_GRACE_S", "Options", "RunResult", "resume", "start"]


def start(path: str, store: RunStore, options: Options, *, run_id: str | None = None) -> RunResult:
    """Run a runbook from a file, in a new run.

    Raises InvalidError before anything is written if the runbook or its plan is wrong.
    """
    plan = check(path, store, options.environ)
    chosen = new_run_id() if run_id is None else parse_run_id(run_id)
    record, events = _first_events(chosen, plan, options.clock)
    birth = Birth(
        plan.runbook.document.data,
        tuple(map(to_record, events)),
        record.metadata.document(),
        record.state.document(),
        plan.children,
    )
    lease = store.begin(chosen, birth, this_process())
    try:
        return carry_out(store, lease, plan, {}, record, options)
    finally:
        lease.release()


def resume(
    path: str,
    reference: str,
    store: RunStore,
    options: Options,
    *,
    allow_changed: bool = False,
    force: bool = False,
) -> RunResult:
    """Continue a run: keep what is there and intact, make the rest.

    Raises RefusedError if the run is running elsewhere, was cancelled (unless `force`), or its
    runbook has changed (unless `allow_changed`); IntegrityError if its journal is damaged.
    """
    runbook = load(path, options.environ)
    run_id = find(store, reference)
    lease = store.lock(run_id, this_process())
    try:
        return _resume(runbook, run_id, lease, store, options, allow_changed, force)
    finally:
        lease.release()


def _resume(
    runbook: Runbook,
    run_id: str,
    lease: Lease,
    store: RunStore,
    options: Options,
    allow_changed: bool,
    force: bool,
) -> RunResult:
    journal, record = fold(store, run_id)
    lines = journal.lines
    if record.metadata.status == RunStatus.CANCELLED and not force:
        raise RefusedError(f"run {run_id} was cancelled", hint="`--force` resumes it all the same")
    found = edits(runbook, record, store, options.environ)
    if runbook.document.digest != record.metadata.runbook_hash and not allow_changed:
        raise changed_error(runbook, record, found)
    plan = make_plan(
        runbook,
        RecordedResolver(
            record.reuse, StoreResolver(store, ChildFiles(runbook.document.folder), run_id)
        ),
        options.environ,
    )
    completed = {n: s.completed for n, s in record.steps.items() if s.completed}
    damaged = faults(store, run_id, completed)
    reasons: dict[str, str] = {edit.artifact: f"runbook changed: {edit.what}" for edit in found}
    fallen = rebuilder.invalid(plan, completed, damaged, reasons)
    evidence = {n: done for n, done in completed.items() if n in plan.nodes and n not in fallen}
    ended = None if record.attempt_open else record.metadata.status
    if ended == RunStatus.COMPLETED and not found and rebuilder.all_kept(plan, evidence):
        lease.discard(())  # a crash may have come when the journal had its end, and nothing else
        lease.project(record.metadata.document(), record.state.document(), sync=True)
        head = {"count": len(lines), "head": lines[-1].hash}
        if not is_current(store, run_id, head):  # a crash came between the journal and it
            lease.project(record.metadata.document(), record.state.document(), sync=True)
        return RunResult(run_id, ended, None, None, Exit.OK, record, plan, head, nothing_to_do=True)
    known = {*record.steps, *plan.nodes}
    event = _attempt_event(runbook, plan, record, fallen, force, options.clock)
    lease.keep_runbook(runbook.document.data)
    lease.append([to_record(event)], sync=True)
    record.apply(event)
    lease.discard(known - evidence.keys())
    lease.project(record.metadata.document(), record.state.document(), sync=True)
    return carry_out(store, lease, plan, evidence, record, options)


# the events that begin a run and an attempt


def _first_events(run_id: str, plan: Plan, clock: Clock) -> tuple[RunRecord, list[Event]]:
    runbook, at = plan.runbook, clock.now()
    first = RunStarted(
        at=at,
        run_id=run_id,
        artifacts=list(plan.declared),
        reuse=pins(plan),
        params=dict(plan.params),
        base=str(runbook.document.folder),
        runbook_name=runbook.name,
        runbook_version=runbook.version,
        runbook_path=runbook.document.path,
        children=_children(plan),
        aliases=_aliases(plan),
        sensitive=_sensitive(plan),
    )
    second = AttemptStarted(at, _owner(), runbook.document.digest)
    record = RunRecord(first)
    record.apply(second)
    return record, [first, second]


def _attempt_event(
    runbook: Runbook,
    plan: Plan,
    record: RunRecord,
    fallen: Mapping[ArtifactId, str],
    force: bool,
    clock: Clock,
) -> AttemptStarted:
    changed = runbook.document.digest != record.metadata.runbook_hash
    forced = ["allow-changed"] if changed else []
    if force and record.metadata.status == RunStatus.CANCELLED:
        forced.append("force")
    return AttemptStarted(
        at=clock.now(),
        owner=_owner(),
        runbook_hash=runbook.document.digest,
        artifacts=list(plan.declared) if changed else None,
        reuse=pins(plan) if changed else None,
        invalidated={str(name): why for name, why in fallen.items()},
        forced=forced,
    )


def _children(plan: Plan) -> list[dict[str, str]]:
    return [{"path": path, "sha256": sha256(data)} for path, data in sorted(plan.children.items())]


def _aliases(plan: Plan) -> dict[str, list[str]]:
    return {name: [str(id_) for id_ in ids] for name, ids in plan.aliases.items()}


def _sensitive(plan: Plan) -> list[str]:
    return [str(node.id) for node in plan.nodes.values() if node.sensitive]


def _owner() -> dict[str, Json]:
    owner = this_process()
    return {"host": owner.host, "pid": owner.pid}
