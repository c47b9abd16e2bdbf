"""Plans and runs for the engine's tests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from engine_steps import Stage

from waivern.clock import Clock
from waivern.engine.awaiter import CoroutineRunner, carry_out
from waivern.engine.calls import Call, LeftBehind
from waivern.engine.executor import CallReport, Executor, ThreadExecutor
from waivern.engine.ledger import Ledger, Observer
from waivern.engine.logs import RunLogs
from waivern.engine.loop import Loop
from waivern.engine.outcome import AttemptOutcome
from waivern.engine.producer import Producer
from waivern.engine.rebuilder import invalid
from waivern.engine.run_controls import Limits, RunControls
from waivern.ids import ArtifactId
from waivern.language.loader import draft
from waivern.language.secrets import Secrets
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.call_scope import CallScope
from waivern.plugins.catalogue import Catalogue
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    AttemptStartedRecord,
    Event,
    RunStartedRecord,
    from_record,
    to_record,
)
from waivern.runs.child_files import ChildFiles
from waivern.runs.reuse_resolver import StoreResolver
from waivern.store.base import RunStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.store_values import InitialState, Owner
from waivern.store.writers import Lease
from waivern.yamldoc.document import YamlDocument

E = TypeVar("E")
MakeExecutor = Callable[[Producer], Executor]


class InlineExecutor:
    """Carries each call out where it is submitted: the order of things is always the same."""

    width = 1

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._awaiter = CoroutineRunner()

    def submit(self, call: Call, report: CallReport) -> None:
        report.began(call)
        scope = CallScope(call.artifact)
        outcome = carry_out(call, self._producer, self._awaiter, lambda _call: True, scope)
        report.done(call, outcome)

    def recall(self) -> list[Call]:
        return []

    def abandon(self, call: Call) -> None:
        """Too late: it has ended where it was submitted."""

    def lingers(self) -> bool:
        return False

    def close(self, patience_s: float) -> list[LeftBehind]:
        self._awaiter.close()
        return []


def inline(producer: Producer) -> Executor:
    return InlineExecutor(producer)


def threads(width: int = 4) -> MakeExecutor:
    return lambda producer: ThreadExecutor(producer, width)


@dataclass(frozen=True)
class Spec:
    """One artifact of a test's graph."""

    name: str
    inputs: tuple[str, ...] = ()
    optional: bool = False
    call: str = ""
    """Of `engine_steps`; `source` or `derived` where empty."""
    args: Mapping[str, Json] = field(default_factory=dict)


def runbook(stage: Stage, *specs: Spec, timeout: str | None = None) -> dict[str, Any]:
    """Return a runbook of `python` artifacts; each is told its name and the stage."""
    artifacts: dict[str, Any] = {}
    for spec in specs:
        call = spec.call or ("derived" if spec.inputs else "source")
        named = {} if call in ("raises", "raises_async", "returns", "leak", "leak_late") else {
            "token": stage.token,
            "name": spec.name,
        }  # fmt: skip
        properties = {"call": f"engine_steps:{call}", "args": {**named, **spec.args}}
        made = {"type": "python", "properties": properties}
        artifacts[spec.name] = (
            {"inputs": list(spec.inputs), "process": made} if spec.inputs else {"source": made}
        ) | ({"optional": True} if spec.optional else {})
    return {"artifacts": artifacts} | ({"config": {"timeout": timeout}} if timeout else {})


class FastClock(Clock):
    """Whenever it is looked at, a minute has passed: nobody waits for anything."""

    _minutes = count()

    def monotonic(self) -> float:
        return next(self._minutes) * 60.0


@dataclass(frozen=True)
class Settings:
    """How an attempt is made."""

    clock: Clock = Clock()  # noqa: RUF009 - a clock has no state
    chance: float = 1.0
    only: tuple[str, ...] | None = None
    max_failures: int | None = None
    given: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    folder: Path | None = None
    """Where child runbooks are."""
    on_wait: Callable[[str], None] = lambda _why: None
    catalogue: Catalogue = field(default_factory=Catalogue)


@dataclass
class Ran:
    """A run that is over."""

    ending: AttemptOutcome
    record: RunRecord
    store: RunStore
    plan: Plan
    events: list[Event]

    @property
    def statuses(self) -> dict[str, str]:
        return {name: str(step.status) for name, step in self.record.steps.items()}

    def error(self, name: str) -> dict[str, Json]:
        error = self.record.steps[name].error
        assert error is not None
        return error

    def state(self) -> dict[str, Json]:
        return self.store.read_json("r", "state")

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def content(self, name: str) -> Json:
        return asyncio.run(self.store.get("r", name)).content


def plan_of(
    document: Mapping[str, Any],
    store: RunStore,
    environ: Mapping[str, str],
    folder: Path | None = None,
    catalogue: Catalogue | None = None,
) -> Plan:
    data = json.dumps(document).encode()
    whole = draft(YamlDocument(None, Path.cwd(), data), "t", environ)
    resolver = StoreResolver(store, ChildFiles(folder or Path.cwd()))
    return plan_at_once(whole, LocalResolver(resolver), environ, catalogue=catalogue)


def execute(
    document: Mapping[str, Any],
    *,
    store: RunStore | None = None,
    executor: MakeExecutor = threads(),  # noqa: B008 - a function without state
    environ: Mapping[str, str] | None = None,
    observers: tuple[Observer, ...] = (),
    grace_s: float = 5,
    settings: Settings | None = None,
) -> Ran:
    """Plan a runbook and run it, as the service does."""
    store, environ, settings = store or AsyncInMemoryStore(), environ or {}, settings or Settings()
    plan = plan_of(document, store, environ, settings.folder, settings.catalogue)
    at = Clock().now()
    events: list[Event] = [
        RunStartedRecord(at, "r", list(plan.nodes), {}, {}, "/", "t", "1.0", None),
        AttemptStartedRecord(at, {"host": "h", "pid": 1}, plan.runbook.document.digest),
    ]
    record = RunRecord.of(events)
    initial = InitialState(
        b"", tuple(map(to_record, events)), record.metadata.document(), record.state.document()
    )
    lease = store.begin("r", initial, Owner("h", 1, at))
    return _attempt(plan, record, store, lease, executor, environ, observers, grace_s, settings)


def again(
    ran: Ran,
    document: Mapping[str, Any],
    *entered: Event,
    forced: tuple[str, ...] = (),
    executor: MakeExecutor = threads(),  # noqa: B008 - a function without state
    settings: Settings | None = None,
) -> Ran:
    """Enter events into a run that is over, and make another attempt at it."""
    store, at, settings = ran.store, Clock().now(), settings or Settings()
    plan = plan_of(document, store, {}, settings.folder, settings.catalogue)
    lease = store.lock("r", Owner("h", 1, at))
    record = RunRecord.of(ran.events)
    completed = {name: step.completed for name, step in record.steps.items() if step.completed}
    started = AttemptStartedRecord(
        at,
        {"host": "h", "pid": 1},
        plan.runbook.document.digest,
        invalidated={str(k): why for k, why in invalid(plan, completed, {}, {}).items()},
        forced=list(forced),
    )
    events = [*entered, started]
    lease.append(map(to_record, events), sync=False)
    for event in events:
        record.apply(event)
    return _attempt(plan, record, store, lease, executor, {}, (), 5, settings)


def _attempt(
    plan: Plan,
    record: RunRecord,
    store: RunStore,
    lease: Lease,
    executor: MakeExecutor,
    environ: Mapping[str, str],
    observers: tuple[Observer, ...],
    grace_s: float,
    settings: Settings,
) -> Ran:
    clock = settings.clock
    secrets, catalogue = Secrets(environ, environ), settings.catalogue
    logs = RunLogs(partial(store.log, record.metadata.run_id), secrets.hide)
    producer = Producer(store, Path.cwd(), environ, secrets, clock, catalogue=catalogue, logs=logs)
    only = None if settings.only is None else frozenset(map(ArtifactId, settings.only))
    loop = Loop(
        plan,
        {name: step.completed for name, step in record.steps.items() if step.completed},
        record,
        lambda commit, error: Ledger(lease, record, clock, observers, commit, error),
        executor(producer),
        Limits(plan.runbook.config.timeout, grace_s, settings.max_failures, plan.pools, only),
        clock,
        RunControls(on_wait=settings.on_wait, chance=lambda: settings.chance),
        lambda artifact: settings.given.get(artifact, {}),
    )
    try:
        ending = loop.run(listen=False)
    finally:
        logs.close()
        lease.release()
    lines = store.read_journal("r").lines
    return Ran(ending, record, store, plan, [from_record(line.record) for line in lines])


def join_workers() -> None:
    """Wait until no worker of any run is at work: their late results have come."""
    for thread in threading.enumerate():
        if thread.name.startswith("waivern-worker"):
            thread.join(10)
            assert not thread.is_alive()
