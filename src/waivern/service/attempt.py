"""One attempt: from a run that is held and has begun, to how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from waivern.clock import Clock
from waivern.engine import rebuilder
from waivern.engine.executors import ThreadExecutor
from waivern.engine.ledger import Ledger, Observer
from waivern.engine.loop import Loop
from waivern.engine.producer import Producer
from waivern.engine.terms import Limits, Wishes
from waivern.errors import StoreError, WaivernError
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.status import RunStatus
from waivern.runbook.secrets import Secrets
from waivern.service.result import RunResult
from waivern.store.base import Lease, RunStore

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
    on_stop: Callable[[str], None] = lambda _why: None
    """Told why nothing more is started, while what runs is let finish."""
    on_running: Callable[[Callable[[], None]], None] = lambda _halt: None
    """Told how to end the attempt at once, as interrupted; any thread may do so."""
    clock: Clock = field(default_factory=Clock)


def carry_out(
    store: RunStore,
    lease: Lease,
    plan: Plan,
    evidence: rebuilder.Evidence,
    record: RunRecord,
    options: Options,
) -> RunResult:
    """Carry out an attempt that the journal says has begun; the lease is released at its end."""
    run_id, settings = record.metadata.run_id, plan.runbook.settings
    lease.forget_requests()
    warnings = _note(store, record)
    options.on_start(plan, record)
    width = options.max_concurrency or settings.max_concurrency or DEFAULT_CONCURRENCY
    secrets = Secrets.of(plan.runbook, options.environ)
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
        Limits(settings.timeout, options.grace_s, pools=plan.pools),
        options.clock,
        Wishes(partial(_wish_to_cancel, store, run_id), options.on_stop),
    )
    options.on_running(loop.halt)
    try:
        ending = loop.run(listen=options.listen)
    finally:
        lease.release()
    if ending.reason == "store" and ending.status != RunStatus.INTERRUPTED:
        warnings.append(f"run.json and state.json are behind the journal: {ending.error}")
    warnings += _note(store, record)
    return RunResult(
        run_id,
        ending.status,
        ending.reason,
        ending.error,
        ending.exit_code,
        record,
        plan,
        journal=store.read_json(run_id, "run")["journal"],
        warnings=tuple(warnings),
        stuck=ending.stuck,
        store=store,
    )


def _wish_to_cancel(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return who wants the run cancelled; a store that cannot tell is asked again later."""
    try:
        return store.requests(run_id).get("cancel")
    except WaivernError:
        return None


def _note(store: RunStore, record: RunRecord) -> list[str]:
    """Write a line of the store's history: the attempt starts, or it has ended.

    The run folder is the truth: a history that cannot be written is a warning.
    """
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
    except StoreError as error:
        return [f"the history lacks a line: {error.message}"]
    return []
