"""The format `rocrate`: a run as an RO-Crate, in a zip file.

It follows the profile Provenance Run Crate: the runbook is a workflow whose steps are artifacts,
the components are its tools, and each artifact is the result of an action. What the crate does not
hold is named by its digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import IO

from pydantic import Field

from waivern.errors import RefusedError
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.masked_artifacts import MaskedArtifact, choose, pieces
from waivern.exporters.stored_zip import StoredZip
from waivern.message import Json
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, clip
from waivern.runs.exporter import ExportedRun

_SPEC = "https://w3id.org/ro/crate/1.1"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_CONTEXT = [f"{_SPEC}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
_RUNBOOK, _LANGUAGE, _ENGINE = "runbook.yaml", "#runbook-language", "#waivern"
_ERROR_TEXT = 1_000

Entity = dict[str, Json]


class RoCrateOptions(ExportOptions):
    """Options of the format `rocrate`."""

    license: str = Field(
        default="No licence is granted: the owner of the sources decides.",
        min_length=1,
        description="The licence of the crate: a URL or a sentence.",
    )


class RoCrate:
    """A Workflow Run RO-Crate: runbook, findings, coverage, and how each was produced."""

    name = "rocrate"
    version = "1.0.0"
    file_name = "waivern-ro-crate.zip"
    Config = RoCrateOptions

    def export(self, run: ExportedRun, config: RoCrateOptions, out: IO[bytes]) -> Iterable[str]:
        """Write the crate. Raises RefusedError for a run that has lost its runbook."""
        if run.runbook is None:
            raise RefusedError(
                f"run {run.run_id} has no runbook: a crate of it would have no workflow",
                hint="export it in another format, such as `--export json`",
            )
        chosen, omitted = choose(run)
        described = _Crate(run, config.license, chosen)
        with StoredZip(out) as crate:
            crate.add("ro-crate-metadata.json", [described.metadata()])
            crate.add(_RUNBOOK, [run.runbook])
            crate.add("coverage.json", [described.coverage])
            for artifact in chosen:
                for file, content in pieces(run, artifact):
                    crate.add(file, content)
        for name, why in omitted.items():
            yield f"{name} is not in it: {why}"


def _ref(id_: str) -> Entity:
    return {"@id": id_}


def _refs(ids: Iterable[str]) -> Entity | list[Entity]:
    """Return references: one alone, as RO-Crate recommends it, or a list."""
    found = [_ref(each) for each in ids]
    return found[0] if len(found) == 1 else found


class _Crate:
    """The description of one run, entity by entity."""

    def __init__(self, run: ExportedRun, licence: str, chosen: list[MaskedArtifact]) -> None:
        self.run, self.licence = run, licence
        self.chosen = {each.name: each for each in chosen}
        self.coverage = json.dumps(run.coverage.document(), indent=2).encode() + b"\n"
        self.steps = [
            step for step in run.record.steps.values() if step.component or step.completed
        ]
        """The artifacts that were begun."""
        self.tools = {_tool(step): step for step in self.steps}

    def metadata(self) -> bytes:
        """Return the document of the crate."""
        graph = [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": _ref("./"),
                "conformsTo": _refs([_SPEC, "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]),
            },
            self._root(),
            *self._profiles(),
            self._workflow(),
            *self._files(),
            *(self._step(step) for step in self.steps),
            *(self._tool(id_, step) for id_, step in self.tools.items()),
            *self._actions(),
        ]
        document = {"@context": _CONTEXT, "@graph": graph}
        return json.dumps(document, indent=2).encode() + b"\n"

    @property
    def _ended(self) -> str:
        return self.run.metadata.completed_at or self.run.metadata.updated_at

    def _root(self) -> Entity:
        run = self.run.metadata
        covered = self.run.coverage.document(0)
        files = [_RUNBOOK, "coverage.json", *(name for name, _ in self._chosen_files())]
        return {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Run {run.run_id} of {run.runbook_name}",
            "description": (
                f"A run of the runbook {run.runbook_name}, which is {run.status}. Coverage of its "
                f"sources: {covered['summary']} ({covered['percent']} %). What was not examined is "
                "in coverage.json."
            ),
            "datePublished": self._ended,
            "license": self.licence,
            "conformsTo": _refs(_PROFILES),
            "mainEntity": _ref(_RUNBOOK),
            "hasPart": _refs(files),
            "mentions": _refs(["#run", *(f"#action/{s.artifact}" for s in self._acted())]),
        }

    def _profiles(self) -> Iterator[Entity]:
        for url, name in _PROFILES.items():
            yield {
                "@id": url,
                "@type": "CreativeWork",
                "name": name,
                "version": url.rpartition("/")[2],
            }
        yield {
            "@id": _LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Waivern runbook",
            "identifier": "urn:waivern:runbook",
        }
        versions = [
            str(each["waivern"]) for each in self.run.metadata.attempts if each.get("waivern")
        ]
        yield {
            "@id": _ENGINE,
            "@type": "SoftwareApplication",
            "name": "waivern",
            "softwareVersion": versions[-1] if versions else "unknown",
        }

    def _workflow(self) -> Entity:
        run = self.run.metadata
        return {
            "@id": _RUNBOOK,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": run.runbook_name,
            "version": run.runbook_version,
            "sha256": run.runbook_hash.removeprefix("sha256:"),
            "encodingFormat": "application/yaml",
            "programmingLanguage": _ref(_LANGUAGE),
            "license": self.licence,
            "hasPart": _refs(self.tools),
            "step": _refs(f"#step/{step.artifact}" for step in self.steps),
        }

    def _chosen_files(self) -> Iterator[tuple[str, StepRecord]]:
        for name, artifact in self.chosen.items():
            for file in artifact.files:
                yield file, self.run.record.steps[name]

    def _files(self) -> Iterator[Entity]:
        yield {
            "@id": "coverage.json",
            "@type": "File",
            "name": "What was examined, and what was not",
            "encodingFormat": "application/json",
            "sha256": hashlib.sha256(self.coverage).hexdigest(),
        }
        for file, step in self._chosen_files():
            yield self._data(file, step, "File")
        for step in self.steps:
            if step.completed and step.artifact not in self.chosen:
                yield self._data(f"#artifact/{step.artifact}", step, "PropertyValue")

    def _data(self, id_: str, step: StepRecord, kind: str) -> Entity:
        done = step.completed
        assert done is not None
        found: Entity = {
            "@id": id_,
            "@type": kind,
            "name": step.artifact,
            "description": done.schema,
        }
        if kind == "PropertyValue":
            return found | {"propertyID": "sha256", "value": done.digest.removeprefix("sha256:")}
        if id_.endswith(".json"):
            found |= {"contentSize": str(done.size), "sha256": done.digest.removeprefix("sha256:")}
        return found | {"encodingFormat": "application/json"}

    def _result(self, name: str) -> str:
        return self.chosen[name].file if name in self.chosen else f"#artifact/{name}"

    def _step(self, step: StepRecord) -> Entity:
        return {
            "@id": f"#step/{step.artifact}",
            "@type": "HowToStep",
            "name": step.artifact,
            "position": str(step.step_index or 0),
            "workExample": _ref(_tool(step)),
        }

    def _tool(self, id_: str, step: StepRecord) -> Entity:
        version = step.completed.version if step.completed else None
        return {
            "@id": id_,
            "@type": "SoftwareApplication",
            "name": step.component or "waivern",
            "softwareVersion": version or "unknown",
        }

    def _acted(self) -> list[StepRecord]:
        """Return the artifacts with an action of their own: those that completed or failed."""
        acted = (ArtifactStatus.COMPLETED, ArtifactStatus.FAILED)
        return [step for step in self.steps if step.status in acted]

    def _actions(self) -> Iterator[Entity]:
        run, acted = self.run.metadata, self._acted()
        completed = [step.artifact for step in acted if step.completed]
        sources = [step.artifact for step in acted if not step.inputs and step.completed]
        yield {
            "@id": "#organize",
            "@type": "OrganizeAction",
            "name": "Run by waivern",
            "instrument": _ref(_ENGINE),
            "startTime": run.started_at,
            "endTime": self._ended,
            "object": _refs(f"#control/{step.artifact}" for step in acted),
            "result": _ref("#run"),
        }
        yield {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"Run {run.run_id}",
            "description": f"The run of {run.runbook_name}: {run.status}",
            "instrument": _ref(_RUNBOOK),
            "startTime": run.started_at,
            "endTime": self._ended,
            "object": _refs(self._result(name) for name in sources),
            "result": _refs([*(self._result(name) for name in completed), "coverage.json"]),
            **_outcome(run.status is RunStatus.COMPLETED, run.error),
        }
        for step in acted:
            yield from self._of_step(step)

    def _of_step(self, step: StepRecord) -> Iterator[Entity]:
        name = step.artifact
        error = None if step.completed else str((step.error or {}).get("message") or "failed")
        inputs = [each for each in step.inputs if self.run.record.steps.get(each)]
        known = [each for each in inputs if self.run.record.steps[each].completed]
        yield {
            "@id": f"#control/{name}",
            "@type": "ControlAction",
            "name": f"Step {name}",
            "instrument": _ref(f"#step/{name}"),
            "object": _ref(f"#action/{name}"),
        }
        yield {
            "@id": f"#action/{name}",
            "@type": "CreateAction",
            "name": f"Artifact {name}",
            "description": f"Artifact {name}: {step.status}",
            "instrument": _ref(_tool(step)),
            **_times(step),
            "object": _refs(self._result(each) for each in known),
            "result": _refs([self._result(name)] if step.completed else []),
            **_outcome(step.completed is not None, error),
        }


def _tool(step: StepRecord) -> str:
    return f"#tool/{step.component or 'waivern'}"


def _times(step: StepRecord) -> Entity:
    if not step.started_at:
        return {}
    found: Entity = {"startTime": step.started_at}
    if step.duration_ms is not None:
        began = datetime.fromisoformat(step.started_at)
        ended = began + timedelta(milliseconds=step.duration_ms)
        found["endTime"] = ended.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return found


def _outcome(ok: bool, error: str | None) -> Entity:
    if ok:
        return {"actionStatus": "http://schema.org/CompletedActionStatus"}
    found: Entity = {"actionStatus": "http://schema.org/FailedActionStatus"}
    return found | {"error": clip(clean(error), _ERROR_TEXT)} if error else found
