"""The verbs for event loops, with anyio: they work under asyncio and under trio.

A run is carried out on a thread of its own, so that it never holds up the event loop. A function
that is cancelled interrupts its run, and returns when the run can be resumed. The arguments are
those of the functions of `waivern.api.functions`, and one more: `resolver` looks up child runbooks
and references to runs in a remote store, before files and `store`; its lookups are awaited in the
event loop of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from anyio import to_thread

from waivern.api import argument_types, functions
from waivern.api.execution import (
    NO_METADATA,
    Execution,
    Source,
    Texts,
    execution,
    readable,
    request,
)
from waivern.api.loop_resolver import LoopResolver
from waivern.api.run_queries import Folder, Store
from waivern.api.run_thread import Begin, result_of
from waivern.api.stream import Stream
from waivern.errors import UsageError
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.runs import replay as replaying
from waivern.runs import resume as resuming
from waivern.runs.remote_resolver import RemoteResolver
from waivern.runs.request import NO_DATA, RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume import Decided
from waivern.runs.start import start


async def aplan(
    source: Source,
    *,
    params: Mapping[str, Json] | None = None,
    resolver: RemoteResolver | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> Plan:
    """Return the plan of the runbook, as `plan` does, without holding up the event loop.

    `resolver` looks up child runbooks and references to runs first, if there is one. Raises what
    its lookups raise; StoreError for what is no WaivernError.
    """
    bridge = None if resolver is None else LoopResolver(resolver)
    planned = partial(
        functions.planned, source, params, store=store, project_root=project_root, remote=bridge
    )
    try:
        return await to_thread.run_sync(planned, abandon_on_cancel=bridge is not None)
    finally:
        if bridge is not None:
            bridge.cancel()


async def arun(
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
    fail_on: Texts = (),
    output: Folder = None,
    metadata: Mapping[str, Json] = NO_METADATA,
    trust_run: bool = False,
    resolver: RemoteResolver | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Run a runbook in a new run; return as `run` does. Cancelled, it interrupts the run."""
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        fail_on=fail_on,
        output=output,
        trust_run=trust_run,
        resolver=resolver,
    )
    requested = request(
        readable(source),
        run_id=run_id,
        params=params,
        select=select,
        exclude=exclude,
        metadata=metadata,
    )
    return await result_of(partial(start, requested, where.store), where.options)


async def aresume(
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
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    resolver: RemoteResolver | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Resume a run; return as `resume` does. Cancelled, it interrupts the run."""
    argument_types.text("run", run)
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        fail_on=fail_on,
        output=output,
        resolver=resolver,
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
    return await result_of(partial(resuming.resume, requested, where.store), where.options)


async def areplay(
    run: str,
    *,
    run_id: str | None = None,
    params: Mapping[str, Json] | None = None,
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    min_coverage: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Repeat a run as a new one; return as `replay` does. Cancelled, it interrupts the new run."""
    argument_types.text("run", run)
    where = execution(
        store,
        project_root,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
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
    return await result_of(partial(replaying.replay, requested, where.store), where.options)


async def aapprove(
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
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> Decided:
    """Record a decision on a gate, then resume the run, as `approve` does.

    Cancelled, it interrupts the run; a decision that is recorded stays.
    """
    decision = functions.decision_of(gate, by, approved, note, data, resume)
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
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
    begin = partial(resuming.approve, requested, decision, where.store, resume=resume)
    return await result_of(begin, where.options)


def stream(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    run_id: str | None = None,
    check: bool = True,
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
    fail_on: Texts = (),
    output: Folder = None,
    metadata: Mapping[str, Json] = NO_METADATA,
    base: Folder = None,
    trust_run: bool = False,
    resolver: RemoteResolver | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> Stream:
    """Return the events of a run as they happen.

    The run is a new one of `source`, the next attempt at the run `resume`, or a replay of the run
    `replay`; each takes the arguments of the function of this name. Nothing happens before the
    first event is awaited: errors of the run are raised there, errors of the arguments here. After
    the last event RunFailed is raised if the run neither completed nor waits, unless `check` is
    false.
    """
    for name, value in (("resume", resume), ("replay", replay), ("run_id", run_id)):
        argument_types.text(name, value, optional=True)
    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        fail_on=fail_on,
        output=output,
        resolver=resolver,
        base=base,
        trust_run=trust_run,
    )
    requested = request(
        source,
        run=resume if replay is None else replay,
        run_id=run_id,
        params=params,
        select=select,
        exclude=exclude,
        data=data,
        by=by,
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
        metadata=metadata,
    )
    passed = {
        "source": source,
        "resume": resume,
        "replay": replay,
        "run_id": run_id,
        "params": params,
        "select": select,
        "exclude": exclude,
        "data": data,
        "by": by,
        "allow_changed": allow_changed,
        "force": force,
        "ask_again": ask_again,
        "cache": cache,
        "refresh": refresh,
        "max_concurrency": max_concurrency,
        "executor": executor,
        "max_failures": max_failures,
        "min_coverage": min_coverage,
        "fail_on": fail_on,
        "output": output,
        "metadata": metadata,
        "resolver": resolver,
        "base": base,
        "trust_run": trust_run,
        "store": store,
        "project_root": project_root,
    }
    return Stream(_begin(passed, requested, where), where.options, where.store, check=check)


async def run_async(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    run_id: str | None = None,
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
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    store: Store = None,
    project_root: Folder = None,
) -> RunResult:
    """Run, resume or replay as `stream` does, and return the result.

    `arun`, `aresume` and `areplay` each do one of these, and are the names for new programs.
    """
    events = stream(
        source,
        resume=resume,
        replay=replay,
        run_id=run_id,
        check=False,
        params=params,
        select=select,
        exclude=exclude,
        data=data,
        by=by,
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
        cache=cache,
        refresh=refresh,
        max_concurrency=max_concurrency,
        executor=executor,
        max_failures=max_failures,
        min_coverage=min_coverage,
        fail_on=fail_on,
        output=output,
        base=base,
        trust_run=trust_run,
        store=store,
        project_root=project_root,
    )
    async for event in events:
        if event.type == "run_finished":
            return event.result
    raise AssertionError("a stream ends with its run")


_TAKES: dict[str, Callable[..., object]] = {
    "source": functions.run,
    "resume": functions.resume,
    "replay": functions.replay,
}
"""The function whose arguments go with each kind of a stream."""


def _begin(
    passed: Mapping[str, object], requested: RunRequest, where: Execution
) -> Begin[RunResult]:
    """Return the use case of a stream. Raises UsageError for arguments of another one."""
    kind = next((each for each in ("resume", "replay", "source") if passed[each] is not None), None)
    if kind is None:
        raise UsageError("there is nothing to run", hint="give a source, resume= or replay=")
    allowed = {kind, *_TAKES[kind].__annotations__} - {"run"}
    if kind != "replay":  # which looks up nothing: it repeats what the run recorded
        allowed.add("resolver")
    if others := [name for name, value in passed.items() if value and name not in allowed]:
        verb = "run" if kind == "source" else kind
        raise UsageError(
            f"{kind}= and {'=, '.join(others)}= cannot be combined",
            hint=f"with {kind}=, use the arguments of waivern.{verb}()",
        )
    if kind == "source":
        return partial(start, requested, where.store)
    where.refuse_without_runs(kind)
    use_case = resuming.resume if kind == "resume" else replaying.replay
    return partial(use_case, requested, where.store)
