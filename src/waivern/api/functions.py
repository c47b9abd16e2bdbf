"""The verbs of `wct` for programs: each checks its arguments and calls the same use case.

The arguments mean the same in every function that has them:

`params`           values of the runbook's parameters. For a recorded run only secrets are needed,
                   which are never stored.
`store`            a store, its path or its URL; None: the one that `wct` uses in `project_root`.
`project_root`     the folder from which `waivern.yaml` and the store are searched upward; None: the
                   current folder.
`select`, `exclude`  artifacts to produce, and not to produce, as in `wct run --select`; none: all.
`cache`            whether cached results are used; None: as the project says, else yes.
`refresh`          artifacts to rebuild although their results are known.
`max_concurrency`  artifacts at once; None: as the runbook says, else the project, else the default.
`executor`         the name of an installed executor; None: as the project says, else `auto`.
`max_failures`     failures after which nothing more is started: 1 is `--fail-fast`. None: no limit.
`min_coverage`     the least percentage of the sources that must be examined; below it, `exit_code`
                   is 6.
`min_recall`       the least share (0 to 1) of the planted values that each scan must find, alike.
`fail_on`          conditions over `artifacts`, `status` and `params`. Those that hold at the end
                   are the `policies` of the result, and make its `exit_code` 6.
`output`           a folder for copies of the artifacts marked `output: true`; the run records it
                   for later attempts. None: the folder that an earlier attempt recorded, if any.
`metadata`         annotations of a new run: `name`, `tags`, `note`, and `meta`, a mapping of texts.
`base`             the folder that relative paths of a recorded run start from; None: it is searched
                   for, and the call is refused if that is not clear.
`trust_run`        whether a run of another store may execute code, and read sources, that it
                   names.
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.api import argument_types
from waivern.api.event_loop import refuse_in_event_loop
from waivern.api.execution import (
    NO_METADATA,
    Source,
    Texts,
    execution,
    readable,
    request,
)
from waivern.api.run_queries import Folder, Store
from waivern.message import Json
from waivern.runs import replay as replaying
from waivern.runs import resume as resuming
from waivern.runs.decisions import Decision
from waivern.runs.request import NO_DATA
from waivern.runs.result import RunResult
from waivern.runs.resume import Decided
from waivern.runs.shutdown import settle
from waivern.runs.start import start


def run(
    source: Source,
    *,
    run_id: str | None = None,
    params: Mapping[str, Json] | None = None,
    select: Texts = (),
    exclude: Texts = (),
    cache: bool | None = None,
    refresh: Texts = (),
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    min_coverage: float | None = None,
    min_recall: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    metadata: Mapping[str, Json] = NO_METADATA,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Run a runbook in a new run; return when it has ended or waits: see `status` of the result.

    `run_id` is the id of the new run; None: a random one. The module describes the other arguments.

    It blocks, and is refused where an event loop is running: use `arun` or `stream` there. Raises,
    before anything is written, InvalidError if the runbook or a parameter is wrong, UsageError or
    ArtifactNotFoundError if another argument is, NotFoundError if there is no such file,
    RefusedError if there is such a run already.
    """
    refuse_in_event_loop("run", "arun")
    settle()
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        min_recall=min_recall,
        fail_on=fail_on,
        output=output,
        trust_run=trust_run,
    )
    requested = request(
        readable(source),
        run_id=run_id,
        params=params,
        select=select,
        exclude=exclude,
        metadata=metadata,
    )
    return start(requested, where.store, where.options)


def resume(
    run: str,
    source: Source | None = None,
    *,
    params: Mapping[str, Json] | None = None,
    select: Texts = (),
    exclude: Texts = (),
    data: Mapping[str, Json] | None = None,
    by: str | None = None,
    allow_changed: bool = False,
    force: bool = False,
    ask_again: bool = False,
    cache: bool | None = None,
    refresh: Texts = (),
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    min_coverage: float | None = None,
    min_recall: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Resume a run: restore what is complete and intact, produce the rest; return as `run` does.

    `run` is an id, a unique prefix of one, or a reference such as '@last'. Without `source` the
    recorded bytes of the runbook are used.

    `data` is for the components that wait; `{"approved": True}` in it decides on the gate, if one
    waits, in the name of `by`. `allow_changed` resumes although the runbook, a child or a parameter
    has changed, `force` although the run was cancelled; with `ask_again` gates ask again.

    Raises RefusedError if the run is running, or the arguments do not allow to resume it;
    RunNotFoundError, IntegrityError if its records are damaged, and what `run` raises.
    """
    argument_types.text("run", run)
    refuse_in_event_loop("resume", "aresume")
    settle()
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        min_recall=min_recall,
        fail_on=fail_on,
        output=output,
        base=base,
        trust_run=trust_run,
    )
    where.refuse_without_runs("resume")
    requested = request(
        source,
        run=run,
        params=params,
        select=select,
        exclude=exclude,
        data=data,
        by=by,
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
    )
    return resuming.resume(requested, where.store, where.options)


def replay(
    run: str,
    *,
    run_id: str | None = None,
    params: Mapping[str, Json] | None = None,
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    min_coverage: float | None = None,
    min_recall: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Repeat a run as a new one, with its recorded runbook, children and parameters.

    Nothing that it produced is used, nor the cache. Raises RefusedError if the parameters differ
    from those of the run, RunNotFoundError, and what `run` raises.
    """
    argument_types.text("run", run)
    refuse_in_event_loop("replay", "areplay")
    settle()
    where = execution(
        store,
        project_root,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        min_recall=min_recall,
        fail_on=fail_on,
        output=output,
        base=base,
        trust_run=trust_run,
    )
    where.refuse_without_runs("replay")
    requested = request(
        run=run,
        run_id=run_id,
        params=params,
    )
    return replaying.replay(requested, where.store, where.options)


def approve(
    gate: str,
    *,
    by: str,
    approved: bool = True,
    note: str | None = None,
    data: Mapping[str, Json] = NO_DATA,
    resume: bool = True,
    params: Mapping[str, Json] | None = None,
    cache: bool | None = None,
    refresh: Texts = (),
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    min_coverage: float | None = None,
    min_recall: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> Decided:
    """Record a person's decision on a gate, then resume the run.

    `gate` is RUN/GATE, or RUN if a single gate waits; `approved=False` rejects; `data` is for the
    artifacts after the gate. With `resume=False`, and while more people have to approve, the run is
    not resumed, and the `result` is None. It blocks as `run` does. Raises RefusedError if no
    decision is open, UsageError without a name, and what `resume` raises.
    """
    decision = decision_of(gate, by, approved, note, data, resume)
    refuse_in_event_loop("approve", "aapprove")
    settle()
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        min_recall=min_recall,
        fail_on=fail_on,
        output=output,
        base=base,
        trust_run=trust_run,
    )
    where.refuse_without_runs("decide on")
    requested = request(
        run=gate,
        params=params,
    )
    return resuming.approve(requested, decision, where.store, where.options, resume=resume)


def decision_of(
    gate: object,
    by: str,
    approved: bool,
    note: str | None,
    data: Mapping[str, Json],
    resume: object,
) -> Decision:
    """Return the decision that the arguments of `approve` make. Raises UsageError."""
    argument_types.text("gate", gate)
    argument_types.text("by", by)
    argument_types.text("note", note, optional=True)
    argument_types.mapping("data", data)
    argument_types.switch("approved", approved)
    argument_types.switch("resume", resume)
    return Decision(approved, by, note, data)
