"""What a resume looks at before anything is written: what is to be run, what lies on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from waivern.diagnostics import InvalidError
from waivern.errors import RefusedError
from waivern.ids import ArtifactId
from waivern.language import params
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.planning.changes import DefinitionChange, changes
from waivern.planning.plan import Plan
from waivern.planning.plan_components import NOTHING_MADE, RecordedComponent
from waivern.plugins.catalogue import Catalogue
from waivern.record.fold import ASK_AGAIN, RunRecord
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runs import recorded_runbooks
from waivern.runs.attempt import RunOptions
from waivern.runs.base_folder import BaseFolder, base_of
from waivern.runs.changed_versions import changed_since
from waivern.runs.child_files import changed as changed_children
from waivern.runs.prepare import PreparedRun, drafted, given_by, prepare, resolver
from waivern.runs.reuse_resolver import RecordedResolver, StoreResolver
from waivern.runs.run_changes import (
    RunChanges,
    changed_error,
    changed_files,
    others,
    unplannable,
)
from waivern.runs.run_params import NOTHING, GivenParams, RecordedParams
from waivern.runs.runbook_file import of_document, of_run
from waivern.runs.selection import EVERYTHING, Selection
from waivern.runs.trust import confirm, is_foreign
from waivern.store.base import RunStore

Source = str | Runbook | None
"""The path of a runbook, or a Runbook; None: what the run has kept."""


@dataclass(frozen=True)
class ResumeRequest:
    """On which terms a run is resumed."""

    allow_changed: bool = False
    """Although the runbook, a child or a parameter has changed: what that touches is made again."""
    force: bool = False
    """Although the run was cancelled."""
    ask_again: bool = False
    """Gates begin anew: what was decided before, and is no artifact yet, counts no longer."""
    params: GivenParams = NOTHING
    data: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """For the components that wait for something outside."""
    selection: Selection = EVERYTHING


@dataclass(frozen=True)
class ReadyRun:
    """All that a resume needs to know, with nothing written yet."""

    plan: Plan
    environ: Mapping[str, str] = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    edits: tuple[DefinitionChange, ...]
    """How what is to be run differs from what ran last, artifact by artifact."""
    renewed: bool
    """Whether anything of it differs, comments too."""
    forced: tuple[str, ...]
    """What a person overrides: `allow-changed`, `force`, `ask-again`."""
    notes: tuple[str, ...] = ()
    """What to tell about files that have changed since their bytes were kept."""


def ready(
    runbook: Runbook | None,
    record: RunRecord,
    store: RunStore,
    options: RunOptions,
    again: ResumeRequest,
) -> ReadyRun:
    """Look whether a run that is held can be resumed; without a runbook, from what it kept.

    Raises RefusedError if the run is one of another runbook, if it was cancelled (unless `force`),
    or if the runbook, a child or a parameter has changed (unless `allow_changed`); InvalidError,
    ParamsError.
    """
    run = record.metadata
    if runbook is not None:
        refuse_another(runbook, record, store)
    if run.status == RunStatus.CANCELLED and not again.force:
        raise RefusedError(
            f"run {run.run_id} was cancelled", hint="`--force` resumes it all the same"
        )
    now, notes = _prepared(runbook, record, store, options, again)
    found = RunChanges.of(now.plan, record)
    edits: tuple[DefinitionChange, ...] = ()
    if found:
        edits = _edits(now, record, store, options)
        if not again.allow_changed:
            raise changed_error(now.plan, record, found, edits)
    notes = (*notes, *changed_since(record, now.plan))
    forced = ["allow-changed"] if found else []
    forced += ["force"] if run.status == RunStatus.CANCELLED else []
    forced += [ASK_AGAIN] if again.ask_again else []
    return ReadyRun(now.plan, now.environ, now.catalogue, edits, bool(found), tuple(forced), notes)


def refuse_another(runbook: Runbook, record: RunRecord, store: RunStore) -> None:
    """Raise RefusedError if a run is one of another runbook than this, edited as it may be.

    A file is the same runbook at the same path, beside the same store, or with the same bytes; or
    with the same name, if the one that ran is not there any more.
    """
    run = record.metadata
    theirs, ours = of_run(store, run), of_document(runbook.document, runbook.name)
    if theirs.same_as(ours):
        return
    there = theirs.path is not None and os.path.lexists(theirs.path)
    if not there and theirs.path and ours.path and Path(theirs.path).name == Path(ours.path).name:
        return  # it was moved, and edited since
    hint = f"`wct runs resume {run.run_id}` continues it with what it ran; "
    if there:
        hint += f"`wct run {theirs.shown} --resume {run.run_id}` with the file as it is now"
    else:
        hint += "a file that was renamed and edited counts as another: name it as it was"
    raise RefusedError(
        f"run {run.run_id} is a run of {theirs.shown}, not of {ours.shown}", hint=hint
    )


def _prepared(
    runbook: Runbook | None,
    record: RunRecord,
    store: RunStore,
    options: RunOptions,
    again: ResumeRequest,
) -> tuple[PreparedRun, tuple[str, ...]]:
    if runbook is not None:
        return _from_file(runbook, record, store, options, again)
    output = record.output if options.output is None else None
    made = made_by(record)
    known = from_kept(record, store, options, again.params, made=made, output=output)
    notes = [*known.base.notes, *recorded_runbooks.since(record, known.base.folder, known.places)]
    given = given_by(options.project, known.prepared.plan)
    if changed := others(record.project, given):
        notes.append(
            f"the project's file says otherwise than when the run began ({', '.join(changed)}): "
            "the run goes on with what it said then"
        )
    return known.prepared, tuple(notes)


def _from_file(
    runbook: Runbook, record: RunRecord, store: RunStore, options: RunOptions, again: ResumeRequest
) -> tuple[PreparedRun, tuple[str, ...]]:
    run, folder = record.metadata, runbook.document.folder
    values = RecordedParams(run.run_id, run.params, again.params)
    try:
        draft = drafted(runbook, options.environ, values.bound)
        found = RecordedResolver(record.reuse, resolver(draft.runbook, store, run.run_id))
        kept_by = made_by(record)
        prepared = prepare(draft, found, options.environ, options.project, kept=kept_by)
    except InvalidError as error:
        if not again.allow_changed and (what := changed_files(runbook, record, options)):
            raise unplannable(runbook, record, what, error) from error
        raise
    names = again.params.names
    output = record.output if options.output is None else None
    confirm(record, store, prepared.plan, options, own=True, given=names, output=output)
    notes: tuple[str, ...] = ()
    if os.path.realpath(folder) != os.path.realpath(record.base):
        notes = (f"run {run.run_id} ran in {record.base}; this time, paths start from {folder}",)
    return prepared, notes


class RestoredRunbook(NamedTuple):
    """What a run kept, planned again."""

    prepared: PreparedRun
    base: BaseFolder
    places: Mapping[str, Path]
    """Where its children lie now, if they are there."""


def made_by(record: RunRecord) -> dict[ArtifactId, RecordedComponent]:
    """Return by which components the completed artifacts of a run were made."""
    done = (step.completed for step in record.steps.values())
    return {
        ArtifactId(each.artifact): RecordedComponent(each.component, each.version, each.schema)
        for each in done
        if each is not None
    }


def from_kept(
    record: RunRecord,
    store: RunStore,
    options: RunOptions,
    given: GivenParams,
    *,
    made: Mapping[ArtifactId, RecordedComponent] = NOTHING_MADE,
    output: str | None = None,
) -> RestoredRunbook:
    """Plan again what a run kept, in the folder that its relative paths start from now.

    What is in `made` needs no component any more; `output` is the folder that the run recorded to
    deliver to. Raises what `base_of` and `confirm` raise, InvalidError, ParamsError.
    """
    run = record.metadata
    base = base_of(record, store, options, foreign=bool(record.store) and is_foreign(record, store))
    values = RecordedParams(run.run_id, run.params, given)
    draft = drafted(
        recorded_runbooks.runbook(store, record, base.folder), options.environ, values.bound
    )
    children = recorded_runbooks.RecordedChildren(store, record, base.folder)
    fallback = StoreResolver(store, children, run.run_id, folder=base.folder)
    found = RecordedResolver(record.reuse, fallback)
    prepared = prepare(draft, found, options.environ, options.project, record.project, kept=made)
    templates = draft.runbook.config.template_paths
    confirm(
        record,
        store,
        prepared.plan,
        options,
        own=base.own and not changed_children(base.folder, templates, run.children),
        given=given.names,
        project=given_by(options.project, prepared.plan),
        output=output,
    )
    return RestoredRunbook(prepared, base, children.places)


def as_it_ran(
    record: RunRecord, store: RunStore, options: RunOptions, catalogue: Catalogue | None = None
) -> Plan:
    """Return the plan of what ran last, to be looked at: its secrets and variables stay open.

    Raises InvalidError if it cannot be planned here and now.
    """
    environ = {**recorded_runbooks.placeholders(store, record), **options.environ}
    folder = Path(record.base)
    old = recorded_runbooks.runbook(store, record, folder)
    draft = drafted(old, environ, lambda declared: params.kept(declared, record.metadata.params))
    children = recorded_runbooks.RecordedChildren(store, record, folder)
    fallback = StoreResolver(store, children, record.metadata.run_id, folder=folder)
    found = RecordedResolver(record.reuse, fallback)
    return prepare(
        draft, found, environ, options.project, record.project, catalogue, made_by(record)
    ).plan


def _edits(
    now: PreparedRun, record: RunRecord, store: RunStore, options: RunOptions
) -> tuple[DefinitionChange, ...]:
    plan = now.plan
    try:
        then = as_it_ran(record, store, options, now.catalogue)
        return tuple(changes(then.nodes, plan.nodes))
    except InvalidError:  # a component is gone, say: nothing tells what is still as it was
        what = "what it was made by cannot be planned any more"
        return tuple(DefinitionChange(name, what) for name in plan.nodes)


def refuse_other_params(plan: Plan, record: RunRecord) -> None:
    """Raise RefusedError if parameters differ from what the run recorded."""
    run = record.metadata
    if names := params.changed(plan.runbook.params, run.params, plan.params):
        raise RefusedError(
            f"run {run.run_id} had another value for: {', '.join(names)}",
            hint="a replay uses the same; for others, start a new run",
        )


def waiting(record: RunRecord) -> tuple[list[ArtifactId], list[ArtifactId]]:
    """Return what a run waits for: its gates that are open, and the components."""
    gates: list[ArtifactId] = []
    others: list[ArtifactId] = []
    for name, step in record.steps.items():
        if step.status is ArtifactStatus.SUSPENDED:
            (gates if step.gate else others).append(ArtifactId(name))
    return gates, others


def faults(
    store: RunStore, run_id: str, completed: Mapping[str, ArtifactCompletedRecord]
) -> dict[str, str]:
    """Return what is wrong with completed artifacts on the disk."""
    looks = {
        name: store.verify(run_id, name, size=done.size, digest=done.digest)
        for name, done in completed.items()
    }
    return {name: f"its file is {fault}" for name, fault in looks.items() if fault}
