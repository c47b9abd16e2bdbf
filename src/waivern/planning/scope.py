"""The scope of each runbook: the meaning of its names during planning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from waivern.diagnostics import Diagnostic
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec, Keep, OnChange, OnError
from waivern.language.models import ChildInput, Runbook
from waivern.language.params import open_values
from waivern.language.producer_specs import ChildSpec
from waivern.message import Json

if TYPE_CHECKING:
    from waivern.language.conditions import Condition

Name: TypeAlias = "tuple[Scope, str]"
"""A name, and where it means something."""
Meaning: TypeAlias = "Name | ArtifactId"


@dataclass(eq=False)
class Scope:
    """One inclusion of a runbook: what names mean in it."""

    runbook: Runbook
    prefix: str = ""
    key: str = ""
    faulty: frozenset[str] = frozenset()
    sound: bool = True
    """Whether nothing is wrong with its form, so that what is not there was never written."""
    by: "tuple[Scope, ArtifactSpec] | None" = None
    """Where it is included, and by what; None for the root runbook."""
    keys: tuple[str, ...] = ()
    names: dict[str, list[Meaning]] = field(default_factory=dict)
    """A name here -> artifacts, or names in other scopes."""
    givers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A name here -> the directive and its output that give it."""
    values: Mapping[str, Json] = field(default_factory=dict)
    """Of its parameters, as far as they are known; secrets too."""
    on_error: OnError | None = None
    cache: bool | None = None
    keep: Keep | None = None
    on_change: OnChange | None = None
    tests: "tuple[ConditionContext, ...]" = ()
    after: tuple[Name, ...] = ()
    tolerated: bool = False

    def problem(
        self,
        code: str,
        message: str,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> Diagnostic:
        """Return a problem at a place in this runbook, with the chain of its parents."""
        return self.locate(Diagnostic(code, message, at, hint, on))

    def locate(self, problem: Diagnostic) -> Diagnostic:
        """Add the position of a problem in this runbook, and the chain of inclusions to it."""
        return self.qualify(self.runbook.document.locate(problem))

    def qualify(self, problem: Diagnostic) -> Diagnostic:
        """Name the artifact of a located problem as the plan does: "child/findings"."""
        if self.by is None:
            return problem
        artifact = problem.artifact and self.prefix + problem.artifact
        return problem._replace(artifact=artifact, included=self.included)

    @cached_property
    def params(self) -> Mapping[str, Json]:
        """The values that conditions may use."""
        return open_values(self.runbook.params, self.values)

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags of the artifacts that include it, which all of its artifacts have."""
        if self.by is None:
            return ()
        scope, artifact = self.by
        return (*artifact.tags, *scope.tags)

    @property
    def included(self) -> tuple[str, ...]:
        """The chain of parents that include it, nearest first."""
        chain, by = [], self.by
        while by is not None:
            scope, artifact = by
            chain.append(included_by(scope, artifact))
            by = scope.by
        return tuple(chain)


class ChildInclusion(NamedTuple):
    """A `child_runbook` where it stands: of a `for_each`, the one of an item."""

    scope: Scope
    artifact: ArtifactSpec
    child: ChildSpec
    id: ArtifactId
    each: Json

    @property
    def at(self) -> tuple[str, ...]:
        """Where it stands in its runbook."""
        return ("artifacts", self.artifact.id, "child_runbook")

    @property
    def optional(self) -> bool:
        """Whether what it gives is only missed."""
        return self.artifact.optional or self.artifact.on_error == "continue"


class InputBinding(NamedTuple):
    """An input of a child, and what a directive gives to it."""

    directive: ChildInclusion
    inside: Scope
    need: ChildInput
    name: str
    """The name that is bound to it, as the parent writes it."""
    fed: bool
    """True if the previous round supplies it, false if the directive maps it."""

    @property
    def at(self) -> tuple[str, ...]:
        """Where the directive says so, below its artifact."""
        if self.fed:
            return ("repeat",)
        return ("child_runbook", "input_mapping", self.need.name)


class ConditionContext(NamedTuple):
    """A condition whose names are not resolved yet."""

    scope: Scope
    """The scope that resolves its names."""
    artifact: ArtifactSpec
    """Whose it is."""
    condition: "Condition"
    holds: bool = True
    known: Mapping[str, Json] = MappingProxyType({})
    before: "Name | None" = None
    """What it asks for as `result`."""


def included_by(scope: Scope, artifact: ArtifactSpec) -> str:
    """Return by what, and where, a child is included."""
    at = ("artifacts", artifact.id, "child_runbook")
    return f"by '{artifact.id}' at {scope.runbook.document.problem('', '', at, on='key').position}"
