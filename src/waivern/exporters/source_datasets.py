"""The sources of a run as datasets: a folder, or each table of a database, with what was found."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json
from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_artifacts import ArtifactList, fetched

MOST_TABLES = 1_000
"""The tables that are listed one by one."""


class SourceDataset(NamedTuple):
    """A folder, a file or a table that a connector listed."""

    name: str
    """Its absolute path; of a table followed by '#' and the table."""
    kind: str
    """`FILE`, `FOLDER` or `TABLE`."""
    columns: tuple[tuple[str, str], ...] = ()
    """Of a table: names and types."""
    tags: tuple[tuple[str, str], ...] = ()
    """Column and type of personal data; without a column for a folder."""
    rows: int | None = None
    size: int | None = None
    files: int | None = None


class SourceDatasets:
    """The datasets of all sources of a run."""

    def __init__(self, run: ExportedRun, tags: dict[tuple[str, str], dict[tuple[str, str], None]]):
        self._run, self._tags = run, tags
        self.notes: list[str] = []

    def of(self, artifact: str) -> list[SourceDataset]:
        """Return the datasets that a connector listed; none if it lists nothing."""
        step = self._run.record.steps.get(artifact)
        if step is None or step.completed is None:
            return []
        return [*self._listed(artifact)]

    def _listed(self, artifact: str) -> Iterator[SourceDataset]:
        try:
            message = fetched(self._run.store, self._run.record, self._run.record.steps[artifact])
        except WaivernError:  # it was redacted
            return
        listed = message.extensions.get("catalogue") if message else None
        if message is None or not isinstance(listed, dict):
            return
        path, entries = _path(listed), ArtifactList.of(message)
        if entries is None or entries.name != "tables":
            yield self._folder(artifact, path, message.extensions.get("coverage") or {})
            return
        if (more := len(entries.elements) - MOST_TABLES) > 0:
            self.notes.append(f"{artifact}: the last {more:,} tables are not listed")
        for table in entries.head(MOST_TABLES):
            yield self._table(artifact, path, table)

    def _folder(self, artifact: str, path: str, counts: dict[str, Json]) -> SourceDataset:
        size = (counts.get("units") or {}).get("bytes", {}).get("examined")
        tags = dict.fromkeys(("", kind) for _, kind in self._tags.get((artifact, ""), {}))
        return SourceDataset(path, "FOLDER", tags=tuple(tags), size=size, files=counts.get("read"))

    def _table(self, artifact: str, path: str, table: dict[str, Json]) -> SourceDataset:
        name = str(table.get("name"))
        columns = tuple((str(each["name"]), str(each["type"])) for each in table.get("columns", ()))
        tags = tuple(self._tags.get((artifact, name), {}))
        return SourceDataset(f"{path}#{name}", "TABLE", columns, tags, table.get("rows"))


def _path(listed: dict[str, Json]) -> str:
    properties = listed.get("properties") or {}
    return os.path.normpath(Path(str(listed.get("base")), str(properties.get("path", "."))))


def source_datasets(run: ExportedRun) -> SourceDatasets:
    """Return the datasets of a run, with the types of personal data in each table and source."""
    tags: dict[tuple[str, str], dict[tuple[str, str], None]] = defaultdict(dict)
    for found in run.findings:
        if not found.test_data:
            table = found.document.get("locations", [{}])[0].get("table")
            column = found.field if table else ""
            tags[found.system, found.item if table else ""][column, found.type] = None
    return SourceDatasets(run, tags)
