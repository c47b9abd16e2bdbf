"""The changes since the last attempt at a run, and the refusals that report them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from waivern.diagnostics import InvalidError
from waivern.errors import RefusedError
from waivern.language import params
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.planning.changes import DefinitionChange
from waivern.planning.defaults import SETTINGS
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.runs.child_files import changed as changed_children
from waivern.runs.first_events import children
from waivern.runs.prepare import drafted
from waivern.runs.run_options import RunOptions

SHOWN = 20
"""Lines of one kind in a refusal."""


class RunChanges(NamedTuple):
    """The differences to the last attempt at a run; false if there are none."""

    runbook: bool
    children: tuple[str, ...]
    params: tuple[str, ...]
    project: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan, record: RunRecord) -> RunChanges:
        run = record.metadata
        then = {each["path"]: each["sha256"] for each in run.children}
        now = {each["path"]: each["sha256"] for each in children(plan)}
        paths = [path for path in sorted(then | now) if then.get(path) != now.get(path)]
        values = params.changed(plan.runbook.params, run.params, plan.params)
        changed = plan.runbook.document.digest != run.runbook_hash
        return cls(changed, tuple(paths), tuple(values), others(record.project, plan.project))

    def __bool__(self) -> bool:
        return any(self)


def others(then: Mapping[str, Json], now: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the settings of the project file that have changed, by their keys in it."""
    old, new = (
        {f"components.{name}": each for name, each in settings.get("components", {}).items()}
        | {name: settings.get(name) for name in SETTINGS}
        for settings in (then, now)
    )
    # 1, 1.0 and True are equal, and different properties
    return tuple(key for key in sorted(old | new) if repr(old.get(key)) != repr(new.get(key)))


def changed_error(
    plan: Plan, record: RunRecord, found: RunChanges, edits: tuple[DefinitionChange, ...]
) -> RefusedError:
    """Return the refusal that says what has changed and what of the run that touches."""
    run, digest = record.metadata, plan.runbook.document.digest
    whats = ("the runbook has", "a child runbook has", "parameters have", "the project's file has")
    what = next(what for what, changed in zip(whats, found, strict=True) if changed)
    lines = [f"{what} changed since run {run.run_id}; resume refused"]
    lines += _few(f"  changed child: {path}" for path in found.children)
    lines += _few(f"  changed parameter: {name}" for name in found.params)
    lines += _few(f"  changed in the project's file: {key}" for key in found.project)
    lines += _few(f"  changed: {edit}" for edit in edits)
    if not edits and (found.runbook or found.children):
        lines.append("  only comments, layout or texts for people differ")
    touched = dict.fromkeys(e.artifact for e in edits if _completed(record, e.artifact))
    if touched:
        more = f" and {len(touched) - SHOWN:,} more" if len(touched) > SHOWN else ""
        lines.append("  touches completed: " + ", ".join(list(touched)[:SHOWN]) + more)
    if found.runbook:
        lines += [f"  it ran with {run.runbook_hash}", f"  it is now   {digest}"]
    hint = "restore the file, start a new run, or rebuild what it affects with --allow-changed"
    if found.runbook or found.children or found.project:
        hint += f"; `wct runs resume {run.run_id}` continues with its recorded runbook"
    else:
        hint = hint.replace("restore the file", "leave the parameters as they were")
    return RefusedError("\n".join(lines), hint=hint)


def _few(lines: Iterable[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    found = list(lines)
    more = [f"  and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return found[:SHOWN] + more


def changed_files(runbook: Runbook, record: RunRecord, options: RunOptions) -> list[str]:
    """Return what of a runbook's files is not as it ran, where it cannot be planned any more."""
    run = record.metadata
    if runbook.document.digest != run.runbook_hash:
        return ["the runbook"]
    templates = drafted(runbook, options.environ).runbook.config.template_paths
    found = changed_children(runbook.document.folder, templates, run.children)
    return [f"the child runbook {path}" for path in found]


def unplannable(
    runbook: Runbook, record: RunRecord, what: list[str], error: InvalidError
) -> RefusedError:
    run, path = record.metadata, runbook.document.path or runbook.name
    first, count = error.problems[0], len(error.problems)
    at = f" ({first.position})" if first.position else ""
    lines = [f"{what[0]} has changed since run {run.run_id}; resume refused"]
    lines += _few(f"  changed: {each}" for each in what[1:])
    lines.append(f"  it cannot be planned any more: {first.message}{at}")
    if count > 1:
        lines.append(f"  and {count - 1:,} more {'problem' if count == 2 else 'problems'}")
    return RefusedError(
        "\n".join(lines),
        hint=f"restore the file; `wct validate {path}` lists the problems; "
        f"`wct runs resume {run.run_id}` continues with its recorded runbook",
    )


def _completed(record: RunRecord, name: str) -> bool:
    return name in record.steps and record.steps[name].completed is not None
