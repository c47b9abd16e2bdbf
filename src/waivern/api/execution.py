"""The arguments of the public functions, checked and turned into a store, options and a request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from waivern.api import argument_types
from waivern.api.run_queries import Folder, Store, chosen, folder_of, project_at
from waivern.diagnostics import shown
from waivern.errors import UsageError
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.record.annotations import Annotations
from waivern.runs.locate import refuse_not_stored, why_not_stored
from waivern.runs.output_delivery import usable
from waivern.runs.request import NO_DATA, RunRequest
from waivern.runs.run_options import RunOptions, fraction
from waivern.runs.run_params import RequestedParams
from waivern.runs.selection import Selection
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.runs.remote_resolver import RemoteResolver

Source: TypeAlias = str | os.PathLike[str] | Runbook
"""The path of a runbook, or a Runbook."""
Texts: TypeAlias = str | Iterable[str]
"""One text, or several."""

NO_PARAMS: Mapping[str, Json] = MappingProxyType({})
NO_METADATA: Mapping[str, Json] = MappingProxyType({})


class Execution(NamedTuple):
    """A store with the options of a run in it."""

    store: RunStore
    options: RunOptions
    not_stored: str | None
    """The reason why the store keeps nothing; None if it keeps its runs."""

    def refuse_without_runs(self, verb: str) -> None:
        """Raise RefusedError if the store keeps no runs, so that none can be resumed, say."""
        refuse_not_stored(self.not_stored, verb)


def execution(
    store: Store,
    project_root: Folder,
    *,
    max_concurrency: int | None = None,
    executor: str | None = None,
    max_failures: int | None = None,
    cache: bool | None = None,
    refresh: Texts = (),
    min_coverage: float | None = None,
    min_recall: float | None = None,
    fail_on: Texts = (),
    output: Folder = None,
    base: Folder = None,
    trust_run: bool = False,
    resolver: RemoteResolver | None = None,
) -> Execution:
    """Return the store and the options that the arguments name.

    Raises UsageError for a value that an argument cannot have, and what `chosen` raises.
    """
    if not isinstance(store, RunStore):
        argument_types.path("store", store, otherwise=", a URL, or a store")
    argument_types.path("project_root", project_root)
    argument_types.path("output", output)
    found = chosen(store, project_root)
    project = project_at(project_root)
    options = RunOptions(
        environ=dict(os.environ),
        project=project,
        folder=folder_of(project_root),
        base=_folder("base", base),
        trust_run=_switch("trust_run", trust_run) is True,
        max_concurrency=_count("max_concurrency", max_concurrency),
        executor=_executor(executor),
        max_failures=_count("max_failures", max_failures),
        cache=_switch("cache", cache),
        refresh=frozenset(_texts("refresh", refresh)),
        min_coverage=_percentage("min_coverage", min_coverage),
        min_recall=_share("min_recall", min_recall),
        fail_on=_texts("fail_on", fail_on),
        output=None if output is None else usable(os.fspath(output), found),
        resolver=resolver,
    )
    not_stored = None if store is not None else why_not_stored(None, os.environ, project)
    return Execution(found, options, not_stored)


def request(
    source: Source | None = None,
    *,
    run: str | None = None,
    run_id: str | None = None,
    params: Mapping[str, Json] | None = None,
    select: Texts = (),
    exclude: Texts = (),
    data: Mapping[str, Json] | None = None,
    by: str | None = None,
    allow_changed: bool = False,
    force: bool = False,
    ask_again: bool = False,
    metadata: Mapping[str, Json] = NO_METADATA,
) -> RunRequest:
    """Return the request that the arguments make. Raises UsageError for a wrong value."""
    argument_types.text("run", run, optional=True)
    argument_types.text("run_id", run_id, optional=True)
    argument_types.text("by", by, optional=True)
    for name, value in (("params", params), ("data", data)):
        if value is not None:
            argument_types.mapping(name, value)
    argument_types.mapping("metadata", metadata)
    switches = {"allow_changed": allow_changed, "force": force, "ask_again": ask_again}
    for name, switch in switches.items():
        argument_types.switch(name, switch)
    return RunRequest(
        source=None if source is None else readable(source),
        run=run,
        run_id=run_id,
        params=RequestedParams(values=params or NO_PARAMS),
        selection=Selection(_texts("select", select), _texts("exclude", exclude)),
        data=data or NO_DATA,
        by=by or "",
        annotations=Annotations.of(metadata),
        **switches,
    )


def readable(source: object) -> str | Runbook:
    """Return the source as the use cases take it. Raises UsageError for anything else."""
    if isinstance(source, Runbook):
        return source
    if source is None or isinstance(source, Mapping | bytes):
        hint = "give a path; a runbook's text goes through waivern.load(text=...)"
        kind = "None" if source is None else f"of the type {type(source).__name__}"
        raise UsageError(f"source= cannot be {kind}", hint=hint)
    argument_types.path("source", source, otherwise=", or what waivern.load returns")
    assert isinstance(source, str | os.PathLike)
    return os.fspath(source)


def _count(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and value is not True and value >= 1):
        return value
    raise _wrong(name, value, "a whole number from 1")


def _executor(name: object) -> str | None:
    """Return the name of an executor; that it is installed is checked before anything runs."""
    argument_types.text("executor", name, optional=True)
    assert name is None or isinstance(name, str)
    return name


def _percentage(name: str, value: object) -> Fraction | None:
    if value is None:
        return None
    if isinstance(value, int | float) and value is not True and 0 <= value <= 100:
        return fraction(value)
    raise _wrong(name, value, "a percentage from 0 to 100")


def _share(name: str, value: object) -> Fraction | None:
    if value is None:
        return None
    if isinstance(value, int | float) and value is not True and 0 <= value <= 1:
        return Fraction(str(value))
    raise _wrong(name, value, "a number from 0 to 1")


def _switch(name: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(name, value, "True or False")


def _folder(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return path
    raise _wrong(name, value, "the path of a folder")


def _texts(name: str, value: object) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    texts = tuple(each for each in found if isinstance(each, str))
    if len(texts) < len(found):
        raise _wrong(name, value, "a text, or several")
    return texts


def _wrong(name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{name}= cannot be {shown(repr(value))}", hint=f"give {wanted}")
