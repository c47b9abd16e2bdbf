"""Queries for the runs of a store. They never import the engine."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from waivern.api import argument_types
from waivern.diagnostics import shown
from waivern.errors import RunNotFoundError, UsageError
from waivern.files import absolute
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import RunStatus
from waivern.runs import queries
from waivern.runs.listing import STATUSES, RunFilter, RunListing
from waivern.runs.moments import moment
from waivern.runs.run_references import find
from waivern.store.base import RunStore
from waivern.store.opening import open_store as at_url

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.record.execution_state import ExecutionState
    from waivern.record.step_record import StepRecord
    from waivern.runs.redact import Redaction

Store: TypeAlias = RunStore | str | os.PathLike[str] | None
"""A store, its URL or path; None: the one that `wct` uses in `project_root`."""
Folder: TypeAlias = str | os.PathLike[str] | None


class CorruptRunWarning(UserWarning):
    """A run was left out of a list because it cannot be read."""


def chosen(store: Store, project_root: Folder = None) -> RunStore:
    """Return the store that is meant.

    None: WAIVERN_STORE, else what the `waivern.yaml` nearest upward from `project_root` (the
    current folder) says, else the nearest `.waivern`; one in memory if the project wants no
    persistence. Raises UsageError or InvalidError if one of these is no good.
    """
    if isinstance(store, RunStore):
        return store
    return open_store(store, working_folder=project_root or ".") if store is None else at_url(store)


def open_store(
    url: str | os.PathLike[str] | None = None,
    *,
    trust: bool = False,
    working_folder: str | os.PathLike[str] = ".",
) -> RunStore:
    """Return the store at a path or URL; without one, the configured store of `working_folder`.

    That is the one that `wct` uses there: WAIVERN_STORE, else what the nearest `waivern.yaml`
    upward says, else the nearest `.waivern`; one in memory if persistence is off. Nothing is
    created or read yet; `trust` allows a store that other users could have written. Raises
    UsageError if it names no folder, or for a scheme of which no store is installed, InvalidError
    if `waivern.yaml` is wrong.
    """
    if url is not None:
        return at_url(url, trust=trust, working_folder=working_folder)
    from waivern.runs.settings import resolve

    folder = str(Path(absolute(working_folder)))
    settings = resolve(project_at(folder), folder=folder)
    if not settings.persistence_enabled.value or settings.persistence_backend.value == "memory":
        return at_url("memory:")
    return at_url(settings.store.value, trust=trust, working_folder=folder)


def folder_of(project_root: Folder) -> str | None:
    """Return the folder that paths in references start from; None: the current one."""
    return None if project_root is None else os.fspath(project_root)


def project_at(project_root: Folder) -> Project | None:
    """Return the project of the `waivern.yaml` nearest upward. Raises InvalidError."""
    from waivern.runs.locate import find_project

    return find_project(str(Path(absolute(project_root or "."))))


def list_runs(
    status: RunStatus | str | None = None,
    runbook: str | None = None,
    limit: int | None = 50,
    *,
    since: str | None = None,
    until: str | None = None,
    tags: str | Iterable[str] = (),
    store: Store = None,
    project_root: Folder = None,
) -> list[RunMetadata]:
    """Return the heads of runs, newest first: of all that fit, however they ended or if they run.

    `runbook` is its name, its path as it was typed, or the stem of that. `since` and `until` limit
    when it started: an age such as '30d', a date, or a time (UTC without a zone). `tags` are tags
    that it has, all of them. Each status is the truth
    at this moment: a run whose process was killed is `interrupted`. A run that cannot be read is
    left out with a CorruptRunWarning. `limit=None`: all of them.
    """
    argument_types.text("status", status, optional=True)
    argument_types.text("runbook", runbook, optional=True)
    argument_types.text("since", since, optional=True)
    argument_types.text("until", until, optional=True)
    now = time.time()
    wanted = RunFilter(
        status,
        runbook,
        None if since is None else moment(since, now),
        None if until is None else moment(until, now, ends=True),
        (tags,) if isinstance(tags, str) else tuple(tags),
    )
    if status is not None and status not in STATUSES:
        raise UsageError(
            f"status= cannot be {shown(status)}", hint=f"give one of {', '.join(sorted(STATUSES))}"
        )
    listing = RunListing(chosen(store, project_root))
    for found in listing.glances:
        if found.status in queries.DAMAGED and (row := listing.row(found.run_id)):
            warnings.warn(f"run {row.run_id}: {row.fault}", CorruptRunWarning, stacklevel=2)
    matching = (listing.row(found.run_id) for found in listing.matching(wanted))
    heads = (row.metadata for row in matching if row and row.metadata)
    return list(islice(heads, limit))


def load_run(run: str, *, store: Store = None, project_root: Folder = None) -> RunMetadata | None:
    """Return the head of a run, as things stand now; None if there is no such run.

    `run` is an id, a unique prefix of one, or a reference such as '@last'. Raises NotFoundError if
    it fits several, IntegrityError if the run is damaged.
    """
    where = chosen(store, project_root)
    try:
        return queries.load(where, find(where, run, folder=folder_of(project_root))).metadata
    except RunNotFoundError:
        return None


def load_steps(run: str, *, store: Store = None, project_root: Folder = None) -> list[StepRecord]:
    """Return a step for each artifact of a run, in the order of starting.

    Those that were never started come last. Raises RunNotFoundError if there is no such run, and
    what `load_run` raises.
    """
    from waivern.record.step_record import ordered

    where = chosen(store, project_root)
    return ordered(
        queries.load(where, find(where, run, folder=folder_of(project_root))).steps.values()
    )


def load_state(run: str, *, store: Store = None, project_root: Folder = None) -> ExecutionState:
    """Return the artifacts of a run by status. Raises what `load_steps` raises."""
    where = chosen(store, project_root)
    return queries.load(where, find(where, run, folder=folder_of(project_root))).state


def delete_run(
    run_id: str, *, force: bool = False, store: Store = None, project_root: Folder = None
) -> bool:
    """Remove a run, whole, and report whether there was one; `run_id` is its full id.

    Nothing is shown or confirmed before. Raises RefusedError if the run is running; also, without
    `force`, if it is pinned, waits for a decision or holds one, or cannot be read, or if another
    run reused an artifact of it.
    """
    from waivern.ids import parse_run_id
    from waivern.runs.retention import refusal, remove
    from waivern.runs.shutdown import settle

    where = chosen(store, project_root)
    if parse_run_id(run_id) not in where.runs():
        return False
    settle()
    removal = remove(where, [run_id], force=force)
    if refused := refusal(removal.spared):
        raise refused
    return True


def redact_run(
    run_id: str,
    artifact: str | None = None,
    *,
    by: str,
    reason: str | None = None,
    store: Store = None,
    project_root: Folder = None,
) -> Redaction:
    """Destroy the source content and the evidence that a run holds, or the content of an artifact.

    `run_id` is its full id; `by` is recorded with `reason`. Nothing is shown or confirmed before,
    and it cannot be undone. Copies in other runs of the store follow: those that could not be
    redacted are the `retained` of the result. Raises RefusedError if the run is running or pinned,
    RunNotFoundError, ArtifactNotFoundError, IntegrityError if its journal is damaged.
    """
    from waivern.clock import Clock
    from waivern.ids import parse_run_id
    from waivern.runs.redact import redact
    from waivern.runs.shutdown import settle

    argument_types.text("by", by)
    if not by:
        raise UsageError("by= is empty", hint="name the person who redacts")
    argument_types.text("artifact", artifact, optional=True)
    argument_types.text("reason", reason, optional=True)
    where = chosen(store, project_root)
    settle()
    return redact(where, parse_run_id(run_id), artifact, by, reason, Clock())
