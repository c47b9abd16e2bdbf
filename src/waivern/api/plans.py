"""Functions that load a runbook, plan it, and forecast what a run would do; they write nothing.

Their arguments are those of `waivern.api.functions`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from waivern.api import argument_types
from waivern.api.execution import (
    Source,
    Texts,
    execution,
    readable,
    request,
)
from waivern.api.run_queries import Folder, Store
from waivern.errors import UsageError
from waivern.files import absolute
from waivern.language import loader
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.runs import prepare

if TYPE_CHECKING:  # a forecast imports more than a small run
    from waivern.runs.forecast import Forecast
    from waivern.runs.remote_resolver import RemoteResolver


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    text: str | None = None,
    folder: Folder = None,
    name: str | None = None,
) -> Runbook:
    """Return the runbook in a file, or in a text.

    The relative paths of a text start from `folder` (the current one); `name` is its name unless it
    declares one; its runs have no `runbook_path`. Raises InvalidError with all problems,
    NotFoundError if there is no such file.
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


def plan(
    source: Source,
    *,
    params: Mapping[str, Json] | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> Plan:
    """Return the plan of the runbook: its artifacts and their dependencies; write nothing.

    `from_run` is looked up in the store. Raises InvalidError with all problems of the runbook or
    the parameters, NotFoundError if there is no such file.
    """
    return planned(source, params, store=store, project_root=project_root)


def planned(
    source: Source,
    params: Mapping[str, Json] | None,
    *,
    store: Store,
    project_root: Folder,
    remote: RemoteResolver | None = None,
) -> Plan:
    """Return the plan of the runbook, with a resolver that is consulted before files and store."""
    where = execution(store, project_root)
    requested = request(readable(source), params=params)
    return prepare.check(
        readable(source),
        where.store,
        where.options.environ,
        bind_params=requested.params.bound,
        project=where.options.project,
        remote=remote,
    )


def forecast(
    source: Source | None = None,
    *,
    resume: str | None = None,
    params: Mapping[str, Json] | None = None,
    select: Texts = (),
    exclude: Texts = (),
    cache: bool | None = None,
    refresh: Texts = (),
    base: Folder = None,
    store: Store = None,
    project_root: Folder = None,
) -> list[Forecast]:
    """Return what `run` would do with each artifact, and why, in declared order; write nothing.

    Artifacts that `select` and `exclude` leave out are not in the list.

    With `resume`, return what `resume` would do with this run, changed as the runbook may be.
    Raises what they would raise before anything is written.
    """
    from waivern.runs.forecast import forecast

    where = execution(
        store,
        project_root,
        cache=cache,
        refresh=refresh,
        base=base,
    )
    requested = request(source, run=resume, params=params, select=select, exclude=exclude)
    if resume is not None:
        where.refuse_without_runs("resume")
    return forecast(
        requested.source,
        where.store,
        where.options,
        params=requested.params,
        resume=resume,
        selection=requested.selection,
    )
