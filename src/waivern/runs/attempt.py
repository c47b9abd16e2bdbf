"""One attempt: from the journal line that begins it to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from waivern.engine.cache import Cache, CacheRecorder
from waivern.engine.ledger import Ledger, Observer
from waivern.engine.logs import RunLogs
from waivern.engine.loop import Loop
from waivern.engine.producer import Producer
from waivern.engine.run_controls import Limits, RunControls
from waivern.engine.shipped_executors import find_executor
from waivern.errors import Exit, WaivernError, worst
from waivern.language.models import DEFAULT_CONCURRENCY
from waivern.language.secrets import Secrets
from waivern.planning.plan import AskPeople, Copy, Plan
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import Event
from waivern.record.status import RunStatus
from waivern.runs import annotation_requests, history
from waivern.runs.progress_file import ProgressFile
from waivern.runs.result import RunResult
from waivern.runs.run_options import RunOptions
from waivern.runs.run_requests import RunRequests
from waivern.runs.session import Session, secrets_of
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.engine.outcome import AttemptOutcome
    from waivern.runs.gate_notification import GateNotifier
    from waivern.runs.output_delivery import DeliveredOutputs


def carry_out(session: Session) -> RunResult:
    """Carry out an attempt that the journal says has begun; release the lease at its end."""
    store, lease, record, plan = session.store, session.lease, session.record, session.plan
    options, catalogue = session.options, session.prepared.catalogue
    if len(record.metadata.attempts) > 1:
        annotation_requests.grant(store, lease, record, options.clock)
    # to annotate: such a request may come as soon as the run can be seen
    lease.clear_requests(keep=annotation_requests.PREFIX)
    secrets = secrets_of(plan, session.prepared.environ)
    options.on_secrets(secrets)
    options.on_start(plan, record)
    notifier = _notifier(session)
    own = (notifier,) if notifier else ()
    observers = tuple(map(_GuardedObserver, (*own, *options.observers)))
    cache = _cache(session)
    logs = RunLogs(
        partial(store.log, session.run_id),
        secrets.hide,
        options.on_output,
        echo_all=options.all_output,
    )
    progress = ProgressFile(lease, record, options.clock, options.on_progress)
    loop = _loop(session, observers, secrets, cache, logs, progress.report)
    options.on_running(loop.halt)
    try:  # the lock is held until history, cache and outputs agree with the journal
        with _logging(logs, options):
            outcome = loop.run(listen=options.listen)
        warnings = _notified(notifier, outcome, secrets, record, observers)
        if logs.trouble is not None:
            warnings.append(f"the logs lack lines: {logs.trouble}")
        if cache is not None:
            warnings += _remember(cache, record)
        if outcome.reason in ("store", "integrity") and outcome.status != RunStatus.INTERRUPTED:
            warnings.append(f"run.json and state.json are behind the journal: {outcome.error}")
        warnings += [*map(str, outcome.left), *history.note(store, record)]
        warnings += (record.metadata.coverage or {}).get("warnings", [])
        warnings += _copies_without_journal(plan)
        warnings += [secrets.hide(fault) for each in observers if (fault := each.fault)]
        tripped = session.tripped_policies(secrets)
        warnings += map(secrets.hide, session.policy_notes)
        outputs = _delivered(store, plan, record)
    finally:
        progress.close()
        lease.release()
        catalogue.close()
    codes = [outcome.exit_code, *([Exit.POLICY] if tripped else [])]
    codes += [outputs.error.exit_code] if outputs and outputs.error else []
    return RunResult(
        session.run_id,
        outcome.status,
        outcome.reason,
        outcome.error,
        worst(*codes),
        record,
        plan,
        policies=tripped,
        journal=lease.head,
        warnings=tuple(warnings),
        stuck=outcome.stuck,
        outputs=outputs,
        store=store,
    )


def _loop(
    session: Session,
    observers: tuple[Observer, ...],
    secrets: Secrets,
    cache: Cache | None,
    logs: RunLogs,
    on_progress: Callable[[str, Progress], None],
) -> Loop:
    store, record, plan, options = session.store, session.record, session.plan, session.options
    prepared, settings, clock = session.prepared, plan.runbook.config, options.clock
    of_project = options.project.max_concurrency if options.project else None
    widths = (options.max_concurrency, settings.max_concurrency, of_project)
    width = next(filter(None, widths), DEFAULT_CONCURRENCY)
    producer = Producer(
        store,
        plan.runbook.document.folder,
        prepared.environ,
        secrets,
        clock,
        on_progress,
        cache,
        prepared.catalogue,
        logs,
    )
    if cache is not None:
        observers = (*observers, CacheRecorder(cache, session.run_id))
    return Loop(
        plan,
        session.evidence,
        record,
        partial(Ledger, session.lease, record, clock, observers),
        find_executor(options.executor_name)(producer, width),
        Limits(settings.timeout, options.grace_s, options.max_failures, plan.pools, session.only),
        clock,
        RunControls(
            RunRequests(store, session.lease, record, clock, secrets.hide).look,
            options.on_stop,
            options.on_wait,
            watch_s=store.watch_s,
        ),
        lambda artifact: session.data.get(artifact, {}),
    )


def _notifier(session: Session) -> GateNotifier | None:
    """Return what notifies people of gates that wait; None if no gate of the plan does."""
    works = ((str(node.id), node.work) for node in session.plan.nodes.values())
    asked = [(name, work) for name, work in works if isinstance(work, AskPeople)]
    notify = {name: work.notify for name, work in asked if work.notify is not None}
    if not notify:
        return None
    from waivern.runs.gate_notification import GateNotifier

    return GateNotifier(session, notify)


def _notified(
    notifier: GateNotifier | None,
    outcome: AttemptOutcome,
    secrets: Secrets,
    record: RunRecord,
    observers: tuple[Observer, ...],
) -> list[str]:
    """Journal the notifications of gates and report them; return the warnings."""
    if notifier is None:
        return []
    events, warnings = notifier.finish(
        secrets.hide,
        interrupted=outcome.status == RunStatus.INTERRUPTED,
        writable=outcome.reason not in ("store", "integrity"),
    )
    first = record.count - len(events) + 1
    for seq, event in enumerate(events, first):
        for observer in observers:
            observer(seq, event)
    return warnings


class _GuardedObserver:
    """An observer whose exceptions are counted and reported once; none reaches the run."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._first: BaseException | None = None
        self._times = 0

    def __call__(self, seq: int, event: Event) -> None:
        try:
            self._observer(seq, event)
        except BaseException as error:  # noqa: BLE001 - also SystemExit, which would end the thread
            self._first = self._first or error
            self._times += 1

    @property
    def fault(self) -> str | None:
        """The text about the exceptions of the observer; None if it raised none."""
        if self._first is None:
            return None
        name = getattr(self._observer, "__qualname__", type(self._observer).__name__)
        times = "once" if self._times == 1 else f"{self._times:,} times, first"
        return f"the observer {name} raised an error {times}: {self._first!r}"


@contextmanager
def _logging(logs: RunLogs, options: RunOptions) -> Iterator[None]:
    """Write what components print to the logs, and all of it before the attempt is over."""
    with logs.capturing():
        options.on_log(lambda line: logs.of(None).line(line, echo=True))
        try:
            yield
        finally:
            options.on_log(None)


def _cache(session: Session) -> Cache | None:
    """Return the cache that the attempt reads and fills; None for a replay, which uses none."""
    options = session.options
    if not options.uses_cache or session.record.metadata.replay_of is not None:
        return None
    return Cache(session.store, session.prepared.environ, options.refresh)


def _remember(cache: Cache, record: RunRecord) -> list[str]:
    if cache.trouble:
        return [f"no result was read from the cache or added to it: {cache.trouble}"]
    try:
        completed = (step.completed for step in record.steps.values())
        cache.remember(record.metadata.run_id, filter(None, completed))
    except WaivernError as error:
        return [f"the results were not added to the cache: {error.message}"]
    return []


def _copies_without_journal(plan: Plan) -> list[str]:
    """Return a warning for each artifact that is copied from a run without a journal."""
    works = ((node.id, node.work) for node in plan.nodes.values())
    return [
        f"'{name}' is reused from run {work.run}: no journal vouches for that run"
        for name, work in works
        if isinstance(work, Copy) and not work.seq  # journal lines are counted from 1
    ]


def _delivered(store: RunStore, plan: Plan, record: RunRecord) -> DeliveredOutputs | None:
    if record.output is None:
        return None
    from waivern.runs.output_delivery import deliver

    return deliver(store, plan, record)
