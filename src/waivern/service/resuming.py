"""What a resume looks at before anything is written: what is to be run, what lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from waivern.errors import RefusedError
from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.changes import Change, changes
from waivern.planning.plan import Plan
from waivern.planning.planner import Resolver
from waivern.problems import InvalidError
from waivern.record.events import ArtifactCompleted
from waivern.record.fold import ASK_AGAIN, RunRecord
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runbook import params
from waivern.runbook.model import Runbook
from waivern.service import kept
from waivern.service.attempt import Options
from waivern.service.check import Prepared, drafted, given_by, prepare
from waivern.service.children import ChildFiles
from waivern.service.opening import children
from waivern.service.parameters import NOTHING, Given, Recorded
from waivern.service.references import RecordedResolver, StoreResolver
from waivern.service.select import EVERYTHING, Selection
from waivern.store.base import RunStore

Source = str | Runbook | None
"""The path of a runbook, or a Runbook; None: what the run has kept."""


@dataclass(frozen=True)
class Again:
    """On which terms a run is resumed."""

    allow_changed: bool = False
    """Although the runbook, a child or a parameter has changed: what that touches is made again."""
    force: bool = False
    """Although the run was cancelled."""
    ask_again: bool = False
    """Gates begin anew: what was decided before, and is no artifact yet, counts no longer."""
    params: Given = NOTHING
    data: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """For the components that wait for something outside."""
    selection: Selection = EVERYTHING


@dataclass(frozen=True)
class Ready:
    """All that a resume needs to know, with nothing written yet."""

    plan: Plan
    environ: Mapping[str, str] = field(repr=False)
    edits: tuple[Change, ...]
    """How what is to be run differs from what ran last, artifact by artifact."""
    renewed: bool
    """Whether anything of it differs, comments too."""
    forced: tuple[str, ...]
    """What a person overrides: `allow-changed`, `force`, `ask-again`."""
    notes: tuple[str, ...] = ()
    """What to tell about files that have changed since their bytes were kept."""


def ready(
    source: Source, record: RunRecord, store: RunStore, options: Options, again: Again
) -> Ready:
    """Look whether a run that is held can be resumed.

    Raises RefusedError if it was cancelled (unless `force`), or if the runbook, a child or a
    parameter has changed (unless `allow_changed`); InvalidError, ParamsError.
    """
    run = record.metadata
    if run.status == RunStatus.CANCELLED and not again.force:
        raise RefusedError(
            f"run {run.run_id} was cancelled", hint="`--force` resumes it all the same"
        )
    now, notes = _prepared(source, record, store, options, again.params)
    found = _Differences.of(now.plan, record)
    edits: tuple[Change, ...] = ()
    if found:
        edits = _edits(now.plan, record, store, options)
        if not again.allow_changed:
            raise _changed_error(now.plan, record, found, edits)
    forced = ["allow-changed"] if found else []
    forced += ["force"] if run.status == RunStatus.CANCELLED else []
    forced += [ASK_AGAIN] if again.ask_again else []
    return Ready(now.plan, now.environ, edits, bool(found), tuple(forced), notes)


def _prepared(
    source: Source, record: RunRecord, store: RunStore, options: Options, given: Given
) -> tuple[Prepared, tuple[str, ...]]:
    run_id = record.metadata.run_id
    values = Recorded(run_id, record.metadata.params, given)
    if source is not None:
        draft = drafted(source, options.environ, values.bound)
        files = ChildFiles(draft.runbook.document.folder)
        resolver = RecordedResolver(record.reuse, StoreResolver(store, files, run_id))
        return prepare(draft, resolver, options.environ, options.project), ()
    draft = drafted(kept.runbook(store, record), options.environ, values.bound)
    found = kept.KeptChildren(store, record)
    resolver = RecordedResolver(record.reuse, StoreResolver(store, found, run_id))
    done = prepare(draft, resolver, options.environ, options.project, record.project)
    notes = kept.since(record, found.places)
    if others := _others(record.project, given_by(options.project, done.plan)):
        notes.append(
            f"the project's file says otherwise than when the run began ({', '.join(others)}): "
            "the run goes on with what it said then"
        )
    return done, tuple(notes)


class _Differences(NamedTuple):
    """What is not as it was when the run was last at work; false if all is."""

    runbook: bool
    children: tuple[str, ...]
    params: tuple[str, ...]
    project: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan, record: RunRecord) -> _Differences:
        run = record.metadata
        then = {each["path"]: each["sha256"] for each in run.children}
        now = {each["path"]: each["sha256"] for each in children(plan)}
        paths = [path for path in sorted(then | now) if then.get(path) != now.get(path)]
        values = params.changed(plan.runbook.params, run.params, plan.params)
        changed = plan.runbook.document.digest != run.runbook_hash
        return cls(changed, tuple(paths), tuple(values), _others(record.project, plan.project))

    def __bool__(self) -> bool:
        return any(self)


def _others(then: Mapping[str, Json], now: Mapping[str, Json]) -> tuple[str, ...]:
    """Return what the project's file says otherwise than before, by its keys there."""
    old, new = (
        {f"components.{name}": each for name, each in given.get("components", {}).items()}
        | {"on_error": given.get("on_error")}
        for given in (then, now)
    )
    return tuple(key for key in sorted(old | new) if old.get(key) != new.get(key))


def as_it_ran(record: RunRecord, store: RunStore, options: Options) -> Plan:
    """Return the plan of what ran last, to be looked at: its secrets and variables stay open.

    Raises InvalidError if it cannot be planned here and now.
    """
    environ = {**kept.placeholders(store, record), **options.environ}
    old = kept.runbook(store, record)
    draft = drafted(old, environ, lambda declared: params.kept(declared, record.metadata.params))
    fallback = StoreResolver(store, kept.KeptChildren(store, record), record.metadata.run_id)
    resolver: Resolver = RecordedResolver(record.reuse, fallback)
    return prepare(draft, resolver, environ, options.project, record.project).plan


def _edits(plan: Plan, record: RunRecord, store: RunStore, options: Options) -> tuple[Change, ...]:
    try:
        return tuple(changes(as_it_ran(record, store, options).nodes, plan.nodes))
    except InvalidError:  # a component is gone, say: nothing tells what is still as it was
        what = "what it was made by cannot be planned any more"
        return tuple(Change(name, what) for name in plan.nodes)


def _changed_error(
    plan: Plan, record: RunRecord, found: _Differences, edits: tuple[Change, ...]
) -> RefusedError:
    """Return the refusal that says what has changed and what of the run that touches."""
    run, digest = record.metadata, plan.runbook.document.digest
    whats = ("the runbook has", "a child runbook has", "parameters have", "the project's file has")
    what = next(what for what, changed in zip(whats, found, strict=True) if changed)
    lines = [f"{what} changed since run {run.run_id}; resume refused"]
    lines += [f"  changed child: {path}" for path in found.children]
    lines += [f"  changed parameter: {name}" for name in found.params]
    lines += [f"  changed in the project's file: {key}" for key in found.project]
    lines += [f"  changed: {edit}" for edit in edits[:20]]
    if not edits and (found.runbook or found.children):
        lines.append("  only comments, layout or texts for people differ")
    touched = [edit.artifact for edit in edits if _completed(record, edit.artifact)]
    if touched:
        lines.append("  touches completed: " + ", ".join(dict.fromkeys(touched)))
    if found.runbook:
        lines += [f"  it ran with {run.runbook_hash}", f"  it is now   {digest}"]
    hint = "restore the file, start a new run, or add --allow-changed to re-run what it touches"
    if found.runbook or found.children or found.project:
        hint += f"; `wct runs resume {run.run_id}` goes on with what it ran"
    else:
        hint = hint.replace("restore the file", "leave the parameters as they were")
    return RefusedError("\n".join(lines), hint=hint)


def refuse_other_params(plan: Plan, record: RunRecord) -> None:
    """Raise RefusedError if parameters differ from what the run recorded."""
    run = record.metadata
    if names := params.changed(plan.runbook.params, run.params, plan.params):
        raise RefusedError(
            f"run {run.run_id} had another value for: {', '.join(names)}",
            hint="a replay uses the same; for others, start a new run",
        )


def _completed(record: RunRecord, name: str) -> bool:
    return name in record.steps and record.steps[name].completed is not None


def waiting(record: RunRecord) -> tuple[list[ArtifactId], list[ArtifactId]]:
    """Return what a run waits for: its gates that are open, and the components."""
    gates: list[ArtifactId] = []
    others: list[ArtifactId] = []
    for name, step in record.steps.items():
        if step.status is ArtifactStatus.SUSPENDED:
            (gates if step.gate else others).append(ArtifactId(name))
    return gates, others


def faults(
    store: RunStore, run_id: str, completed: Mapping[str, ArtifactCompleted]
) -> dict[str, str]:
    """Return what is wrong with completed artifacts on the disk."""
    looks = {
        name: store.verify(run_id, name, size=done.size, digest=done.digest)
        for name, done in completed.items()
    }
    return {name: f"its file is {fault}" for name, fault in looks.items() if fault}
