"""The artifacts that may leave the store as they are: findings whose values are masked.

They are exported byte for byte, so that their digests still fit the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.message import Message, SchemaRef, decode
from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_artifacts import fetched
from waivern.runs.recorded_findings import OWN_SCHEMA, is_findings_schema


class MaskedArtifact(NamedTuple):
    """An artifact of findings that holds no whole value."""

    name: str
    has_records: bool
    """Whether its findings are in a file beside its own."""

    @property
    def file(self) -> str:
        """The path of its file in an archive."""
        return f"artifacts/{self.name}.json"

    @property
    def files(self) -> list[str]:
        """The paths of its files in an archive."""
        return [self.file, f"{self.file}l"] if self.has_records else [self.file]


def choose(run: ExportedRun) -> tuple[list[MaskedArtifact], dict[str, str]]:
    """Return the artifacts of findings that may be exported, and the others with the reason."""
    chosen, omitted = [], {}
    for name, step in sorted(run.record.steps.items()):
        schema = SchemaRef.parse(step.completed.schema).name if step.completed else ""
        if not is_findings_schema(schema):
            continue
        if name in run.record.sensitive:
            omitted[name] = "the runbook declares it sensitive"
        elif schema != OWN_SCHEMA:
            omitted[name] = f"which fields of {schema} hold whole values is not known"
        else:
            message = _message(run, name)
            content = message.content if isinstance(message.content, dict) else {}
            if content.get("mask") == "none":
                omitted[name] = "its values are not masked (mask: none)"
            else:
                chosen.append(MaskedArtifact(name, message.records is not None))
    return chosen, omitted


def _message(run: ExportedRun, name: str) -> Message:
    message = fetched(run.store, run.record, run.record.steps[name])
    if message is None:
        raise IntegrityError(
            f"artifact '{name}' of run {run.run_id} is redacted, and that was cut off",
            hint=f"`wct runs redact {run.run_id}/{name} --yes` completes it",
        )
    return message


def stored_bytes(run: ExportedRun, name: str) -> bytes:
    """Return the bytes of an artifact's file. Raises IntegrityError if it is gone."""
    data = run.store.read_artifact(run.run_id, name)
    if data is None:
        raise IntegrityError(f"artifact '{name}' of run {run.run_id} has no file")
    return data


def pieces(run: ExportedRun, artifact: MaskedArtifact) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the files of an artifact: the path in an archive, and the bytes."""
    yield artifact.file, [stored_bytes(run, artifact.name)]
    records = _message(run, artifact.name).records
    if records is not None:
        yield f"{artifact.file}l", records.checked()


def envelope(run: ExportedRun, name: str) -> Message:
    """Return an artifact without its records."""
    return decode(stored_bytes(run, name), lambda _: lambda _: iter(()))
