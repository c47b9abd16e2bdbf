"""The format `openlineage`: the events of a run, for the catalogues that read OpenLineage.

Each artifact is a job run whose parent is the run. Its output is the artifact; its inputs are other
artifacts, or the folder or the tables that a connector read, with what was found in their columns.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import IO

from pydantic import Field

from waivern import __version__
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.source_datasets import SourceDataset, source_datasets
from waivern.message import Json
from waivern.record.text_forms import clean, clip
from waivern.runs.exporter import ExportedRun

PRODUCER = f"urn:waivern:{__version__}"
_SPEC = "https://openlineage.io/spec"
_FACETS = {
    "coverage": "urn:waivern:coverage:1",
    "dataset_type": ("1-0-1", "DatasetTypeDatasetFacet"),
    "error": ("1-0-1", "ErrorMessageRunFacet"),
    "input_statistics": ("1-0-0", "InputStatisticsInputDatasetFacet"),
    "job_type": ("2-0-4", "JobTypeJobFacet"),
    "nominal_time": ("1-0-1", "NominalTimeRunFacet"),
    "output_statistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "tags": ("1-0-0", "TagsDatasetFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}
_RUN_ENDS = {"completed": "COMPLETE", "failed": "FAIL", "suspended": "RUNNING"}
"""The type of the event for the status of a run; ABORT for all others."""
_ERROR_TEXT = 1_000


class OpenLineageOptions(ExportOptions):
    """Options of the format `openlineage`."""

    namespace: str = Field(
        default="waivern", min_length=1, description="The namespace of jobs and artifacts."
    )


class OpenLineage:
    """OpenLineage run events, one a line: jobs, datasets, coverage, what columns hold."""

    name = "openlineage"
    version = "1.0.0"
    file_name = "waivern-openlineage.jsonl"
    Config = OpenLineageOptions

    def export(self, run: ExportedRun, config: OpenLineageOptions, out: IO[bytes]) -> Iterable[str]:
        """Write the events in the order of the journal."""
        events = _Events(run, config.namespace)
        for event in events.all():
            out.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        if run.journal is None:
            yield "the run has no journal: only its start and its end are exported"
        yield from events.notes


def _facet(kind: str, **values: Json) -> dict[str, Json]:
    known = _FACETS[kind]
    if not isinstance(known, str):
        version, name = known
        known = f"{_SPEC}/facets/{version}/{name}.json#/$defs/{name}"
    present = {key: value for key, value in values.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": known, **present}


class _Events:
    """The events of one run."""

    def __init__(self, run: ExportedRun, namespace: str) -> None:
        self.run, self.namespace = run, namespace
        self.name = run.metadata.runbook_name
        self.run_uuid = _uuid(run.run_id)
        self.sources = source_datasets(run)
        self.notes = self.sources.notes
        self.current: dict[str, str] = {}
        """Artifact to the id of its current job run."""

    def all(self) -> Iterator[dict[str, Json]]:
        """Yield all events of the run, in order of time."""
        run = self.run.metadata
        yield self._of_run("START", run.started_at)
        lines = self.run.journal.lines if self.run.journal else ()
        last = run.started_at
        for line in lines:
            last = str(line.record["at"])
            yield from self._of_line(line.seq, line.record)
        if not self.run.running:
            yield from self._aborted(last)
            ended = run.completed_at or last
            yield self._of_run(_RUN_ENDS.get(str(run.status), "ABORT"), ended, final=True)

    def _of_line(self, seq: int, record: dict[str, Json]) -> Iterator[dict[str, Json]]:
        kind, name = record["type"], str(record.get("artifact"))
        if kind in ("attempt_started", "attempt_ended"):
            yield from self._aborted(record["at"])
        elif kind == "artifact_started" or (
            kind == "artifact_completed" and name not in self.current
        ):
            yield from self._aborted(record["at"], name)
            self.current[name] = str(uuid.uuid5(self.run_uuid, f"{name}#{seq}"))
            yield self._of_artifact("START", record)
        if name in self.current:
            yield from self._of_current(kind, record)

    def _of_current(self, kind: str, record: dict[str, Json]) -> Iterator[dict[str, Json]]:
        """Yield the event for what happened to an artifact in progress."""
        if kind == "artifact_retried":
            yield self._of_artifact("RUNNING", record, error=record["error"])
            return
        if kind == "artifact_completed":
            yield self._of_artifact("COMPLETE", record, *self._data(record))
        elif kind == "artifact_failed":
            yield self._of_artifact("FAIL", record, error=record["error"])
        elif kind in ("artifact_suspended", "artifact_skipped"):
            yield self._of_artifact("ABORT", record)
        else:
            return
        del self.current[record["artifact"]]

    def _aborted(self, at: str, *names: str) -> Iterator[dict[str, Json]]:
        """Yield the end of the artifacts in progress, or of those named: a crash wrote none."""
        for name in names or list(self.current):
            if name in self.current:
                yield self._of_artifact("ABORT", {"artifact": name, "at": at})
                del self.current[name]

    def _event(
        self,
        kind: str,
        at: str,
        run: dict[str, Json],
        job: dict[str, Json],
        inputs: list[Json],
        outputs: list[Json],
    ) -> dict[str, Json]:
        return {
            "eventType": kind,
            "eventTime": at,
            "run": run,
            "job": {"namespace": self.namespace, **job},
            "inputs": inputs,
            "outputs": outputs,
            "producer": PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        }

    def _of_run(self, kind: str, at: str, *, final: bool = False) -> dict[str, Json]:
        run = self.run.metadata
        versions = [str(each["waivern"]) for each in run.attempts if each.get("waivern")]
        engine = {"version": versions[-1] if versions else "unknown", "name": "waivern"}
        facets = {"processing_engine": _facet("processing_engine", **engine)}
        if final:
            ended = run.completed_at or at
            times = {"nominalStartTime": run.started_at, "nominalEndTime": ended}
            facets["nominalTime"] = _facet("nominal_time", **times)
            facets["waivern_coverage"] = self._coverage()
            if run.error:
                facets["errorMessage"] = _error(run.error)
        job = {"name": self.name, "facets": {"jobType": _job_type("RUNBOOK")}}
        return self._event(kind, at, {"runId": str(self.run_uuid), "facets": facets}, job, [], [])

    def _coverage(self) -> dict[str, Json]:
        """Return what was examined and what was not, with the reasons."""
        found = self.run.coverage.document()
        keys = ("percent", "summary", "sources", "gaps", "samples", "warnings")
        return _facet("coverage", **{key: found[key] for key in keys})

    def _of_artifact(
        self,
        kind: str,
        record: dict[str, Json],
        inputs: list[Json] | None = None,
        outputs: list[Json] | None = None,
        error: dict[str, Json] | None = None,
    ) -> dict[str, Json]:
        name = record["artifact"]
        parent = {
            "run": {"runId": str(self.run_uuid)},
            "job": {"namespace": self.namespace, "name": self.name},
        }
        facets = {"parent": _facet("parent", **parent)}
        if error:
            facets["errorMessage"] = _error(f"{error.get('kind')}: {error.get('message')}")
        step = self.run.record.steps.get(name)  # an earlier attempt may have had others
        component = str(record.get("component") or (step.component if step else None) or "")
        job = {
            "name": f"{self.name}.{name}",
            "facets": {"jobType": _job_type(component.partition(":")[0].upper() or "ARTIFACT")},
        }
        run = {"runId": self.current[name], "facets": facets}
        return self._event(kind, record["at"], run, job, inputs or [], outputs or [])

    def _data(self, record: dict[str, Json]) -> tuple[list[Json], list[Json]]:
        """Return the datasets that a completed artifact was produced from, and itself."""
        inputs = [self._artifact(name, digest) for name, digest in record["inputs"].items()]
        if self._is_current(record):
            inputs += [_dataset(each) for each in self.sources.of(record["artifact"])]
        origin = record.get("origin") or {}
        if origin.get("run"):
            copied = f"{origin.get('artifact')}@{origin['run']}"
            inputs.append(self._artifact(copied, str(origin.get("digest"))))
        output = self._artifact(record["artifact"], record["content_digest"], record["schema"])
        size = _facet("output_statistics", size=record.get("total") or record["size"], fileCount=1)
        return inputs, [output | {"outputFacets": {"outputStatistics": size}}]

    def _is_current(self, record: dict[str, Json]) -> bool:
        """Return whether no later attempt has rebuilt what an event completed."""
        step = self.run.record.steps.get(record["artifact"])
        done = step.completed if step else None
        return done is not None and done.content_digest == record["content_digest"]

    def _artifact(self, name: str, digest: str, schema: str | None = None) -> dict[str, Json]:
        facets = {"version": _facet("version", datasetVersion=digest)}
        if schema:
            facets["datasetType"] = _facet("dataset_type", datasetType="FILE", subType=schema)
        return {"namespace": self.namespace, "name": f"{self.name}.{name}", "facets": facets}


def _uuid(run_id: str) -> uuid.UUID:
    """Return the run's id, or for an id that a caller chose one that is derived from it."""
    try:
        return uuid.UUID(run_id)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:waivern:run:{run_id}")


def _job_type(kind: str) -> dict[str, Json]:
    return _facet("job_type", processingType="BATCH", integration="WAIVERN", jobType=kind)


def _error(text: str) -> dict[str, Json]:
    return _facet("error", message=clip(clean(text), _ERROR_TEXT), programmingLanguage="Python")


def _dataset(source: SourceDataset) -> dict[str, Json]:
    """Return a source as a dataset: its columns, what was found in them, what was examined."""
    facets: dict[str, Json] = {"datasetType": _facet("dataset_type", datasetType=source.kind)}
    if source.columns:
        fields = [{"name": name, "type": kind} for name, kind in source.columns]
        facets["schema"] = _facet("schema", fields=fields)
    if source.tags:
        tags = [
            {"key": "personal_data", "value": value, "source": "WAIVERN"}
            | ({"field": column} if column else {})
            for column, value in source.tags
        ]
        facets["tags"] = _facet("tags", tags=tags)
    counts = _facet(
        "input_statistics", rowCount=source.rows, size=source.size, fileCount=source.files
    )
    return {
        "namespace": "file",
        "name": source.name,
        "facets": facets,
        "inputFacets": {"inputStatistics": counts},
    }
