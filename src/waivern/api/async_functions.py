"""The verbs for event loops, with anyio: they work under asyncio and under trio.

A run is carried out on a thread of its own, so that it never holds up the event loop. A function
that is cancelled interrupts its run, and returns when the run can be resumed. The arguments are
those of the functions of `waivern.api.functions`, and one more: `resolver` looks up child runbooks
and references to runs in a remote store, before files and `store`; its lookups are awaited in the
event loop of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from anyio import to_thread

from waivern.api import argument_types, functions, plans
from waivern.api.execution import (
    NO_METADATA,
    Source,
    Texts,
    execution,
    readable,
    request,
)
from waivern.api.loop_resolver import LoopResolver
from waivern.api.run_queries import Folder, Store
from waivern.api.run_thread import result_of
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.runs import replay as replaying
from waivern.runs import resume as resuming
from waivern.runs.remote_resolver import RemoteResolver
from waivern.runs.request import NO_DATA
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
        plans.planned, source, params, store=store, project_root=project_root, remote=bridge
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
    min_recall: float | None = None,
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
        min_recall=min_recall,
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
    min_recall: float | None = None,
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
        min_recall=min_recall,
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
    min_recall: float | None = None,
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
    min_recall: float | None = None,
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
    begin = partial(resuming.approve, requested, decision, where.store, resume=resume)
    return await result_of(begin, where.options)
