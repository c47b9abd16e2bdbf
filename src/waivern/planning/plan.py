"""The plan: what a run will do, complete and immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.planning.graph import dependents

if TYPE_CHECKING:  # workers have nodes, and no runbook: its models take a fifth of their start
    from waivern.language.artifact_spec import RetrySpec
    from waivern.language.conditions import Condition
    from waivern.language.models import Runbook
    from waivern.language.producer_specs import NotifySpec


class Extract(NamedTuple):
    """A connector is asked."""

    type: str
    version: str
    properties: Mapping[str, Json]
    """As in the runbook: `${VAR}` is still a reference."""

    @property
    def label(self) -> str:
        return f"connector:{self.type}"


class Transform(NamedTuple):
    """A processor is given the node's inputs."""

    type: str
    version: str
    properties: Mapping[str, Json]

    @property
    def label(self) -> str:
        return f"processor:{self.type}"


class Copy(NamedTuple):
    """Another run's artifact, pinned: what its journal said when it was looked up."""

    run: str
    artifact: str
    seq: int
    digest: str
    content_digest: str
    schema: str
    asked: tuple[str, str] = ("", "")
    """What the runbook says: a reference to a run, and the artifact."""
    keep: str | None = None
    """What it has of a source: 'reference' or 'content'; None: nothing that is known."""

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


class AskPeople(NamedTuple):
    """People decide; see `waivern.record.gates`."""

    question: str
    approvers: int
    expires: float | None
    notify: "NotifySpec | None" = None
    """As written: its variables are expanded when people are notified."""

    @property
    def label(self) -> str:
        return "gate"

    @property
    def version(self) -> None:
        """A gate: the content is a decision of people."""


class OutputPart(NamedTuple):
    """One of the named outputs of the processor that is the node's only input."""

    output: str

    @property
    def label(self) -> str:
        return "output"

    @property
    def version(self) -> None:
        """It is taken as it is."""


class LastRound(NamedTuple):
    """The result of the last round of a repetition; its rounds are the node's inputs, in order."""

    until: "Condition"
    keep: bool
    scope: Mapping[str, Json]
    """What is known when the plan is made: `params`, `each`."""
    led_by: ArtifactId | None = None
    """The last round of the output that `until` reads, if that is another output: this one is
    repeated as often."""

    @property
    def label(self) -> str:
        return "repeat"

    @property
    def version(self) -> None:
        """It is taken as it is."""


class DefaultValue(NamedTuple):
    """The default of a child's optional input that nothing is mapped to."""

    content: Json

    @property
    def label(self) -> str:
        return "default"

    @property
    def version(self) -> None:
        """It stands in the runbook."""


class NoValue(NamedTuple):
    """Nothing: a child's optional input without a default or a mapping, or inputs without items."""

    reason: str = "nothing is mapped to this input, and it has no default"

    @property
    def label(self) -> str:
        return "absent"

    @property
    def version(self) -> None:
        """Nothing makes nothing."""


Work: TypeAlias = (
    Extract | Transform | Copy | AskPeople | OutputPart | LastRound | DefaultValue | NoValue
)


class NodeTest(NamedTuple):
    """The condition that decides, when the inputs are known, whether a node is produced."""

    condition: "Condition"
    holds: bool = True
    """The value that is required: a round is produced while `until` is false."""
    statuses: Mapping[str, ArtifactId] = {}
    """The artifacts whose status it asks for, by the names it uses."""
    scope: Mapping[str, Json] = {}
    """What is known when the plan is made: `params`, `each`, `round`."""
    result: ArtifactId | None = None
    """The artifact that it reads as `result`: the result of the round before."""


class Node(NamedTuple):
    """One artifact of the plan."""

    id: ArtifactId
    work: Work
    inputs: tuple[ArtifactId, ...]
    schema: SchemaRef
    optional: bool = False
    """If it fails or is skipped, its dependants run with their other inputs."""
    output: bool = False
    names: tuple[str, ...] = ()
    """What the inputs are called where the artifact is declared, if not by their ids."""
    after: tuple[ArtifactId, ...] = ()
    """Has to be completed before, but is not read."""
    tests: tuple[NodeTest, ...] = ()
    """All have to come out as they should."""
    retry: "RetrySpec | None" = None
    timeout: float | None = None
    max_memory: int | None = None
    """The bytes that a call may take; a worker process then carries it out."""
    pool: str | None = None
    fail_fast: bool = False
    """Its failure ends the run: nothing more is started."""
    cache: bool | None = None
    """Whether it may be taken from where the same was made before; None: if it is repeatable."""
    base: str = ""
    """The folder that relative paths start from; empty: the root runbook's."""
    sensitive: bool = False
    """It holds what is not to be shown."""
    keep: str | None = None
    """What is stored of a source: 'reference' or 'content'; None: what its connector can do."""
    on_change: str = "skip"
    """What a reader does with an item that changed since it was listed: 'skip' or 'fail'."""
    tolerated: bool = False
    """Its failure does not make the run a failed one: it is part of a child that is optional."""
    tags: tuple[str, ...] = ()
    """Words by which `--select` finds it: its own, and those of what includes it."""

    def hinges_on(self, needed: ArtifactId) -> bool:
        """Return whether it is not produced without `needed`, even if that is optional."""
        if isinstance(self.work, LastRound) and self.work.led_by == needed:
            return True
        return any(test.result == needed for test in self.tests)

    def spares(self, needed: ArtifactId) -> bool:
        """Return whether it is produced although `needed` is left out: a round after the first."""
        return isinstance(self.work, LastRound) and needed in self.inputs[1:]

    @property
    def called(self) -> tuple[str, ...]:
        """The names of the inputs for the component that reads them."""
        return self.names or self.inputs


@dataclass(frozen=True)
class Plan:
    """All nodes, each after all it waits for."""

    runbook: "Runbook"
    nodes: Mapping[ArtifactId, Node]
    aliases: Mapping[str, tuple[ArtifactId, ...]] = field(default_factory=dict)
    """Names that resolve to artifacts: outputs of children, groups of `for_each`."""
    children: Mapping[str, bytes] = field(default_factory=dict)
    """The bytes of every child runbook, by path."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """The values of the runbook's parameters; null represents a secret."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """The number of artifacts of each pool that run at once."""
    declared: tuple[ArtifactId, ...] = ()
    """The ids in the order in which the runbooks declare them."""
    project: Mapping[str, Json] = field(default_factory=dict)
    """What the project's file gave it: `components` (type to properties), `on_error` …"""

    @cached_property
    def dependents(self) -> Mapping[ArtifactId, list[ArtifactId]]:
        """Who takes each artifact as an input."""
        return dependents({name: node.inputs for name, node in self.nodes.items()})

    @property
    def outputs(self) -> list[ArtifactId]:
        """The artifacts marked `output: true`."""
        return [node.id for node in self.nodes.values() if node.output]
