"""What an edit of a runbook changes, artifact by artifact. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.runbook.model import Artifact, Process, Reuse, Runbook, Source


@dataclass(frozen=True, slots=True)
class Change:
    """One difference that makes an artifact another one; texts for people do not count."""

    artifact: ArtifactId
    what: str
    """As 'process.properties.min_confidence 0.5 → 0.8', 'added' or 'removed'."""

    def __str__(self) -> str:
        return f"{self.artifact}: {self.what}"


def changes(old: Runbook, new: Runbook) -> list[Change]:
    """Return what differs, in the order of the new runbook, removed artifacts last."""
    found = []
    for name, artifact in new.artifacts.items():
        if before := old.artifacts.get(name):
            pairs = _differences("", definition(before), definition(artifact))
            found += [Change(name, what) for what in pairs]
        else:
            found.append(Change(name, "added"))
    found += [Change(name, "removed") for name in old.artifacts if name not in new.artifacts]
    return found


def definition(artifact: Artifact) -> dict[str, Json]:
    """Return all of an artifact's declaration that decides what it will be."""
    schema = str(artifact.output_schema) if artifact.output_schema else None
    match artifact.producer:
        case Source(type_, properties):
            made: dict[str, Json] = {"source": {"type": type_, "properties": dict(properties)}}
        case Process(type_, properties, inputs):
            process = {"type": type_, "properties": dict(properties)}
            made = {"inputs": list(inputs), "process": process}
        case Reuse(from_run, wanted):
            made = {"reuse": {"from_run": from_run, "artifact": wanted}}
    return {**made, "output_schema": schema}


_NOTHING = object()


def _differences(path: str, old: Json, new: Json) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            inner = f"{path}.{key}" if path else str(key)
            yield from _differences(inner, old.get(key, _NOTHING), new.get(key, _NOTHING))
    elif type(old) is not type(new) or old != new:
        yield f"{path} {_shown(old)} → {_shown(new)}"


def _shown(value: Json) -> str:
    text = "(none)" if value is _NOTHING or value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
