"""The recorded runbooks of a run: the bytes of its runbook and of every child."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waivern.diagnostics import shown
from waivern.errors import NotFoundError, WaivernError
from waivern.language.loader import read_bytes
from waivern.language.models import Runbook
from waivern.language.template import PARAMS, names
from waivern.message import sha256
from waivern.planning.child_runbooks import ChildFile
from waivern.record.fold import RunRecord
from waivern.runs.child_files import places
from waivern.store.base import RunStore
from waivern.yamldoc.document import YamlDocument


def runbook(store: RunStore, record: RunRecord, folder: Path) -> Runbook:
    """Return the runbook that the last attempt ran, for `check.drafted` to read again.

    Its relative paths start from `folder`. Raises IntegrityError if the run has lost its bytes.
    """
    run = record.metadata
    data = store.read_runbook(run.run_id, run.runbook_hash)
    document = YamlDocument(run.runbook_path, folder, data)
    return Runbook.unread(run.runbook_name, document)


def placeholders(store: RunStore, record: RunRecord) -> dict[str, str]:
    """Return a value for every variable of what ran last, so that it can be looked at without."""
    run = record.metadata
    texts = [store.read_runbook(run.run_id, run.runbook_hash)]
    texts += [store.read_child(run.run_id, each["path"], each["sha256"]) for each in run.children]
    found = names([text.decode(errors="replace") for text in texts])
    return {name: f"${{{name}}}" for name in found if not name.startswith(f"{PARAMS}.")}


class RecordedChildren:
    """The children that the last attempt ran. Raises IntegrityError if their bytes are lost."""

    def __init__(self, store: RunStore, record: RunRecord, folder: Path) -> None:
        run = record.metadata
        self._folder = folder
        self._kept = {
            each["path"]: store.read_child(run.run_id, each["path"], each["sha256"])
            for each in run.children
        }
        self.places: dict[str, Path] = {}
        """Where those that were asked for lay, by path."""

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that `path` means in the child `parent`. Raises NotFoundError."""
        for place, key in places(self._folder, path, parent, templates):
            if key in self._kept:
                self.places[key] = place
                return ChildFile(key, place.parent, self._kept[key])
        raise NotFoundError(
            f"the run recorded no child runbook {shown(path)}",
            hint="resume with `wct run RUNBOOK --resume RUN`",
        )


def since(record: RunRecord, folder: Path, children: Mapping[str, Path]) -> list[str]:
    """Return a note for each file that has changed since the run recorded it, or is gone.

    `folder` is that of the runbook, `children` is where those lie, by path.
    """
    run, said = record.metadata, []
    if run.runbook_path is not None:
        path = folder / Path(run.runbook_path).name
        said += _changed(run.runbook_path, path, run.runbook_hash)
    for child in run.children:
        if place := children.get(child["path"]):
            said += _changed(child["path"], place, child["sha256"])
    return said


def _changed(name: str, path: Path, digest: str) -> list[str]:
    try:
        if sha256(read_bytes(path)) == digest:
            return []
        said = "has changed since"
    except WaivernError:
        said = "is not there any more"
    return [f"{name} {said}: the run continues with the recorded bytes"]
