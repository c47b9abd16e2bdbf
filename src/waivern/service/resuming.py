"""What a resume looks at before anything is written: the runbook, and what lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waivern.errors import ArtifactNotFoundError, IntegrityError, RefusedError
from waivern.message import Json
from waivern.planning.changes import Change, changes
from waivern.record.events import ArtifactCompleted
from waivern.record.fold import RunRecord
from waivern.runbook.loader import parse
from waivern.runbook.model import Runbook
from waivern.store.base import RunStore


def edits(
    runbook: Runbook, record: RunRecord, store: RunStore, environ: Mapping[str, str]
) -> list[Change]:
    """Return how the runbook differs from the one that ran last; nothing if the hash is equal."""
    digest = record.metadata.runbook_hash
    if runbook.document.digest == digest:
        return []
    kept = store.read_runbook(record.metadata.run_id, digest)
    folder, path = Path(record.started.base), record.metadata.runbook_path
    old = parse(kept, path=path, folder=folder, environ=_Anything(environ))
    return changes(old, runbook)


class _Anything(dict[str, str]):
    """An environment in which every variable is set: an old runbook is only compared, not run."""

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"${{{name}}}"


def changed_error(runbook: Runbook, record: RunRecord, found: list[Change]) -> RefusedError:
    """Return the refusal that says what has changed and what of the run that touches."""
    run, digest = record.metadata, runbook.document.digest
    lines = [f"the runbook has changed since run {run.run_id}; resume refused"]
    lines += [f"  changed: {edit}" for edit in found[:20]]
    if not found:
        lines.append("  only comments, layout or texts for people differ")
    touched = [edit.artifact for edit in found if _completed(record, edit.artifact)]
    if touched:
        lines.append("  touches completed: " + ", ".join(dict.fromkeys(touched)))
    lines += [f"  it ran with {run.runbook_hash}", f"  it is now   {digest}"]
    hint = "restore the file, start a new run, or add --allow-changed to re-run what it touches"
    return RefusedError("\n".join(lines), hint=hint)


def _completed(record: RunRecord, name: str) -> bool:
    return name in record.steps and record.steps[name].completed is not None


def is_current(store: RunStore, run_id: str, head: dict[str, Json]) -> bool:
    """Say whether `run.json` is what a journal that ends so makes of it."""
    try:
        return bool(store.read_json(run_id, "run").get("journal") == head)
    except (ArtifactNotFoundError, IntegrityError):
        return False


def faults(
    store: RunStore, run_id: str, completed: Mapping[str, ArtifactCompleted]
) -> dict[str, str]:
    """Return what is wrong with completed artifacts on the disk."""
    looks = {
        name: store.verify(run_id, name, size=done.size, digest=done.digest)
        for name, done in completed.items()
    }
    return {name: f"its file is {fault}" for name, fault in looks.items() if fault}
