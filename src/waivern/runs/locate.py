"""The location of store and project file: by option, by environment, or the nearest upward.

Without pathlib, whose import costs a tenth of what `wct runs` takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from waivern.data_directory import nearest_store, project_file
from waivern.errors import RefusedError, UsageError
from waivern.files import current_folder, destination
from waivern.ids import STORE

if TYPE_CHECKING:
    from waivern.language.project import Project

VARIABLE = "WAIVERN_STORE"
SWITCH_ON = "name the store of the run with --store, or switch persistence on"

Reason: TypeAlias = Literal["option", "environment", "project", "nearest", "default"]


class StoreLocation(NamedTuple):
    """The path or URL of a store, and why it is that one."""

    url: str
    reason: Reason


def locate(
    typed: str | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: str | None = None,
    *,
    recorded: bool = False,
) -> str:
    """Return the path or URL of the store; `folder` is the current one unless given.

    It need not be there yet. Raises UsageError if something other than a folder is in its place,
    InvalidError if a project file has to be asked and is wrong. With `recorded`, raises
    RefusedError if the project records no runs.
    """
    if asked := _asked(typed, environ):
        return asked.url
    folder = folder or current_folder()
    if path := project_file(folder):
        from waivern.language.project_file import store_path

        found = store_path(path, os.path.relpath(path))
        if found is None:
            project = find_project(folder)
            if recorded and (why := why_not_stored(None, {}, project)):
                raise RefusedError(
                    f"persistence is off ({why}): no runs are recorded", hint=SWITCH_ON
                )
            return located(None, {}, folder, project).url
        if found.url:
            return _usable(found.url, f"persistence ({found.position})")
    return (_nearest(folder) or StoreLocation(os.path.join(folder, STORE), "default")).url


def located(
    typed: str | None, environ: Mapping[str, str], folder: str, project: Project | None
) -> StoreLocation:
    """Return the store and why it is that one, with the project already known. Raises UsageError.

    The option, else the variable, else the project's path, else the nearest folder, else a new one.
    """
    if asked := _asked(typed, environ):
        return asked
    if project and (url := project.persistence.store(str(project.document.folder))):
        at = project.position("persistence", store_key(project))
        return StoreLocation(_usable(url, f"persistence ({at})"), "project")
    nearest = _nearest(folder)
    return nearest or StoreLocation(os.path.join(folder, STORE), "default")


def store_key(project: Project) -> str:
    """Return the key of `persistence` that chooses the store."""
    return next(key for key in ("path", "url", "backend") if getattr(project.persistence, key))


def why_not_stored(
    typed: str | None, environ: Mapping[str, str], project: Project | None
) -> str | None:
    """Return the setting that switches storing off, with its position; None if runs are stored.

    A store that was typed or set overrides it.
    """
    if project is None or project.persistence.recorded or typed or environ.get(VARIABLE):
        return None
    off = "enabled" if not project.persistence.enabled else "backend"
    return f"persistence.{off} in {project.position('persistence', off)}"


def refuse_not_stored(why: str | None, verb: str) -> None:
    """Raise RefusedError if runs are not stored, so that there is none to resume, for example."""
    if why is not None:
        raise RefusedError(
            f"persistence is off ({why}): there is no run to {verb}",
            hint=SWITCH_ON,
        )


def find_project(folder: str | None = None) -> Project | None:
    """Return the project of the nearest `waivern.yaml` upward from `folder`, the current one.

    One of another owner is passed over unless the folder is theirs, too: a file that a stranger
    puts into /tmp must not decide which code runs below it. Raises InvalidError.
    """
    path = project_file(folder or current_folder())
    if path is None:
        return None
    from waivern.language.project import load
    from waivern.record.status import RunStatus
    from waivern.runs.queries import DAMAGED

    return load(path, [*RunStatus, *DAMAGED], called=os.path.relpath(path))


def _asked(typed: str | None, environ: Mapping[str, str]) -> StoreLocation | None:
    if typed is not None:
        return StoreLocation(_usable(typed, "--store"), "option")
    if text := environ.get(VARIABLE):
        return StoreLocation(_usable(text, VARIABLE), "environment")
    return None


def _nearest(folder: str) -> StoreLocation | None:
    path = nearest_store(folder)
    return None if path is None else StoreLocation(path, "nearest")


def _usable(text: str, source: str) -> str:
    if not text or "\0" in text:
        raise UsageError(f"{source} does not name a folder", hint="give a path, file: or memory:")
    path = destination(text.removeprefix("file:"))
    if ":" not in path and os.path.exists(path) and not os.path.isdir(path):
        raise UsageError(
            f"{source} is {text!r}, which is not a folder",
            hint=f"a store is a folder such as '{STORE}'; it is created when it is needed",
        )
    return text
