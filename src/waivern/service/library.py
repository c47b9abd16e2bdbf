"""The verbs of `wct` for programs: each takes what a program has, and calls the same use case."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from waivern.errors import RefusedError, UsageError
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.runbook import loader
from waivern.runbook.model import Runbook
from waivern.service import act
from waivern.service import check as checking
from waivern.service.act import Decided, Decision, Given, Options
from waivern.service.leaving import settle
from waivern.service.result import RunResult
from waivern.service.shelf import Folder, Store, chosen, project_at
from waivern.store.base import RunStore

if TYPE_CHECKING:  # it is for asyncio, whose import costs more than a small run
    from waivern.service.stream import Stream

Source: TypeAlias = str | os.PathLike[str] | Runbook
"""The path of a runbook, or a Runbook."""

NONE: Mapping[str, Json] = MappingProxyType({})


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    folder: Folder = None,
    name: str | None = None,
) -> Runbook:
    """Return the runbook in a file, or in a text.

    Of a text, `folder` (the current one) is where its relative paths start from, and `name` what it
    is called if it does not say so itself; its runs have no `runbook_path`. Raises InvalidError
    with everything that is wrong, NotFoundError if there is no such file.
    """
    if (path is None) == (text is None):
        raise UsageError("a runbook is loaded from a path or from a text", hint="give one of them")
    if path is not None:
        return loader.load(os.fspath(path), os.environ)
    data = (text or "").encode(errors="surrogatepass")  # refused as bytes are, with a position
    home = Path(folder or ".").absolute()
    return loader.parse(data, path=None, folder=home, environ=os.environ, name=name)


def plan(
    source: Source,
    *,
    params: Mapping[str, Json] = NONE,
    store: Store = None,
    project_root: Folder = None,
) -> Plan:
    """Return what a run of the runbook would do; writes nothing.

    The store is where `from_run` is looked for. Raises InvalidError with everything that is wrong
    with the runbook or the parameters, NotFoundError if there is no such file.
    """
    where, options = _situation(store, project_root)
    given = Given(values=params).bound
    return checking.check(
        _read(source), where, options.environ, given=given, project=options.project
    )


def run(
    source: Source,
    *,
    params: Mapping[str, Json] = NONE,
    store: Store = None,
    run_id: str | None = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
) -> RunResult:
    """Run a runbook in a new run, and return when it has ended or waits: look at `status`.

    `params` are values of the runbook's parameters, as from a file; `project_root` is the folder
    from which upward `waivern.yaml` and the store are looked for (the current one).

    Blocks: it is refused where an event loop is running, which wants `stream` or `run_async`.
    Raises, before anything is written, InvalidError if the runbook or a parameter is wrong,
    UsageError if `run_id` is, NotFoundError if there is no such file, RefusedError if there is such
    a run already.
    """
    begin = partial(act.start, _read(source), run_id=run_id, params=Given(values=params))
    return _blocking("run", begin, store, project_root, max_concurrency)


def resume(
    run: str,
    source: Source | None = None,
    *,
    params: Mapping[str, Json] = NONE,
    data: Mapping[str, Json] = NONE,
    by: str = "",
    allow_changed: bool = False,
    force: bool = False,
    ask_again: bool = False,
    store: Store = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
) -> RunResult:
    """Continue a run: keep what is there and intact, make the rest; return as `run` does.

    `run` is an id, a unique prefix of one, or a reference such as '@last'. Without `source` it goes
    on with the bytes that it kept. `params` are only needed for secrets, which are not kept. `data`
    is for the components that wait; `{"approved": True}` in it decides, in the name of `by`, on the
    one gate that waits. `allow_changed`: although the runbook, a child or a parameter is not what
    it was; `force`: although it was cancelled; `ask_again`: gates begin anew.

    Raises RefusedError if the run is at work, or these terms do not allow it; RunNotFoundError,
    IntegrityError if its records are damaged, and what `run` raises.
    """
    begin = partial(
        act.resume,
        None if source is None else _read(source),
        run,
        params=Given(values=params),
        data=data,
        by=by,
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
    )
    return _blocking("resume", begin, store, project_root, max_concurrency)


def replay(
    run: str,
    *,
    params: Mapping[str, Json] = NONE,
    store: Store = None,
    run_id: str | None = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
) -> RunResult:
    """Run again, in a new run, what a run kept: the same runbook, children and parameters.

    Nothing that it made is used. `params` are only needed for secrets. Raises RefusedError if they
    differ from those of the run, RunNotFoundError, and what `run` raises.
    """
    begin = partial(act.replay, run, run_id=run_id, params=Given(values=params))
    return _blocking("replay", begin, store, project_root, max_concurrency)


def approve(
    gate: str,
    *,
    by: str,
    approved: bool = True,
    note: str | None = None,
    data: Mapping[str, Json] = NONE,
    resume: bool = True,
    params: Mapping[str, Json] = NONE,
    store: Store = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
) -> Decided:
    """Record a person's decision on a gate, then continue the run where it stopped.

    `gate` is RUN/GATE, or RUN if a single gate waits; `approved=False` rejects; `data` is for what
    comes after the gate. With `resume=False`, and while more people have to approve, the run does
    not go on, and the `result` is None. Blocks, as `run` does, if the run goes on. Raises
    RefusedError if nothing waits to be decided, UsageError without a name, and what `resume` does.
    """
    _refuse_in_event_loop("approve")
    settle()
    where, options = _situation(store, project_root, max_concurrency)
    decision = Decision(approved, by, note, data)
    return act.approve(gate, where, options, decision, params=Given(values=params), onward=resume)


def stream(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    params: Mapping[str, Json] = NONE,
    data: Mapping[str, Json] = NONE,
    store: Store = None,
    run_id: str | None = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
    check: bool = True,
) -> Stream:
    """Return the events of a run as they happen, for asyncio.

    The run is a new one of `source`, or of what the run `replay` kept, or the next attempt at the
    run `resume`. Nothing happens before the first event is asked for: what the verbs of these names
    raise is raised there. After the last event RunFailed is raised if the run neither completed nor
    waits, unless `check` is false.
    """
    from waivern.service.stream import Stream

    given = Given(values=params)
    begin: Callable[[RunStore, Options], RunResult]
    if resume is not None and replay is None and run_id is None:
        known = None if source is None else _read(source)
        begin = partial(act.resume, known, resume, params=given, data=data)
    elif replay is not None and source is None and resume is None and not data:
        begin = partial(act.replay, replay, run_id=run_id, params=given)
    elif source is not None and resume is None and replay is None and not data:
        begin = partial(act.start, _read(source), run_id=run_id, params=given)
    else:
        raise UsageError(
            "these arguments do not go together",
            hint="give a source, with resume= or not; or replay= alone. data= is for resume=, "
            "run_id= for a new run",
        )
    where, options = _situation(store, project_root, max_concurrency)
    return Stream(lambda options: begin(where, options), options, where, check=check)


async def run_async(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    params: Mapping[str, Json] = NONE,
    data: Mapping[str, Json] = NONE,
    store: Store = None,
    run_id: str | None = None,
    project_root: Folder = None,
    max_concurrency: int | None = None,
) -> RunResult:
    """Do as `stream`, and return how it ended, as `run` does; cancelled, it ends the run."""
    events = stream(
        source,
        resume=resume,
        replay=replay,
        params=params,
        data=data,
        store=store,
        run_id=run_id,
        project_root=project_root,
        max_concurrency=max_concurrency,
        check=False,
    )
    async for event in events:
        if event.type == "run_finished":
            return event.result
    raise AssertionError("a stream ends with its run")


def _read(source: Source) -> str | Runbook:
    return source if isinstance(source, Runbook) else os.fspath(source)


def _situation(
    store: Store, project_root: Folder, max_concurrency: int | None = None
) -> tuple[RunStore, Options]:
    project = project_at(project_root)
    options = Options(project=project, max_concurrency=max_concurrency)
    return chosen(store, project_root), options


def _blocking(
    verb: str,
    begin: Callable[[RunStore, Options], RunResult],
    store: Store,
    project_root: Folder,
    max_concurrency: int | None,
) -> RunResult:
    _refuse_in_event_loop(verb)
    settle()
    return begin(*_situation(store, project_root, max_concurrency))


def _refuse_in_event_loop(verb: str) -> None:
    """Raise RefusedError where a blocking verb would hold up everything else."""
    asyncio = sys.modules.get("asyncio")  # its import costs more than a small run
    if asyncio is None:
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RefusedError(
        f"waivern.{verb}() would block the event loop that is running",
        hint="use `async for event in waivern.stream(...)` or `await waivern.run_async(...)`; "
        f"`await asyncio.to_thread(waivern.{verb}, ...)` cannot be cancelled",
    )
