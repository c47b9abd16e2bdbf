"""A runbook and its plan, checked without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from waivern.diagnostics import Diagnostic
from waivern.errors import UsageError
from waivern.files import absolute
from waivern.ids import ArtifactId, is_text
from waivern.language import loader
from waivern.language.models import Runbook, RunbookDraft
from waivern.language.params import with_secrets
from waivern.language.validation import BindParams
from waivern.message import Json
from waivern.planning.defaults import NO_DEFAULTS, SETTINGS, ProjectDefaults
from waivern.planning.plan import Extract, Plan, Transform
from waivern.planning.plan_components import NOTHING_MADE, RecordedComponent
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver, Resolver
from waivern.plugins.catalogue import Catalogue
from waivern.runs.child_files import ChildFiles
from waivern.runs.reuse_resolver import StoreResolver
from waivern.store.base import RunStore
from waivern.yamldoc.document import YamlDocument

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.runs.remote_resolver import RemoteResolver


class PreparedRun(NamedTuple):
    """A plan with what it takes to carry it out."""

    plan: Plan
    environ: Mapping[str, str]
    """With the secret parameters in it."""
    catalogue: Catalogue
    """The components that the plan names."""

    def __repr__(self) -> str:
        return f"PreparedRun({self.plan!r})"  # the environment holds secrets


def check(
    source: str | Runbook,
    store: RunStore,
    environ: Mapping[str, str],
    *,
    bind_params: BindParams | None = None,
    project: Project | None = None,
    warnings: list[Diagnostic] | None = None,
    remote: RemoteResolver | None = None,
) -> Plan:
    """Return the plan of a runbook, which is read again if it is given as such.

    `bind_params` returns the values of its parameters; without it they have their defaults, or stay
    open. `remote` is consulted before files and the store. Raises NotFoundError if there is no such
    file, InvalidError with all that is wrong.
    """
    draft = drafted(source, environ, bind_params)
    found = resolver(draft.runbook, store, remote=remote)
    return prepare(draft, found, environ, project, warnings=warnings).plan


def resolver(
    runbook: Runbook,
    store: RunStore,
    reusing: str | None = None,
    remote: RemoteResolver | None = None,
) -> Resolver:
    """Return the resolver of the children and the other runs that a runbook refers to."""
    folder = runbook.document.folder
    local = LocalResolver(StoreResolver(store, ChildFiles(folder), reusing, folder=folder))
    if remote is None:
        return local
    from waivern.runs.remote_resolver import RemoteFirst  # few programs supply one

    return RemoteFirst(remote, local, folder)


def opened(source: str | Runbook) -> Runbook:
    """Return the runbook in a file, its bytes read and nothing else; a Runbook as it is.

    Raises NotFoundError if there is no such file.
    """
    if not isinstance(source, str):
        return source
    path = Path(source)
    folder = Path(absolute(path)).parent
    return Runbook.unread(path.stem, YamlDocument(source, folder, loader.read_bytes(path)))


def drafted(
    source: str | Runbook, environ: Mapping[str, str], bind_params: BindParams | None = None
) -> RunbookDraft:
    """Return the runbook in a file, or in the bytes that a Runbook was read from."""
    more = () if bind_params is None else (bind_params,)
    if isinstance(source, str):
        return loader.examine(source, environ, *more)
    return loader.draft(source.document, source.name, environ, *more)


def prepare(
    draft: RunbookDraft,
    lookups: Resolver,
    environ: Mapping[str, str],
    project: Project | None,
    recorded: Mapping[str, Json] | None = None,
    catalogue: Catalogue | None = None,
    completed: Mapping[ArtifactId, RecordedComponent] = NOTHING_MADE,
    warnings: list[Diagnostic] | None = None,
) -> PreparedRun:
    """Return the plan of a runbook as a project would have it carried out. Raises InvalidError.

    `recorded` is what counts in place of what the project's file gives: what it gave a run before.
    The components of the artifacts in `completed`, which a run has, may be missing.
    """
    document = draft.runbook.document
    if not is_text(f"{document.folder}/{document.path}"):
        raise UsageError(
            "the path of the runbook is not UTF-8, and could not be recorded",
            hint="rename the file or folder whose name is not",
        )
    catalogue = catalogue or catalogue_of(project)
    defaults = _defaults(project)
    if recorded is not None:
        settings = {name: recorded.get(name) for name in SETTINGS}
        defaults = ProjectDefaults(recorded.get("components", {}), **settings)
    plan = plan_at_once(draft, lookups, environ, defaults, catalogue, completed, warnings)
    plan = replace(plan, project=_used(defaults, plan))
    known = with_secrets(environ, draft.runbook.params, draft.values)
    return PreparedRun(plan, known, catalogue)


def used_by(project: Project | None, plan: Plan) -> dict[str, Json]:
    """Return what of a project's file a plan has a use for, whatever that was planned with."""
    return _used(_defaults(project), plan)


def _defaults(project: Project | None) -> ProjectDefaults:
    if project is None:
        return NO_DEFAULTS
    settings = {name: getattr(project, name) for name in SETTINGS}
    return ProjectDefaults(project.components, **settings, document=project.document)


def _used(defaults: ProjectDefaults, plan: Plan) -> dict[str, Json]:
    work = (node.work for node in plan.nodes.values())
    types = {each.type for each in work if isinstance(each, (Extract, Transform))}
    found = {name: dict(each) for name, each in defaults.components.items() if name in types}
    project = {"components": found, **{name: getattr(defaults, name) for name in SETTINGS}}
    return {name: value for name, value in project.items() if value}


def catalogue_of(project: Project | None) -> Catalogue:
    """Return the components that a project can name, each loaded when it is named."""
    if project is None:
        return Catalogue()
    return Catalogue(project.component_paths, within=project.document.folder)
