"""What names mean while a plan is made: the scope of each runbook, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.plan import Absent, Given, Last, Part
from waivern.problems import Problem
from waivern.runbook.model import Artifact, OnError, Runbook

if TYPE_CHECKING:
    from waivern.runbook.conditions import Condition

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
    by: tuple[Scope, Artifact] | None = None
    """Where it is included, and by what; None for the root runbook."""
    keys: tuple[str, ...] = ()
    names: dict[str, list[Meaning]] = field(default_factory=dict)
    """A name here -> artifacts, or names in other scopes."""
    givers: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A name here -> the directive and its output that give it."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """Values that conditions may use."""
    on_error: OnError | None = None
    cache: bool | None = None
    spare: bool = False
    tests: tuple[Asked, ...] = ()
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
    ) -> Problem:
        """Return a problem at a place in this runbook, with how it came to be read."""
        found = self.runbook.document.problem(code, message, at, on=on, hint=hint)
        return found._replace(included=self.included) if self.by else found

    @property
    def included(self) -> tuple[str, ...]:
        """By what it came to be read, nearest first."""
        chain, by = [], self.by
        while by is not None:
            scope, artifact = by
            chain.append(inclusion(scope, artifact))
            by = scope.by
        return tuple(chain)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A condition, before it is known which artifacts its names stand for."""

    scope: Scope
    """Where its names mean something."""
    artifact: Artifact
    """Whose it is."""
    condition: Condition
    holds: bool = True
    known: Mapping[str, Json] = field(default_factory=dict)
    before: Name | None = None
    """What it asks for as `result`."""


@dataclass(slots=True, eq=False)
class Flat:
    """One artifact of the flat runbook, its references not resolved yet."""

    id: ArtifactId
    artifact: Artifact
    """As declared, references to the item of a `for_each` in their places."""
    scope: Scope
    work: Given | Absent | Last | Part | None = None
    """What it is made by, if that is not what the declaration says."""
    inputs: tuple[Name, ...] = ()
    """Each may stand for several artifacts."""
    tests: tuple[Asked, ...] = ()
    after: tuple[Name, ...] = ()
    each: Json = None
    spare: bool = False
    round: int = 0
    """Of a repetition, from 1; 0 if it is none."""
    exposed: bool = False
    """What a directive with `output: true` offers, or an own artifact that says so."""
    optional: bool = False
    sensitive: bool = False


def inclusion(scope: Scope, artifact: Artifact) -> str:
    """Return by what, and where, a child is included."""
    at = ("artifacts", artifact.id, "child_runbook")
    return f"by '{artifact.id}' at {scope.runbook.document.problem('', '', at, on='key').position}"
