"""Running: start a run, resume one. Each use case reads from top to bottom.

start    load → plan → begin (whole, or not at all) → attempt
resume   load → lock → fold the journal → check → plan → verify → attempt
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from waivern.engine import rebuilder
from waivern.engine.executors import ThreadExecutor
from waivern.engine.ledger import Ledger, Observer
from waivern.engine.loop import Ending, Limits, Loop
from waivern.engine.producer import Producer
from waivern.errors import Exit, RefusedError, StoreError, WaivernError
from waivern.ids import ArtifactId, new_run_id, parse_run_id
from waivern.message import Json
from waivern.planning.changes import Change, changes
from waivern.planning.plan import Copy, Plan
from waivern.planning.planner import make_plan
from waivern.record.clock import Clock
from waivern.record.events import (
    ArtifactCompleted,
    ArtifactInvalidated,
    AttemptStarted,
    Event,
    RunStarted,
    from_record,
    to_record,
)
from waivern.record.fold import RunRecord
from waivern.record.status import RunStatus
from waivern.runbook import env
from waivern.runbook.loader import load, parse
from waivern.runbook.model import Process, Reuse, Runbook, Source
from waivern.runbook.secrets import Secrets
from waivern.service.references import RecordedResolver, StoreResolver, find, pins
from waivern.store.base import Birth, Lease, RunStore
from waivern.store.lock import this_process

DEFAULT_CONCURRENCY = 8
DEFAULT_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out; nothing here changes what it makes."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    max_concurrency: int | None = None
    """None: what the runbook says, else DEFAULT_CONCURRENCY."""
    grace_s: float = DEFAULT_GRACE_S
    """How long running work may go on after a signal."""
    listen: bool = False
    """Whether SIGINT, SIGTERM and SIGHUP stop the run; only in the main thread."""
    observers: tuple[Observer, ...] = ()
    """Told every event once it is durable, from a thread of the run's."""
    on_progress: Callable[[str, int, int | None], None] = lambda _artifact, _n, _total: None
    on_start: Callable[[Plan, RunRecord], None] = lambda _plan, _record: None
    """Told the plan and what is known of the run, when its attempt is about to begin."""
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run in one attempt."""

    run_id: str
    status: RunStatus
    reason: str | None
    error: str | None
    exit_code: int
    record: RunRecord
    plan: Plan
    nothing_to_do: bool = False
    stuck: bool = False
    """A blocked thread was left behind: only `os._exit` ends the process."""


async def start(
    path: str, store: RunStore, options: Options, *, run_id: str | None = None
) -> RunResult:
    """Run a runbook from a file, in a new run.

    Raises InvalidError before anything is written if the runbook or its plan is wrong.
    """
    runbook = load(path, options.environ)
    plan = make_plan(runbook, StoreResolver(store), options.environ)
    chosen = parse_run_id(run_id) if run_id else new_run_id()
    record, events = _first_events(chosen, plan, options.clock)
    birth = Birth(
        runbook.document.data,
        tuple(map(to_record, events)),
        record.metadata.document(),
        record.state.document(),
    )
    lease = await anyio.to_thread.run_sync(store.begin, chosen, birth, this_process())
    return await _attempt(store, lease, plan, {}, record, options)


async def resume(
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
    lease = await anyio.to_thread.run_sync(store.lock, run_id, this_process())
    try:
        return await _resume(runbook, run_id, lease, store, options, allow_changed, force)
    finally:
        lease.release()


async def _resume(
    runbook: Runbook,
    run_id: str,
    lease: Lease,
    store: RunStore,
    options: Options,
    allow_changed: bool,
    force: bool,
) -> RunResult:
    lines = store.read_journal(run_id).lines
    record = RunRecord.of(from_record(line.record) for line in lines)
    if record.metadata.status == RunStatus.CANCELLED and not force:
        raise RefusedError(f"run {run_id} was cancelled", hint="`--force` resumes it all the same")
    edits = _edits(runbook, record, store, options.environ)
    if runbook.document.digest != record.metadata.runbook_hash and not allow_changed:
        raise _changed(runbook, record, edits)
    plan = make_plan(runbook, RecordedResolver(record.reuse, StoreResolver(store)), options.environ)
    completed = {n: s.completed for n, s in record.steps.items() if s.completed}
    faults = await anyio.to_thread.run_sync(_faults, store, run_id, completed)
    reasons: dict[str, str] = {edit.artifact: f"runbook changed: {edit.what}" for edit in edits}
    fallen = rebuilder.invalid(plan, completed, faults, reasons)
    evidence = {n: done for n, done in completed.items() if n in plan.nodes and n not in fallen}
    ended = None if record.attempt_open else record.metadata.status
    if ended == RunStatus.COMPLETED and not edits and rebuilder.all_kept(plan, evidence):
        return _nothing_to_do(record, plan)
    events = _attempt_events(runbook, plan, record, fallen, allow_changed, force, options.clock)
    lease.keep_runbook(runbook.document.data)
    lease.append(map(to_record, events), sync=True)
    for event in events:
        record.apply(event)
    lease.discard(name for name in record.steps if name not in evidence)
    lease.project(record.metadata.document(), record.state.document(), sync=False)
    return await _attempt(store, lease, plan, evidence, record, options)


async def _attempt(
    store: RunStore,
    lease: Lease,
    plan: Plan,
    evidence: rebuilder.Evidence,
    record: RunRecord,
    options: Options,
) -> RunResult:
    """Carry out one attempt of a run that is held and whose journal says that it began."""
    run_id, settings = record.metadata.run_id, plan.runbook.settings
    _note(store, record)
    options.on_start(plan, record)
    width = options.max_concurrency or settings.max_concurrency or DEFAULT_CONCURRENCY
    secrets = Secrets(_variables(plan.runbook), options.environ)
    producer = Producer(
        store,
        plan.runbook.document.folder,
        options.environ,
        secrets,
        options.clock,
        options.on_progress,
    )

    def ledger(on_commit: Callable[[], None], on_error: Callable[[WaivernError], None]) -> Ledger:
        return Ledger(lease, record, options.clock, on_commit, on_error, options.observers)

    loop = Loop(
        plan,
        evidence,
        record,
        ledger,
        ThreadExecutor(producer, width),
        Limits(settings.timeout, options.grace_s),
        options.clock,
    )
    try:
        ending = await loop.run(listen=options.listen)
    finally:
        lease.release()
    _note(store, record)
    return _result(run_id, ending, record, plan)


def _result(run_id: str, ending: Ending, record: RunRecord, plan: Plan) -> RunResult:
    return RunResult(
        run_id,
        ending.status,
        ending.reason,
        ending.error,
        ending.exit_code,
        record,
        plan,
        stuck=ending.stuck,
    )


def _nothing_to_do(record: RunRecord, plan: Plan) -> RunResult:
    run = record.metadata
    return RunResult(run.run_id, run.status, None, None, Exit.OK, record, plan, nothing_to_do=True)


# the events that begin a run and an attempt


def _first_events(run_id: str, plan: Plan, clock: Clock) -> tuple[RunRecord, list[Event]]:
    runbook, at = plan.runbook, clock.now()
    first = RunStarted(
        at=at,
        run_id=run_id,
        artifacts=list(runbook.artifacts),
        reuse=_pins(plan),
        params={},
        base=str(runbook.document.folder),
        runbook_name=runbook.name,
        runbook_version=runbook.version,
        runbook_path=runbook.document.path,
    )
    second = AttemptStarted(at, _owner(), runbook.document.digest)
    record = RunRecord(first)
    record.apply(second)
    return record, [first, second]


def _attempt_events(
    runbook: Runbook,
    plan: Plan,
    record: RunRecord,
    fallen: Mapping[ArtifactId, str],
    allow_changed: bool,
    force: bool,
    clock: Clock,
) -> list[Event]:
    at, digest = clock.now(), runbook.document.digest
    changed = digest != record.metadata.runbook_hash
    forced = ["allow-changed"] if allow_changed and changed else []
    if force and record.metadata.status == RunStatus.CANCELLED:
        forced.append("force")
    artifacts: list[str] | None = list(runbook.artifacts) if changed else None
    started = AttemptStarted(
        at, _owner(), digest, artifacts, _pins(plan) if changed else None, forced
    )
    return [started, *(ArtifactInvalidated(at, name, why) for name, why in fallen.items())]


def _owner() -> dict[str, Json]:
    owner = this_process()
    return {"host": owner.host, "pid": owner.pid}


def _pins(plan: Plan) -> dict[str, dict[str, Json]]:
    reused = {}
    for node in plan.nodes.values():
        source = plan.runbook.artifacts[node.id].producer
        if isinstance(node.work, Copy) and isinstance(source, Reuse):
            reused[str(node.id)] = (source, node.work)
    return pins(reused)


# what resume checks


def _edits(
    runbook: Runbook, record: RunRecord, store: RunStore, environ: Mapping[str, str]
) -> list[Change]:
    """Return how the runbook differs from the one that ran last; nothing if the hash is equal."""
    digest = record.metadata.runbook_hash
    if runbook.document.digest == digest:
        return []
    kept = store.read_runbook(record.metadata.run_id, digest)
    folder, path = Path(record.started.base), record.metadata.runbook_path
    old = parse(kept, path=path, folder=folder, environ=_Anything(environ))
    return changes(old, runbook)


class _Anything(dict[str, str]):
    """An environment in which every variable is set: an old runbook is only compared, not run."""

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"${{{name}}}"


def _changed(runbook: Runbook, record: RunRecord, edits: list[Change]) -> RefusedError:
    run, digest = record.metadata, runbook.document.digest
    lines = [f"the runbook has changed since run {run.run_id}; resume refused"]
    lines += [f"  changed: {edit}" for edit in edits[:20]]
    if not edits:
        lines.append("  only comments, layout or texts for people differ")
    touched = [edit.artifact for edit in edits if _completed(record, edit.artifact)]
    if touched:
        lines.append("  touches completed: " + ", ".join(dict.fromkeys(touched)))
    lines += [f"  it ran with {run.runbook_hash}", f"  it is now   {digest}"]
    hint = "restore the file, start a new run, or add --allow-changed to re-run what it touches"
    return RefusedError("\n".join(lines), hint=hint)


def _completed(record: RunRecord, name: str) -> bool:
    return name in record.steps and record.steps[name].completed is not None


def _faults(
    store: RunStore, run_id: str, completed: Mapping[str, ArtifactCompleted]
) -> dict[str, str]:
    """Return what is wrong with completed artifacts on the disk."""
    found = {}
    for name, done in completed.items():
        if fault := store.verify(run_id, name, size=done.size, digest=done.digest):
            found[name] = f"its file is {fault}"
    return found


def _variables(runbook: Runbook) -> set[str]:
    """Return the environment variables that the runbook's components are given."""
    found: set[str] = set()
    for artifact in runbook.artifacts.values():
        if isinstance(artifact.producer, Source | Process):
            found |= env.names(artifact.producer.properties).keys()
    return found


# the store's history


def _note(store: RunStore, record: RunRecord) -> None:
    """Write a line of the store's history: the attempt starts, or it has ended."""
    run = record.metadata
    line: dict[str, Json] = {
        "at": run.updated_at,
        "event": "started" if record.attempt_open else "ended",
        "run_id": run.run_id,
        "runbook": run.runbook_path,
        "attempt": len(run.attempts),
        "status": str(run.status),
        "error": run.error,
    }
    try:
        store.note(line)
    except StoreError:
        return  # the run folder is the truth; a history that cannot be written must not stop a run
