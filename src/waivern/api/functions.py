"""The verbs of `wct` for programs: each takes what a program has, and calls the same use case."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from waivern.api import argument_types
from waivern.api.parameters import (
    ApproveTerms,
    ForecastTerms,
    PlanTerms,
    ReplayTerms,
    ResumeTerms,
    RunTerms,
)
from waivern.api.run_queries import Folder
from waivern.api.session import (
    NONE,
    ApiSession,
    Source,
    readable,
    refuse_others,
    situation,
)
from waivern.errors import RefusedError, UsageError
from waivern.files import absolute
from waivern.language import loader
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.runs import prepare as checking
from waivern.runs import rerun
from waivern.runs.decisions import Decision
from waivern.runs.locate import refuse_unkept
from waivern.runs.rerun import Decided
from waivern.runs.result import RunResult
from waivern.runs.shutdown import settle

if TYPE_CHECKING:  # the one costs more than a small run, the other is for those who ask
    from waivern.api.feed import Begin
    from waivern.api.stream import Stream
    from waivern.runs.forecast import Forecast


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
    argument_types.path("path", path)
    argument_types.path("folder", folder)
    argument_types.text("text", text, optional=True)
    argument_types.text("name", name, optional=True)
    if path is not None:
        return loader.load(os.fspath(path), os.environ)
    data = (text or "").encode(errors="surrogatepass")  # refused as bytes are, with a position
    home = Path(absolute(folder or "."))
    return loader.parse(data, path=None, folder=home, environ=os.environ, name=name)


def plan(source: Source, **terms: Unpack[PlanTerms]) -> Plan:
    """Return the plan of the runbook, which says what depends on what; writes nothing.

    The store is where `from_run` is looked for. Raises InvalidError with everything that is wrong
    with the runbook or the parameters, NotFoundError if there is no such file.
    """
    at = situation("plan", PlanTerms, terms)
    return checking.check(
        readable(source),
        at.store,
        at.options.environ,
        given=at.params.bound,
        project=at.options.project,
    )


def forecast(
    source: Source | None = None, *, resume: str | None = None, **terms: Unpack[ForecastTerms]
) -> list[Forecast]:
    """Return what `run` would do with each artifact, and why, in declared order; writes nothing.

    With `resume`, what that verb would do with this run, changed as the runbook may be. Raises what
    they would raise before anything is written.
    """
    from waivern.runs.forecast import forecast

    at = situation("forecast", ForecastTerms, terms)
    known = None if source is None else readable(source)
    if resume is not None:
        refuse_unkept(at.unkept, "resume")
    return forecast(known, at.store, at.options, params=at.params, resume=resume)


def run(source: Source, *, run_id: str | None = None, **terms: Unpack[RunTerms]) -> RunResult:
    """Run a runbook in a new run, and return when it has ended or waits: look at `status`.

    `RunTerms` says what the terms mean, and so does the class of each verb.

    Blocks: it is refused where an event loop is running, which wants `stream` or `run_async`.
    Raises, before anything is written, InvalidError if the runbook or a parameter is wrong,
    UsageError or ArtifactNotFoundError if a term or `run_id` is, NotFoundError if there is no such
    file, RefusedError if there is such a run already.
    """
    argument_types.text("run_id", run_id, optional=True)
    at = _blocking("run", RunTerms, terms)
    return at.start(source, run_id, at.options)


def resume(run: str, source: Source | None = None, **terms: Unpack[ResumeTerms]) -> RunResult:
    """Continue a run: keep what is there and intact, make the rest; return as `run` does.

    `run` is an id, a unique prefix of one, or a reference such as '@last'. Without `source` it goes
    on with the bytes that it kept.

    Raises RefusedError if the run is at work, or these terms do not allow it; RunNotFoundError,
    IntegrityError if its records are damaged, and what `run` raises.
    """
    argument_types.text("run", run)
    at = _blocking("resume", ResumeTerms, terms)
    return at.resume(run, source, terms, at.options)


def replay(run: str, *, run_id: str | None = None, **terms: Unpack[ReplayTerms]) -> RunResult:
    """Run again, in a new run, what a run kept: the same runbook, children and parameters.

    Nothing that it made is used, nor the cache. Raises RefusedError if the parameters differ from
    those of the run, RunNotFoundError, and what `run` raises.
    """
    argument_types.text("run", run)
    argument_types.text("run_id", run_id, optional=True)
    at = _blocking("replay", ReplayTerms, terms)
    return at.replay(run, run_id, at.options)


def approve(
    gate: str,
    *,
    by: str,
    approved: bool = True,
    note: str | None = None,
    data: Mapping[str, Json] = NONE,
    resume: bool = True,
    **terms: Unpack[ApproveTerms],
) -> Decided:
    """Record a person's decision on a gate, then continue the run where it stopped.

    `gate` is RUN/GATE, or RUN if a single gate waits; `approved=False` rejects; `data` is for what
    comes after the gate. With `resume=False`, and while more people have to approve, the run does
    not go on, and the `result` is None. Blocks, as `run` does, if the run goes on. Raises
    RefusedError if nothing waits to be decided, UsageError without a name, and what `resume` does.
    """
    argument_types.text("gate", gate)
    argument_types.text("by", by)
    argument_types.text("note", note, optional=True)
    argument_types.mapping("data", data)
    argument_types.switch("approved", approved)
    argument_types.switch("resume", resume)
    at = _blocking("approve", ApproveTerms, terms)
    refuse_unkept(at.unkept, "decide on")
    decision = Decision(approved, by, note, data)
    return rerun.approve(gate, at.store, at.options, decision, params=at.params, onward=resume)


def stream(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    run_id: str | None = None,
    check: bool = True,
    **terms: Unpack[ResumeTerms],
) -> Stream:
    """Return the events of a run as they happen, for asyncio.

    The run is a new one of `source`, or of what the run `replay` kept, or the next attempt at the
    run `resume`; the terms are those of the verbs of these names. Nothing happens before the first
    event is asked for: what the verbs raise is raised there, but what no run could be given, here.
    After the last event RunFailed is raised if the run neither completed nor waits, unless `check`
    is false.
    """
    from waivern.api.stream import Stream

    for name, value in (("resume", resume), ("replay", replay), ("run_id", run_id)):
        argument_types.text(name, value, optional=True)
    at = situation("stream", ResumeTerms, terms)
    given = {"source": source, "resume": resume, "replay": replay, "run_id": run_id, **terms}
    begin: Begin
    if resume is not None:
        refuse_others(given, "resume", "source", ResumeTerms)
        begin = partial(at.resume, resume, source, terms)
    elif replay is not None:
        refuse_others(given, "replay", "run_id", ReplayTerms)
        begin = partial(at.replay, replay, run_id)
    elif source is not None:
        refuse_others(given, "source", "run_id", RunTerms)
        begin = partial(at.start, source, run_id)
    else:
        raise UsageError("there is nothing to run", hint="give a source, resume= or replay=")
    return Stream(begin, at.options, at.store, check=check)


async def run_async(
    source: Source | None = None,
    *,
    resume: str | None = None,
    replay: str | None = None,
    run_id: str | None = None,
    **terms: Unpack[ResumeTerms],
) -> RunResult:
    """Do as `stream`, and return how it ended, as `run` does; cancelled, it ends the run."""
    events = stream(source, resume=resume, replay=replay, run_id=run_id, check=False, **terms)
    async for event in events:
        if event.type == "run_finished":
            return event.result
    raise AssertionError("a stream ends with its run")


def _blocking(verb: str, takes: type[PlanTerms], given: Mapping[str, object]) -> ApiSession:
    """Return what the terms of a blocking verb come to, where it may block."""
    _refuse_in_event_loop(verb)
    settle()
    return situation(verb, takes, given)


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
