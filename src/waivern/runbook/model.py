"""The runbook as everyone after the loader sees it: frozen, complete, nothing left to check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.problems import Problem
from waivern.runbook.document import Document


@dataclass(frozen=True, slots=True)
class Source:
    """Produced by a connector, from outside."""

    type: str
    properties: Mapping[str, Json]
    """As written: `${VAR}` is expanded where the work runs, so that no secret lies in a plan."""


@dataclass(frozen=True, slots=True)
class Process:
    """Produced by a processor from other artifacts; `merge` where the runbook names none."""

    type: str
    properties: Mapping[str, Json]
    """As written, like those of a Source."""
    inputs: tuple[ArtifactId, ...]
    """In declared order, at least one, each once; not known to exist."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """Copied from another run."""

    from_run: str
    """An id, a unique prefix or a reference such as '@last'; unresolved."""
    artifact: str


Producer: TypeAlias = Source | Process | Reuse


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact: where it comes from and what is expected of it."""

    id: ArtifactId
    producer: Producer
    output: bool = False
    optional: bool = False
    output_schema: SchemaRef | None = None
    name: str | None = None
    description: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the runbook says about how it is run; None leaves it to the caller."""

    timeout: float | None = None
    """Seconds for the whole run."""
    max_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """A whole runbook. `artifacts` are in declared order."""

    name: str
    artifacts: Mapping[ArtifactId, Artifact]
    document: Document
    version: str = "1.0"
    description: str | None = None
    contact: str | None = None
    framework: str | None = None
    settings: Settings = Settings()


@dataclass(frozen=True, slots=True)
class Draft:
    """A runbook as far as it can be used, so that all that is wrong can be said at once."""

    runbook: Runbook
    """Of the artifacts that are well formed."""
    problems: tuple[Problem, ...] = ()
    faulty: frozenset[str] = frozenset()
    """The ids of the artifacts that are not: they are there, and may be referred to."""
