"""The options of a run: settings of its execution that do not change what it produces."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from waivern.clock import Clock
from waivern.diagnostics import did_you_mean
from waivern.engine.ledger import Observer
from waivern.errors import ArtifactNotFoundError, RefusedError
from waivern.language.secrets import Secrets
from waivern.planning.plan import Plan
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.runs.remote_resolver import RemoteResolver

DEFAULT_GRACE_S = 5.0


class RunOptions(NamedTuple):
    """The way a run is carried out; nothing here changes the artifacts that it produces."""

    environ: Mapping[str, str]
    """The values of `${VAR}`, as they were when the run was requested."""
    project: "Project | None" = None
    """The settings that hold for all runbooks below the project's folder."""
    max_concurrency: int | None = None
    """Artifacts at once; None: as the runbook says, else the project, else DEFAULT_CONCURRENCY."""
    executor: str | None = None
    """The name of the executor; None: as the project says, else `auto`."""
    max_failures: int | None = None
    """Failures after which nothing more is started; None: no limit."""
    cache: bool | None = None
    """Whether cached results are used; None: as the project says, else yes."""
    refresh: frozenset[str] = frozenset()
    """Artifacts that are rebuilt although a result of theirs is known: ids, or aliases of them."""
    min_coverage: Fraction | None = None
    """The least part of the sources that must be examined, or the attempt ends with exit 6; None:
    as the runbook says."""
    min_recall: Fraction | None = None
    """The least part of the planted values that each scan must find, or the attempt ends with exit
    6; None: as the runbook says."""
    fail_on: tuple[str, ...] = ()
    """Conditions over `artifacts`, `status` and `params`, or over the fields of a finding, that
    make the attempt end with exit 6."""
    baseline: str | None = None
    """The run or file whose findings are not new."""
    reviewed: str | None = None
    """The file of reviewed findings; None: that of the data directory, if there is one."""
    folder: str | None = None
    """The folder of the caller: paths in references start here, and the project of a run that is
    resumed from recorded bytes is searched for here; None: the current folder."""
    base: str | None = None
    """The folder that relative paths of such a run start from; None: it is searched for."""
    trust_run: bool = False
    """Whether a run of another store may execute code that it names."""
    on_foreign: Callable[[str], None] = lambda _listing: None
    """Called with the listing of that code before any of it is executed."""
    output: str | None = None
    """The folder that outputs are delivered to; None: the one that the run recorded, if any."""
    grace_s: float = DEFAULT_GRACE_S
    """Seconds that running artifacts have after a signal."""
    listen: bool = False
    """Whether SIGINT, SIGTERM and SIGHUP stop the run; only in the main thread."""
    observers: tuple[Observer, ...] = ()
    """Called with every event from a thread of the run, completions once they are durable. An
    exception of an observer becomes a warning of the result, and nothing else."""
    on_progress: Callable[[str, Progress], None] = lambda _artifact, _progress: None
    on_output: Callable[[str | None, str], None] = lambda _artifact, _line: None
    """Called with each line that a component prints, redacted; None: of an unknown component."""
    all_output: bool = False
    """Whether `on_output` is also called with the lines that a component logs."""
    on_log: Callable[[Callable[[str], None] | None], None] = lambda _write: None
    """Called with a function that writes to the run's own log while that is open, and with None
    when everything has to be written."""
    on_start: Callable[[Plan, RunRecord], None] = lambda _plan, _record: None
    """Called with the plan and the record of the run when its attempt is about to begin."""
    on_secrets: Callable[[Secrets], None] = lambda _secrets: None
    """Called before that with the secrets to redact in everything that is shown."""
    on_stop: Callable[[str], None] = lambda _reason: None
    """Called with the reason why nothing more is started while running artifacts finish."""
    on_wait: Callable[[str], None] = lambda _reason: None
    """Called with a sentence when the run waits for components that cannot be stopped."""
    on_running: Callable[[Callable[[], None]], None] = lambda _halt: None
    """Called with a function that interrupts the attempt at once; any thread may call it."""
    resolver: "RemoteResolver | None" = None
    """The resolver that planning consults before files and the store; None: only those."""
    clock: Clock = Clock()

    @property
    def uses_cache(self) -> bool:
        """Whether cached results may be used: as the caller says, else the project, else yes."""
        project = self.project.cache if self.project else None
        return (self.cache if self.cache is not None else project) is not False

    @property
    def executor_name(self) -> str | None:
        """The name of the executor: as the caller says, else the project; None: the default."""
        if self.executor is not None:
            return self.executor
        return self.project.executor if self.project else None

    def resolved(self, plan: Plan) -> "RunOptions":
        """Return the options with artifact ids in `refresh` in place of aliases.

        Raises ArtifactNotFoundError for a name that the plan does not have, NotFoundError if the
        executor is not installed, RefusedError if it cannot keep a limit.
        """
        if self.executor_name is not None:
            from waivern.engine.shipped_executors import (  # its import takes time
                THREADS,
                find_executor,
            )

            find_executor(self.executor_name)
            if self.executor_name == THREADS:
                _refuse_memory_limits(plan)
        ids: set[str] = set()
        for name in sorted(self.refresh):
            if name not in plan.nodes and name not in plan.aliases:
                hint = did_you_mean(name, [*plan.nodes, *plan.aliases])
                raise ArtifactNotFoundError(f"--refresh: there is no artifact '{name}'", hint=hint)
            ids.update(plan.aliases.get(name, (name,)))
        return self._replace(refresh=frozenset(ids))


def _refuse_memory_limits(plan: Plan) -> None:
    """Raise RefusedError if an artifact has a limit that threads cannot keep."""
    limited = [node.id for node in plan.nodes.values() if node.max_memory is not None]
    if limited:
        raise RefusedError(
            f"'{limited[0]}' has `max_memory`, which the executor `threads` cannot keep",
            hint="use `--executor auto` or `--executor processes`, or remove `max_memory`",
        )


def fraction(percentage: float) -> Fraction:
    """Return a percentage as a fraction of 1, exactly as it is written."""
    return Fraction(str(percentage)) / 100
