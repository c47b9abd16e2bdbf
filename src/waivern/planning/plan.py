"""The plan: what a run will do, complete and immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.planning.graph import dependents
from waivern.runbook.model import Runbook


@dataclass(frozen=True, slots=True)
class Extract:
    """A connector is asked."""

    type: str
    version: str
    properties: Mapping[str, Json]
    """As in the runbook: `${VAR}` is still a reference."""

    @property
    def label(self) -> str:
        return f"connector:{self.type}"


@dataclass(frozen=True, slots=True)
class Transform:
    """A processor is given the node's inputs."""

    type: str
    version: str
    properties: Mapping[str, Json]

    @property
    def label(self) -> str:
        return f"processor:{self.type}"


@dataclass(frozen=True, slots=True)
class Copy:
    """Another run's artifact, pinned: what its journal said when it was looked up."""

    run: str
    artifact: str
    seq: int
    digest: str
    content_digest: str
    schema: str

    @property
    def label(self) -> str:
        return f"reuse:{self.run}/{self.artifact}"

    @property
    def version(self) -> None:
        """A copy is made by no component."""

    @property
    def origin(self) -> dict[str, Json]:
        """What the journal keeps of where the copy came from."""
        return {"run": self.run, "artifact": self.artifact, "seq": self.seq, "digest": self.digest}


Work: TypeAlias = Extract | Transform | Copy


@dataclass(frozen=True, slots=True)
class Node:
    """One artifact of the plan."""

    id: ArtifactId
    work: Work
    inputs: tuple[ArtifactId, ...]
    schema: SchemaRef
    optional: bool
    output: bool


@dataclass(frozen=True)
class Plan:
    """All nodes, each after its inputs."""

    runbook: Runbook
    nodes: Mapping[ArtifactId, Node]

    @cached_property
    def dependents(self) -> Mapping[ArtifactId, list[ArtifactId]]:
        """Who takes each artifact as an input."""
        return dependents({name: node.inputs for name, node in self.nodes.items()})

    @property
    def outputs(self) -> list[ArtifactId]:
        """The artifacts marked `output: true`."""
        return [node.id for node in self.nodes.values() if node.output]
