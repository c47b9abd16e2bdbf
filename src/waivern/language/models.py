"""The runbook as everyone after the loader sees it: frozen, complete, nothing left to check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from waivern.diagnostics import Diagnostic
from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.yamldoc.document import YamlDocument

if TYPE_CHECKING:
    from waivern.language.conditions import Condition
    from waivern.language.params import Param


class SourceSpec(NamedTuple):
    """Produced by a connector, from outside."""

    type: str
    properties: Mapping[str, Json]
    """As written: `${VAR}` is expanded where the work runs, so that no secret lies in a plan."""


class ProcessSpec(NamedTuple):
    """Produced by a processor from other artifacts; `merge` where the runbook names none."""

    type: str
    properties: Mapping[str, Json]
    """As written, like those of a Source."""
    inputs: tuple[ArtifactId, ...]
    """In declared order, at least one, each once; not known to exist."""


class ReuseSpec(NamedTuple):
    """Copied from another run."""

    from_run: str
    """An id, a unique prefix or a reference such as '@last'; unresolved."""
    artifact: str


class ChildSpec(NamedTuple):
    """Made by another runbook, whose artifacts become part of this one's run."""

    path: str
    """Relative, as written: beside this runbook, or in one of `config.template_paths`."""
    input_mapping: Mapping[str, str]
    """The child's input -> an artifact here."""
    output_mapping: Mapping[str, str]
    """The child's output -> its name here; with `output`, the directive's own id."""
    inputs: tuple[ArtifactId, ...] = ()
    """What the directive says that it takes; only checked, the mapping decides."""
    params: Mapping[str, Json] = {}
    """Values of the child's parameters, as written: `${VAR}` and secrets stay references."""


class GateSpec(NamedTuple):
    """Decided by people, who are shown artifacts and a question."""

    question: str
    inputs: tuple[ArtifactId, ...]
    """What is shown."""
    approvers: int = 1
    """How many different people have to approve."""
    expires: float | None = None
    """Seconds that the question stands; None: for ever."""


Producer: TypeAlias = SourceSpec | ProcessSpec | ReuseSpec | ChildSpec | GateSpec


class RetrySpec(NamedTuple):
    """When a failed artifact is tried again."""

    max: int
    """Tries after the first."""
    on: tuple[str, ...] = ()
    """Names of error classes, those that derive from them included; empty: any."""
    delay: float = 1.0
    """Seconds before the second try, at most; doubled for each further one."""
    max_delay: float = 60.0


class RepeatSpec(NamedTuple):
    """A processor or a child that is applied to its own result until a condition holds."""

    until: "Condition"
    max: int
    keep: bool = False
    """Whether the last round counts although the condition does not hold, or that is a failure."""
    feed: Mapping[str, str] = {}
    """Of a child: its output -> its input of the next round."""


OnError: TypeAlias = Literal["skip", "continue", "fail"]
"""What a failure comes to: dependents are skipped, go on without it, or nothing more is started."""


class ProductionSpec(NamedTuple):
    """How an artifact is made, whatever it is made from; None leaves it to what lies around."""

    when: "Condition | None" = None
    after: tuple[ArtifactId, ...] = ()
    retry: RetrySpec | None = None
    timeout: float | None = None
    """Seconds for one try."""
    pool: str | None = None
    on_error: OnError | None = None
    cache: bool | None = None


class ArtifactSpec(NamedTuple):
    """One artifact: where it comes from and what is expected of it."""

    id: ArtifactId
    producer: Producer
    output: bool = False
    optional: bool = False
    terms: ProductionSpec = ProductionSpec()
    for_each: Json = None
    """A list of items, a mapping of lists (every combination), or a reference to a parameter."""
    repeat: RepeatSpec | None = None
    output_schema: SchemaRef | None = None
    name: str | None = None
    description: str | None = None
    contact: str | None = None


DEFAULT_CONCURRENCY = 8
"""Artifacts that are made at once where nobody says how many."""


class RunbookConfig(NamedTuple):
    """What the runbook says about how it is run; None leaves it to the caller."""

    timeout: float | None = None
    """Seconds for the whole run."""
    max_concurrency: int | None = None
    pools: Mapping[str, int] = {}
    on_error: OnError | None = None
    cache: bool | None = None
    template_paths: tuple[str, ...] = ()
    """Folders that children may lie in, relative to the runbook's."""
    max_child_depth: int = 3
    min_coverage: float | None = None
    """The least percentage of the sources that must be examined."""


class ChildInput(NamedTuple):
    """An input that a runbook declares, to be given by the one that includes it."""

    name: str
    schema: SchemaRef
    optional: bool = False
    default: Json = None
    sensitive: bool = False
    """Its content is not shown where it was not asked for by name."""
    description: str | None = None


class ChildOutput(NamedTuple):
    """An output that a runbook declares for those that include it."""

    name: str
    artifact: str
    description: str | None = None


_USUAL = RunbookConfig()


@dataclass(frozen=True)
class Runbook:
    """A whole runbook. `artifacts` are in declared order."""

    name: str
    artifacts: Mapping[ArtifactId, ArtifactSpec]
    document: YamlDocument
    version: str = "1.0"
    description: str | None = None
    contact: str | None = None
    framework: str | None = None
    settings: RunbookConfig = _USUAL
    params: Mapping[str, "Param"] = field(default_factory=dict)
    inputs: Mapping[str, ChildInput] = field(default_factory=dict)
    """What it must be given: with any that is not optional it only runs as a child."""
    outputs: Mapping[str, ChildOutput] = field(default_factory=dict)


class RunbookDraft(NamedTuple):
    """A runbook as far as it can be used, so that all that is wrong can be said at once."""

    runbook: Runbook
    """Of the artifacts that are well formed."""
    problems: tuple[Diagnostic, ...] = ()
    faulty: frozenset[str] = frozenset()
    """The ids of the artifacts that are not, or are made of what a parameter without a value says:
    they are there, and may be referred to.
    """
    values: Mapping[str, Json] = {}
    """Of the parameters, as far as they are known; secrets too."""
