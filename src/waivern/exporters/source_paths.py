"""Paths of items as the tools know them that show findings beside code: relative to a folder.

The items of a folder are named relative to that folder. A code-scanning host needs them relative to
the root of the repository, in which a CI job runs.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from waivern.errors import WaivernError
from waivern.files import at_home, current_folder
from waivern.message import Json
from waivern.record.text_forms import clean
from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_artifacts import fetched
from waivern.runs.recorded_findings import RecordedFinding


class SourcePaths:
    """The paths of the items of a run, relative to `root`, by default the current folder."""

    def __init__(self, run: ExportedRun, root: str | None) -> None:
        self._run = run
        self._root = os.path.realpath(root or current_folder())
        self._folders: dict[str, str | None] = {}

    @cached_property
    def runbook(self) -> str:
        """The path of the runbook: the place of what has no file, such as a table."""
        run = self._run.metadata
        if not run.runbook_path:
            return clean(run.runbook_name) or "runbook"
        name = Path(run.runbook_path).name
        return self._below(Path(self._run.record.base, name)) or clean(name)

    def of(self, finding: RecordedFinding) -> str:
        """Return the path of the file that a finding is in, or of the runbook."""
        places = finding.document.get("locations")
        first = places[0] if isinstance(places, list) and places else None
        is_file = isinstance(first, dict) and first.get("file") == finding.item
        if not (is_file and finding.item):
            return self.runbook
        return self._path(finding.system, finding.item) or clean(finding.item)

    def item(self, system: str, item: str) -> str:
        """Return the path of an item of a source; of one that is no file, that of the runbook."""
        known = self._folder(system) is not None
        return self._path(system, item) or (clean(item) if known else self.runbook)

    def _path(self, system: str, item: str) -> str | None:
        folder = self._folder(system)
        return None if folder is None else self._below(Path(folder, item))

    def _below(self, path: Path) -> str | None:
        """Return a path relative to the root; None if it is not below it."""
        found = os.path.relpath(os.path.normpath(path), self._root)
        return None if found == ".." or found.startswith("../") else clean(found)

    def _folder(self, system: str) -> str | None:
        """Return the folder that a source lists, if its catalogue names one."""
        if system not in self._folders:
            self._folders[system] = self._listed(system)
        return self._folders[system]

    def _listed(self, system: str) -> str | None:
        step = self._run.record.steps.get(system)
        try:
            message = fetched(self._run.store, self._run.record, step) if step else None
        except WaivernError:
            return None
        catalogue = message.extensions.get("catalogue") if message else None
        if not isinstance(catalogue, dict) or catalogue.get("connector") != "filesystem":
            return None
        return _folder(catalogue)


def _folder(catalogue: dict[str, Json]) -> str | None:
    base, properties = catalogue.get("base"), catalogue.get("properties")
    path = properties.get("path") if isinstance(properties, dict) else None
    if not isinstance(base, str) or not isinstance(path, str) or "${" in path:
        return None
    found = Path(os.path.realpath(Path(base, at_home(path))))
    return str(found.parent if found.is_file() else found)
