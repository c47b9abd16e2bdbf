"""One attempt: from a run that is held and has begun, to how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from waivern.clock import Clock
from waivern.diagnostics import did_you_mean
from waivern.engine import rebuilder
from waivern.engine.cache import Cache, CacheRecorder
from waivern.engine.executors import ThreadExecutor
from waivern.engine.ledger import Ledger, Observer
from waivern.engine.logs import RunLogs
from waivern.engine.loop import Loop
from waivern.engine.producer import Producer
from waivern.engine.run_controls import Limits, RunControls
from waivern.errors import ArtifactNotFoundError, Exit, WaivernError, worst
from waivern.ids import ArtifactId
from waivern.language import template
from waivern.language.models import DEFAULT_CONCURRENCY
from waivern.language.secrets import Secrets
from waivern.message import Json
from waivern.planning.plan import Copy, Extract, Plan, Transform
from waivern.record.fold import RunRecord
from waivern.record.journal_events import Event
from waivern.record.status import RunStatus
from waivern.runs import history
from waivern.runs.result import RunResult
from waivern.store.base import Lease, RunStore

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.plugins.catalogue import Catalogue
    from waivern.runs.output_delivery import DeliveredOutputs
    from waivern.runs.policies import EndPolicy

DEFAULT_GRACE_S = 5.0


class RunOptions(NamedTuple):
    """How a run is carried out; nothing here changes what it makes."""

    environ: Mapping[str, str]
    """What `${VAR}` stands for, as it was when the run was begun."""
    project: Project | None = None
    """What holds for all runbooks below its folder."""
    max_concurrency: int | None = None
    """None: what the runbook says, else the project, else DEFAULT_CONCURRENCY."""
    max_failures: int | None = None
    """After so many failures nothing more is started; None: never."""
    cache: bool | None = None
    """Whether what was made of the same before is taken; None: what the project says, else yes."""
    refresh: frozenset[str] = frozenset()
    """Artifacts that are made again all the same: ids, or names that stand for several."""
    min_coverage: Fraction | None = None
    """The least part of the sources that must be examined, or the attempt ends with exit 6; None:
    what the runbook says."""
    fail_on: tuple[str, ...] = ()
    """Conditions over `artifacts`, `status` and `params` that make the attempt end with exit 6."""
    folder: str | None = None
    """Where the verb is called: paths in references start here, and what a run that goes on from
    kept bytes needs is looked for here; None: the current folder."""
    base: str | None = None
    """The folder that relative paths of such a run start from; None: it is looked for."""
    trust_run: bool = False
    """Whether code may be run that a run of another store names."""
    on_foreign: Callable[[str], None] = lambda _said: None
    """Notified, before it is run, which code that is."""
    output: str | None = None
    """The folder that outputs are delivered to; None: the one that the run was given, if any."""
    grace_s: float = DEFAULT_GRACE_S
    """How long running work may go on after a signal."""
    listen: bool = False
    """Whether SIGINT, SIGTERM and SIGHUP stop the run; only in the main thread."""
    observers: tuple[Observer, ...] = ()
    """Told every event, what has come about once it is durable, from a thread of the run's. What
    one of them raises is a warning of the result, and nothing else."""
    on_progress: Callable[[str, int, int | None], None] = lambda _artifact, _n, _total: None
    on_output: Callable[[str | None, str], None] = lambda _artifact, _line: None
    """Notified of each line that a component prints, redacted; None: of an unknown component."""
    on_log: Callable[[Callable[[str], None] | None], None] = lambda _write: None
    """Given what writes to the run's own log, while that may be; None: write all of it now."""
    on_start: Callable[[Plan, RunRecord], None] = lambda _plan, _record: None
    """Told the plan and what is known of the run, when its attempt is about to begin."""
    on_secrets: Callable[[Secrets], None] = lambda _secrets: None
    """Told, before that, what is to be hidden in all that is shown."""
    on_stop: Callable[[str], None] = lambda _why: None
    """Told why nothing more is started, while what runs is let finish."""
    on_wait: Callable[[str], None] = lambda _why: None
    """Called with a sentence when the run waits for work of components that cannot be stopped."""
    on_running: Callable[[Callable[[], None]], None] = lambda _halt: None
    """Told how to end the attempt at once, as interrupted; any thread may do so."""
    clock: Clock = Clock()


@dataclass(frozen=True)
class AttemptInput:
    """What an attempt is told beside its plan."""

    environ: Mapping[str, str] = field(repr=False)
    """With the secret parameters in it."""
    only: frozenset[ArtifactId] | None = None
    """The artifacts that may be made; None: all."""
    given: Mapping[ArtifactId, dict[str, Json]] = field(default_factory=dict, repr=False)
    """What is handed to artifacts that waited."""
    policies: tuple[EndPolicy, ...] = ()
    catalogue: Catalogue | None = field(default=None, repr=False)
    """The components that the plan names; None: the installed ones."""


class Attempt(NamedTuple):
    """An attempt that the journal says has begun, and all it takes to carry it out."""

    store: RunStore
    lease: Lease
    plan: Plan
    evidence: rebuilder.Evidence
    """What is there and counts."""
    record: RunRecord
    options: RunOptions
    orders: AttemptInput


def carry_out(attempt: Attempt) -> RunResult:
    """Carry out an attempt; the lease is released at its end."""
    store, lease, plan, _, record, options, orders = attempt
    lease.clear_requests()
    warnings: list[str] = []
    secrets = hidden(plan, orders.environ)
    options.on_secrets(secrets)
    options.on_start(plan, record)
    cache = _cache(attempt)
    watched = list(map(_Watched, options.observers))
    options = options._replace(observers=tuple(watched))
    logs = RunLogs(partial(store.log, record.metadata.run_id), secrets.hide, options.on_output)
    loop = _loop(attempt._replace(options=options), secrets, cache, logs)
    options.on_running(loop.halt)
    try:  # nobody else removes or resumes the run before all is known of its end
        with _logging(logs, options):
            ending = loop.run(listen=options.listen)
        if logs.trouble is not None:
            warnings.append(f"the logs lack lines: {logs.trouble}")
        if cache is not None:
            warnings += _remember(cache, record)
        if ending.reason in ("store", "integrity") and ending.status != RunStatus.INTERRUPTED:
            warnings.append(f"run.json and state.json are behind the journal: {ending.error}")
        warnings += [*map(str, ending.left), *history.note(store, record)]
        warnings += (record.metadata.coverage or {}).get("warnings", [])
        warnings += _unvouched(plan)
        warnings += [secrets.hide(fault) for each in watched if (fault := each.fault)]
        held = tripped(orders, store, plan, record, secrets)
        outputs = _outputs(store, plan, record)
    finally:
        lease.release()
        if orders.catalogue is not None:
            orders.catalogue.close()
    code = worst(ending.exit_code, Exit.POLICY) if held else ending.exit_code
    if outputs and outputs.error:
        code = worst(code, outputs.error.exit_code)
    return RunResult(
        record.metadata.run_id,
        ending.status,
        ending.reason,
        ending.error,
        code,
        record,
        plan,
        policies=held,
        journal=lease.head,
        warnings=tuple(warnings),
        stuck=ending.stuck,
        outputs=outputs,
        store=store,
    )


def _unvouched(plan: Plan) -> list[str]:
    """Return a warning for each artifact that is copied from a run without a journal."""
    works = ((node.id, node.work) for node in plan.nodes.values())
    return [
        f"'{name}' is reused from run {work.run}: no journal vouches for that run"
        for name, work in works
        if isinstance(work, Copy) and not work.seq  # journal lines are counted from 1
    ]


class _Watched:
    """An observer whose exceptions are counted, and reported once; none reaches the run."""

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
        """What the observer raised; None if it raised nothing."""
        if self._first is None:
            return None
        name = getattr(self._observer, "__qualname__", type(self._observer).__name__)
        times = "once" if self._times == 1 else f"{self._times:,} times, first"
        return f"the observer {name} raised an error {times}: {self._first!r}"


@contextmanager
def _logging(logs: RunLogs, options: RunOptions) -> Iterator[None]:
    """Have what components print land in the logs; all of it is written at the end."""
    with logs.capturing():
        options.on_log(lambda line: logs.of(None).line(line, echo=True))
        try:
            yield
        finally:
            options.on_log(None)


def _cache(attempt: Attempt) -> Cache | None:
    """Return what the attempt takes from, and leaves things in, if it does: a replay does not."""
    options = attempt.options
    if not cache_wanted(options) or attempt.record.metadata.replay_of is not None:
        return None
    return Cache(attempt.store, attempt.orders.environ, options.refresh)


def _loop(attempt: Attempt, secrets: Secrets, cache: Cache | None, logs: RunLogs) -> Loop:
    store, lease, plan, evidence, record, options, orders = attempt
    run_id, settings, clock = record.metadata.run_id, plan.runbook.config, options.clock
    widths = (options.max_concurrency, settings.max_concurrency, _of_project(options))
    width = next(filter(None, widths), DEFAULT_CONCURRENCY)
    folder = plan.runbook.document.folder
    producer = Producer(
        store,
        folder,
        orders.environ,
        secrets,
        clock,
        options.on_progress,
        cache,
        orders.catalogue,
        logs,
    )
    notebook = (CacheRecorder(cache, run_id),) if cache else ()
    return Loop(
        plan,
        evidence,
        record,
        partial(Ledger, lease, record, clock, (*options.observers, *notebook)),
        ThreadExecutor(producer, width),
        Limits(settings.timeout, options.grace_s, options.max_failures, plan.pools, orders.only),
        clock,
        RunControls(
            partial(_wish_to_cancel, store, run_id),
            options.on_stop,
            options.on_wait,
            watch_s=store.watch_s,
        ),
        lambda artifact: orders.given.get(artifact, {}),
    )


def _outputs(store: RunStore, plan: Plan, record: RunRecord) -> DeliveredOutputs | None:
    if record.output is None:
        return None
    from waivern.runs.output_delivery import deliver

    return deliver(store, plan, record)


def refreshing(options: RunOptions, plan: Plan) -> RunOptions:
    """Return the options with ids in place of the names of what is to be made again.

    Raises ArtifactNotFoundError for a name that the plan does not have.
    """
    ids: set[str] = set()
    for name in sorted(options.refresh):
        if name not in plan.nodes and name not in plan.aliases:
            hint = did_you_mean(name, [*plan.nodes, *plan.aliases])
            raise ArtifactNotFoundError(f"--refresh: there is no artifact '{name}'", hint=hint)
        ids.update(plan.aliases.get(name, (name,)))
    return options._replace(refresh=frozenset(ids))


def cache_wanted(options: RunOptions) -> bool:
    """Say whether what was made of the same before may be taken, as far as was asked for."""
    project = options.project.cache if options.project else None
    return (options.cache if options.cache is not None else project) is not False


def _remember(cache: Cache, record: RunRecord) -> list[str]:
    if cache.trouble:
        return [f"nothing was taken from earlier runs, or kept for later ones: {cache.trouble}"]
    try:
        completed = (step.completed for step in record.steps.values())
        cache.remember(record.metadata.run_id, filter(None, completed))
    except WaivernError as error:
        return [f"what was made will not be found again: {error.message}"]
    return []


def policies(options: RunOptions, plan: Plan, catalogue: Catalogue) -> tuple[EndPolicy, ...]:
    """Return what must not hold at the end. Raises UsageError, ArtifactNotFoundError."""
    least = options.min_coverage
    if least is None and plan.runbook.config.min_coverage is not None:
        least = part(plan.runbook.config.min_coverage)
    if not options.fail_on and least is None:
        return ()
    from waivern.runs import policies

    found: tuple[EndPolicy, ...] = policies.read(options.fail_on, plan, catalogue)
    return found if least is None else (*found, policies.MinCoverage(least))


def part(per_cent: float) -> Fraction:
    """Return a percentage as a part of 1, exactly as it is written."""
    return Fraction(str(per_cent)) / 100


def tripped(
    orders: AttemptInput, store: RunStore, plan: Plan, record: RunRecord, secrets: Secrets
) -> tuple[str, ...]:
    """Say which policies are tripped, and by what."""
    found = (each.tripped_by(store, plan, record, secrets.hide) for each in orders.policies)
    return tuple(filter(None, found))


def hidden(plan: Plan, environ: Mapping[str, str]) -> Secrets:
    """Return what is to be hidden: the secret parameters, and the variables that the plan uses."""
    names = {name for name in environ if name.startswith(f"{template.PARAMS}.")}
    for node in plan.nodes.values():
        if isinstance(node.work, Extract | Transform):
            names |= template.names(node.work.properties).keys()
    return Secrets(names, environ)


def _of_project(options: RunOptions) -> int | None:
    return options.project.max_concurrency if options.project else None


def _wish_to_cancel(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return who wants the run cancelled; a store that cannot tell is asked again later."""
    try:
        return store.requests(run_id).get("cancel")
    except WaivernError:
        return None
