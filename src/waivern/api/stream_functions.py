"""Runs as streams of events, for event loops: each new run, resume and replay in one function.

The arguments are those of `waivern.api.async_functions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from waivern.api import argument_types, functions
from waivern.api.execution import (
    NO_METADATA,
    Execution,
    Source,
    Texts,
    execution,
    request,
)
from waivern.api.run_queries import Folder, Store
from waivern.api.run_thread import Begin
from waivern.api.stream import Stream
from waivern.errors import UsageError
from waivern.message import Json
from waivern.runs import replay as replaying
from waivern.runs import resume as resuming
from waivern.runs.remote_resolver import RemoteResolver
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.start import start


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
    min_recall: float | None = None,
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
    passed = {name: value for name, value in locals().items() if name != "check"}
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
        min_recall=min_recall,
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
    min_recall: float | None = None,
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
        min_recall=min_recall,
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
