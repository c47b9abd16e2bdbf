"""The settings of a run, each with its source.

The command line > the environment > the runbook's `config` > `waivern.yaml` > the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import reduce
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar, cast

from waivern.files import current_folder
from waivern.language.models import DEFAULT_CONCURRENCY
from waivern.message import Json
from waivern.runs.locate import VARIABLE, located, store_key

if TYPE_CHECKING:
    from waivern.diagnostics import Position
    from waivern.language.artifact_spec import Keep, OnChange, OnError
    from waivern.language.models import Runbook
    from waivern.language.project import Project


Kind: TypeAlias = Literal["option", "environment", "runbook", "project", "nearest", "default"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SettingSource:
    """The source of a setting: the option, the variable, or the line of a file."""

    kind: Kind
    name: str | None = None
    """The option, the variable, or the file as typed."""
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name or self.kind


DEFAULT = SettingSource("default")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value, under the name that a file gives it, and its source."""

    name: str
    value: T
    source: SettingSource = DEFAULT


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that has a default, in the order in which it is shown."""

    store: Setting[str]
    persistence_enabled: Setting[bool]
    persistence_backend: Setting[str]
    """The name of a backend; of one that is not shipped, the scheme of its URL."""
    max_concurrency: Setting[int]
    timeout: Setting[float | None]
    """Seconds for the whole run."""
    cache: Setting[bool | None]
    """None: each component says for itself."""
    on_error: Setting[OnError]
    keep: Setting[Keep | None]
    """None: what each connector can do."""
    on_change: Setting[OnChange]
    retention_keep_last: Setting[int | None]
    retention_older_than: Setting[str | None]
    """As `parse_age` reads it."""
    retention_status: Setting[tuple[str, ...]]
    retention_keep_failed: Setting[bool]
    retention_content: Setting[str | None]
    """As `parse_age` reads it."""


def resolve(
    project: Project | None,
    runbook: Runbook | None = None,
    *,
    store: str | None = None,
    max_concurrency: int | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: str | None = None,
) -> Settings:
    """Return the settings; `store` and `max_concurrency` are those of the command line.

    The store is looked for upward from `folder`, the current one unless given. Raises UsageError if
    something other than a folder is in its place.
    """
    files = _Files(project, runbook)
    width: Setting[int] = files.either("max_concurrency", DEFAULT_CONCURRENCY)
    if max_concurrency is not None:
        width = Setting(width.name, max_concurrency, SettingSource("option", "--max-concurrency"))
    cache: Setting[bool | None] = files.either("cache", None)
    keep: Setting[Keep | None] = files.either("keep", None)
    return Settings(
        store=_store(project, store, environ, folder or current_folder()),
        persistence_enabled=files.project("persistence.enabled", True),
        persistence_backend=files.project("persistence.backend", files.kind),
        max_concurrency=width,
        timeout=files.runbook("timeout", None),
        cache=cache,
        on_error=files.either("on_error", "skip"),
        keep=keep,
        on_change=files.either("on_change", "skip"),
        retention_keep_last=files.project("retention.keep_last", None),
        retention_older_than=files.project("retention.older_than", None),
        retention_status=files.project("retention.status", ()),
        retention_keep_failed=files.project("retention.keep_failed", False),
        retention_content=files.project("retention.content", None),
    )


def everything(
    settings: Settings, project: Project | None, runbook: Runbook | None
) -> Iterator[Setting[Json]]:
    """Yield each setting, then the other keys of the files, as written.

    References to variables stay references, so that no secret is in it.
    """
    for field in fields(settings):
        yield getattr(settings, field.name)
    if runbook:
        for key, value in _config(runbook).items():
            if key not in Settings.__dataclass_fields__:
                yield Setting(f"config.{key}", value, _in_runbook(runbook, key))
    if project and project.component_paths:
        paths = project.tree["component_paths"]
        yield Setting("component_paths", paths, _in_project(project, "component_paths"))
    for name, properties in project.components.items() if project else ():
        yield Setting(f"components.{name}", properties, _in_project(project, "components", name))


def _store(
    project: Project | None, typed: str | None, environ: Mapping[str, str], folder: str
) -> Setting[str]:
    url, reason = located(typed, environ, folder, project)
    match reason:
        case "project":
            source = _in_project(project, "persistence", store_key(cast("Project", project)))
        case "option":
            source = SettingSource(reason, "--store")
        case "environment":
            source = SettingSource(reason, VARIABLE)
        case _:
            source = SettingSource(reason)
    return Setting("store", url, source)


@dataclass(frozen=True, slots=True)
class _Files:
    """The two files that settings are in; either may be missing."""

    of_project: Project | None
    of_runbook: Runbook | None

    @property
    def kind(self) -> str:
        """The kind of the store, if the project file does not name its backend."""
        return self.of_project.persistence.kind if self.of_project else "filesystem"

    def either(self, name: str, default: T) -> Setting[T]:
        own = self.runbook(name, default)
        return self.project(name, default) if own.source is DEFAULT else own

    def runbook(self, name: str, default: T) -> Setting[T]:
        value = getattr(self.of_runbook.config, name) if self.of_runbook else None
        if self.of_runbook is None or value is None:
            return Setting(name, default)
        return Setting(name, value, _in_runbook(self.of_runbook, name))

    def project(self, name: str, default: T) -> Setting[T]:
        path = name.split(".")
        if self.of_project is None or self.of_project.position(*path) is None:
            return Setting(name, default)
        value = reduce(getattr, path, self.of_project)
        return Setting(name, cast(T, value), _in_project(self.of_project, *path))


def _in_project(project: Project | None, *at: str) -> SettingSource:
    return _at("project", project.position(*at) if project else None)


def _in_runbook(runbook: Runbook, key: str) -> SettingSource:
    return _at("runbook", runbook.document.problem("", "", ("config", key), on="key").position)


def _at(kind: Kind, position: Position | None) -> SettingSource:
    return SettingSource(kind, position.file, position.line) if position else SettingSource(kind)


def _config(runbook: Runbook) -> dict[str, Json]:
    """Return the runbook's `config` as written."""
    from waivern.yamldoc.tree import read
    from waivern.yamldoc.yaml_events import decode

    tree, _ = read(decode(runbook.document.data))
    return tree.get("config") or {}
