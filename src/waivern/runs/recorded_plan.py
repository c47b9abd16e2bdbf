"""The plan of a recorded run: its runbook and children planned again from the recorded bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from waivern.ids import ArtifactId
from waivern.language import params
from waivern.planning.plan import Plan
from waivern.planning.plan_components import NOTHING_MADE, RecordedComponent
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue
from waivern.record.fold import RunRecord
from waivern.runs import recorded_runbooks
from waivern.runs.base_folder import BaseFolder, base_of
from waivern.runs.child_files import changed as changed_children
from waivern.runs.prepare import PreparedRun, drafted, prepare, used_by
from waivern.runs.reuse_resolver import RecordedResolver, StoreResolver
from waivern.runs.run_options import RunOptions
from waivern.runs.run_params import RecordedParams, RequestedParams
from waivern.runs.trust import confirm, is_foreign
from waivern.store.base import RunStore


class RestoredRunbook(NamedTuple):
    """A recorded runbook that has been planned again."""

    prepared: PreparedRun
    base: BaseFolder
    places: Mapping[str, Path]
    """The paths at which its children lie now, if they are there."""


def restored(
    record: RunRecord,
    store: RunStore,
    options: RunOptions,
    requested: RequestedParams,
    *,
    completed: Mapping[ArtifactId, RecordedComponent] = NOTHING_MADE,
    output: str | None = None,
) -> RestoredRunbook:
    """Plan a recorded runbook again, in the folder that its relative paths start from now.

    The components of the artifacts in `completed` may be missing; `output` is the folder to which
    the run recorded to deliver. Raises what `base_of` and `confirm` raise, InvalidError and
    ParamsError.
    """
    run = record.metadata
    base = base_of(record, store, options, foreign=bool(record.store) and is_foreign(record, store))
    values = RecordedParams(run.run_id, run.params, requested)
    runbook = recorded_runbooks.runbook(store, record, base.folder)
    draft = drafted(runbook, options.environ, values.bound)
    children = recorded_runbooks.RecordedChildren(store, record, base.folder)
    fallback = StoreResolver(store, children, run.run_id, folder=base.folder)
    lookups = RecordedResolver(record.reuse, LocalResolver(fallback))
    prepared = prepare(
        draft, lookups, options.environ, options.project, record.project, completed=completed
    )
    templates = draft.runbook.config.template_paths
    confirm(
        record,
        store,
        prepared.plan,
        options,
        own=base.own and not changed_children(base.folder, templates, run.children),
        supplied=requested.names,
        project=used_by(options.project, prepared.plan),
        output=output,
    )
    return RestoredRunbook(prepared, base, children.places)


def plan_for_reading(
    record: RunRecord, store: RunStore, options: RunOptions, catalogue: Catalogue | None = None
) -> Plan:
    """Return the plan of the last attempt, for reading only: secrets and variables stay open.

    Raises InvalidError if it cannot be planned here and now.
    """
    environ = {**recorded_runbooks.placeholders(store, record), **options.environ}
    folder = Path(record.base)
    runbook = recorded_runbooks.runbook(store, record, folder)
    draft = drafted(
        runbook, environ, lambda declared: params.restored(declared, record.metadata.params)
    )
    children = recorded_runbooks.RecordedChildren(store, record, folder)
    fallback = StoreResolver(store, children, record.metadata.run_id, folder=folder)
    lookups = RecordedResolver(record.reuse, LocalResolver(fallback))
    components = completed_components(record)
    return prepare(
        draft, lookups, environ, options.project, record.project, catalogue, components
    ).plan


def completed_components(record: RunRecord) -> dict[ArtifactId, RecordedComponent]:
    """Return the component that produced each completed artifact of a run."""
    completed = (step.completed for step in record.steps.values())
    return {
        ArtifactId(each.artifact): RecordedComponent(each.component, each.version, each.schema)
        for each in completed
        if each is not None
    }
