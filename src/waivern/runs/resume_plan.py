"""The plan of a resume: checks of the request and the disk, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from waivern.diagnostics import InvalidError
from waivern.engine import rebuilder
from waivern.errors import RefusedError, SourceChangedError
from waivern.ids import ArtifactId
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.planning.changes import DefinitionChange, changes
from waivern.planning.graph import descendants
from waivern.planning.plan import Extract, Plan
from waivern.plugins.component import rereadable
from waivern.record.fold import ASK_AGAIN, RunRecord
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import RunStatus
from waivern.runs import changed_variables, recorded_runbooks
from waivern.runs.changed_versions import changed_since
from waivern.runs.decisions import waiting
from waivern.runs.foreign_sources import confirm_sources
from waivern.runs.prepare import PreparedRun, drafted, opened, prepare, resolver, used_by
from waivern.runs.recorded_plan import completed_components, plan_for_reading, restored
from waivern.runs.request import RunRequest
from waivern.runs.reuse_resolver import RecordedResolver
from waivern.runs.run_changes import (
    RunChanges,
    changed_error,
    changed_files,
    others,
    unplannable,
)
from waivern.runs.run_options import RunOptions
from waivern.runs.run_params import RecordedParams
from waivern.runs.runbook_file import of_document, of_run
from waivern.runs.selected_artifacts import selected
from waivern.runs.trust import confirm
from waivern.store.base import RunStore

REFRESHED = "it is to be refreshed"
LISTED_AGAIN = "its source has changed since it was listed"
READ_AGAIN = "it was redacted, and its source can be read again"


@dataclass(frozen=True)
class ResumePlan:
    """The next attempt at a run, as it would begin; nothing of it is written yet."""

    prepared: PreparedRun
    options: RunOptions
    """With artifact ids in `refresh`."""
    edits: tuple[DefinitionChange, ...]
    """The differences to the last attempt, artifact by artifact."""
    changed: bool
    """Whether anything differs from the last attempt, comments too."""
    overrides: tuple[str, ...]
    """The refusals that the caller overrides: `allow-changed`, `force`, `ask-again`."""
    evidence: rebuilder.Evidence
    """The completed artifacts that are restored."""
    invalidated: Mapping[ArtifactId, str]
    """The completed artifacts that are not, each with the reason."""
    only: frozenset[ArtifactId] | None = None
    """The artifacts that may be produced; None: all."""
    data: Mapping[ArtifactId, dict[str, Json]] = field(default_factory=dict, repr=False)
    """The data for the artifacts that wait."""
    notes: tuple[str, ...] = ()
    """Warnings about files and versions that have changed since the last attempt."""

    @property
    def plan(self) -> Plan:
        """The plan of the next attempt."""
        return self.prepared.plan


def plan_resume(
    record: RunRecord, store: RunStore, request: RunRequest, options: RunOptions
) -> ResumePlan:
    """Return the next attempt at a run, or refuse it.

    Raises RefusedError if the run is one of another runbook, if it was cancelled (unless `force`),
    if the runbook, a child or a parameter has changed (unless `allow_changed`), or if data come for
    a run that waits for none; InvalidError, ParamsError, UsageError, ArtifactNotFoundError.
    """
    run = record.metadata
    runbook = None if request.source is None else opened(request.source)
    if runbook is not None:
        refuse_another(runbook, record, store)
    if run.status == RunStatus.CANCELLED and not request.force:
        raise RefusedError(
            f"run {run.run_id} was cancelled", hint="`--force` resumes it all the same"
        )
    if runbook is None:
        prepared, notes = _from_record(record, store, request, options)
    else:
        prepared, notes = _from_file(runbook, record, store, request, options)
    found = RunChanges.of(prepared.plan, record)
    edits = _edits(prepared, record, store, options) if found else ()
    if found and not request.allow_changed:
        raise changed_error(prepared.plan, record, found, edits)
    options = options.resolved(prepared.plan)
    evidence, invalidated = _evidence(prepared, record, store, options, edits)
    confirm_sources(prepared.plan, store, options, record, evidence)
    data = _data_for_waiting(record, request.data)
    only = selected(prepared.plan, request.selection, store, options, record, evidence)
    variables = changed_variables.changed_since(
        record, prepared.plan, prepared.environ, store, unknown_too=False
    )
    overridden = {
        "allow-changed": bool(found),
        "force": run.status == RunStatus.CANCELLED,
        ASK_AGAIN: request.ask_again,
    }
    return ResumePlan(
        prepared,
        options,
        edits,
        bool(found),
        tuple(name for name, is_set in overridden.items() if is_set),
        evidence,
        invalidated,
        only,
        data,
        (*notes, *changed_since(record, prepared.plan), *variables),
    )


def refuse_another(runbook: Runbook, record: RunRecord, store: RunStore) -> None:
    """Raise RefusedError if a run is one of another runbook than this, edited as it may be.

    A file is the same runbook at the same path, beside the same store, or with the same bytes; or
    with the same name, if the one that ran is not there any more.
    """
    run = record.metadata
    theirs, ours = of_run(store, run), of_document(runbook.document, runbook.name)
    if theirs.same_as(ours):
        return
    exists = theirs.path is not None and os.path.lexists(theirs.path)
    if not exists and theirs.path and ours.path and Path(theirs.path).name == Path(ours.path).name:
        return  # it was moved, and edited since
    hint = f"`wct runs resume {run.run_id}` continues it with its recorded runbook; "
    if exists:
        hint += f"`wct run {theirs.shown} --resume {run.run_id}` with the file as it is now"
    else:
        hint += "a file that was renamed and edited counts as another: name it as it was"
    raise RefusedError(
        f"run {run.run_id} is a run of {theirs.shown}, not of {ours.shown}", hint=hint
    )


def _from_record(
    record: RunRecord, store: RunStore, request: RunRequest, options: RunOptions
) -> tuple[PreparedRun, tuple[str, ...]]:
    output = record.output if options.output is None else None
    components = completed_components(record)
    found = restored(record, store, options, request.params, completed=components, output=output)
    notes = [*found.base.notes, *recorded_runbooks.since(record, found.base.folder, found.places)]
    of_project = used_by(options.project, found.prepared.plan)
    if changed := others(record.project, of_project):
        notes.append(
            f"waivern.yaml has changed since the run began ({', '.join(changed)}): "
            "the run continues with the recorded settings"
        )
    return found.prepared, tuple(notes)


def _from_file(
    runbook: Runbook, record: RunRecord, store: RunStore, request: RunRequest, options: RunOptions
) -> tuple[PreparedRun, tuple[str, ...]]:
    run, folder = record.metadata, runbook.document.folder
    values = RecordedParams(run.run_id, run.params, request.params)
    try:
        draft = drafted(runbook, options.environ, values.bound)
        found = resolver(draft.runbook, store, run.run_id, options.resolver)
        lookups = RecordedResolver(record.reuse, found)
        components = completed_components(record)
        prepared = prepare(draft, lookups, options.environ, options.project, completed=components)
    except InvalidError as error:
        if not request.allow_changed and (files := changed_files(runbook, record, options)):
            raise unplannable(runbook, record, files, error) from error
        raise
    names = request.params.names
    output = record.output if options.output is None else None
    confirm(record, store, prepared.plan, options, own=True, supplied=names, output=output)
    notes: tuple[str, ...] = ()
    if os.path.realpath(folder) != os.path.realpath(record.base):
        notes = (f"run {run.run_id} ran in {record.base}; this time, paths start from {folder}",)
    return prepared, notes


def _edits(
    prepared: PreparedRun, record: RunRecord, store: RunStore, options: RunOptions
) -> tuple[DefinitionChange, ...]:
    plan = prepared.plan
    try:
        before = plan_for_reading(record, store, options, prepared.catalogue)
        return tuple(changes(before.nodes, plan.nodes))
    except InvalidError:  # a component is missing, say: every artifact may be another now
        what = "its earlier declaration cannot be planned any more"
        return tuple(DefinitionChange(name, what) for name in plan.nodes)


def _evidence(
    prepared: PreparedRun,
    record: RunRecord,
    store: RunStore,
    options: RunOptions,
    edits: tuple[DefinitionChange, ...],
) -> tuple[rebuilder.Evidence, dict[ArtifactId, str]]:
    """Return the completed artifacts that are restored, and the invalidated ones with a reason."""
    plan = prepared.plan
    completed = {n: s.completed for n, s in record.steps.items() if s.completed}
    damaged = _faults(store, record.metadata.run_id, completed)
    reasons: dict[str, str] = {e.artifact: f"runbook changed: {e.what}" for e in edits}
    invalidated = rebuilder.invalid(plan, completed, damaged, reasons)
    # their dependants are rebuilt only if their content comes out different
    refreshed = {n: REFRESHED for n in plan.nodes if n in options.refresh}
    invalidated |= {n: why for n, why in refreshed.items() if n in completed}
    evidence = {n: e for n, e in completed.items() if n in plan.nodes and n not in invalidated}
    again = _read_again(prepared, record, evidence) if record.metadata.redacted else frozenset()
    invalidated |= dict.fromkeys(again, READ_AGAIN)
    changed = _listed_again(plan, record, evidence)
    invalidated |= dict.fromkeys(changed, LISTED_AGAIN)
    return {n: e for n, e in evidence.items() if n not in again | changed}, invalidated


def _listed_again(
    plan: Plan, record: RunRecord, evidence: rebuilder.Evidence
) -> frozenset[ArtifactId]:
    """Return the lists of sources on whose change a reader failed, if no result depends on them.

    With `on_change: fail` the reader would fail again. What was derived from a list stays valid as
    it is, so that a person has to say that it is to be rebuilt.
    """
    lists = {name for name, done in evidence.items() if done.keep == "reference"}
    found: set[ArtifactId] = set()
    ahead = [
        each
        for name, step in record.steps.items()
        if (step.error or {}).get("kind") == SourceChangedError.__name__ and name in plan.nodes
        for each in plan.nodes[ArtifactId(name)].inputs
    ]
    while ahead:
        node = plan.nodes[ahead.pop()]
        if node.id in lists and isinstance(node.work, Extract):
            found.add(node.id)
        elif node.id in lists:  # joined from others
            ahead += node.inputs
    results = evidence.keys() - lists

    def derived(name: ArtifactId) -> set[ArtifactId]:
        return descendants(plan.dependents, [name])

    return frozenset(name for name in found if results.isdisjoint(derived(name)))


def _read_again(
    prepared: PreparedRun, record: RunRecord, evidence: rebuilder.Evidence
) -> frozenset[ArtifactId]:
    """Return the redacted sources that are needed and can be read again.

    What was produced from them is restored if their content does not change.
    """
    plan, load = prepared.plan, prepared.catalogue.load
    needed = {
        name for node in plan.nodes.values() if node.id not in evidence for name in node.inputs
    }
    return frozenset(
        name
        for name in needed & evidence.keys()
        if record.steps[name].redacted
        and isinstance(work := plan.nodes[name].work, Extract)
        and rereadable(load("connectors", work.type))
    )


def _faults(
    store: RunStore, run_id: str, completed: Mapping[str, ArtifactCompletedRecord]
) -> dict[str, str]:
    """Return the damage of completed artifacts on the disk, by artifact."""
    found = {
        name: store.verify(run_id, name, size=done.size, digest=done.digest)
        for name, done in completed.items()
    }
    return {name: f"its file is {fault}" for name, fault in found.items() if fault}


def _data_for_waiting(
    record: RunRecord, data: Mapping[str, Json]
) -> dict[ArtifactId, dict[str, Json]]:
    """Return the data for each component that waits. Raises RefusedError if none waits."""
    gates, components = waiting(record)
    if data and not components:
        run_id = record.metadata.run_id
        what = f"only gates wait: {', '.join(gates)}" if gates else "nothing waits for data"
        hint = "resume it without --data"
        if gates:
            hint = f"`wct runs approve {run_id}/{gates[0]}` decides"
        raise RefusedError(f"run {run_id}: {what}", hint=hint)
    return {name: dict(data) for name in components}
