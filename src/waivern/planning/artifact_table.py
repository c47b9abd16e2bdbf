"""The table of flat artifacts, as far as they are expanded, with their names and problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from waivern.diagnostics import Diagnostic, InvalidError, did_you_mean, shown
from waivern.ids import ArtifactId, collisions
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.models import RunbookDraft
from waivern.message import Json
from waivern.planning.plan import DefaultValue, LastRound, NoValue, OutputPart
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ConditionContext, InputBinding, Meaning, Name, Scope
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.yaml_events import ENOUGH

MOST = 200_000
"""Artifacts that a plan may have."""
MOST_CHILDREN = 50_000
LOOKED_AT = 1_000
"""The number of names that are compared with an unknown one."""
LONGEST = 800
"""Bytes of an id: it becomes a path, and 1,024 bytes are all that some systems have for one."""


@dataclass(slots=True, eq=False)
class FlatArtifact:
    """One flat artifact, its references not resolved yet."""

    id: ArtifactId
    artifact: ArtifactSpec
    """As declared, references to the item of a `for_each` in their places."""
    scope: Scope
    work: DefaultValue | NoValue | LastRound | OutputPart | None
    """What it is made by, if that is not what the declaration says."""
    inputs: tuple[Name, ...]
    """Each may resolve to several artifacts."""
    tests: tuple[ConditionContext, ...]
    each: Json
    round: int
    """Of a repetition, from 1; 0 if it is none."""
    exposed: bool
    """What a directive with `output: true` offers, or an own artifact that says so."""
    optional: bool
    sensitive: bool

    @property
    def as_declared(self) -> bool:
        """Whether it is called as it is declared: no item, no round, no output of its own."""
        return self.id == self.scope.prefix + self.artifact.id

    def problem(
        self,
        code: str,
        message: str,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> Diagnostic:
        """Return a problem at a place in the artifact's declaration."""
        path = ("artifacts", self.artifact.id, *at)
        return self.scope.problem(code, message, path, on=on, hint=hint)


class ArtifactTable:
    """The flat artifacts of a runbook and its children, by id, in the order of declaration.

    Raises InvalidError at once if there is too much of them, or too much wrong with them.
    """

    def __init__(self, root: RunbookDraft, documents: Mapping[str, YamlDocument]) -> None:
        runbook, config = root.runbook, root.runbook.config
        self.root = Scope(
            runbook,
            faulty=root.faulty,
            values=root.values,
            on_error=config.on_error,
            cache=config.cache,
            keep=config.keep,
            on_change=config.on_change,
        )
        self.scopes = [self.root]
        self.artifacts: dict[ArtifactId, FlatArtifact] = {}
        self.bindings: list[InputBinding] = []
        """The inputs of children, each with what is bound to it."""
        self.documents = documents
        """The child runbooks that were read, by key."""
        self.problems: dict[Diagnostic, None] = dict.fromkeys(root.problems)

    # growing

    def add(
        self,
        scope: Scope,
        artifact: ArtifactSpec,
        id_: ArtifactId,
        inputs: tuple[Name, ...],
        each: Json = None,
        *,
        work: DefaultValue | NoValue | LastRound | OutputPart | None = None,
        tests: tuple[ConditionContext, ...] = (),
        round_: int = 0,
        sensitive: bool = False,
    ) -> ArtifactId:
        """Add what is declared as `artifact`; return its id."""
        if id_ in self.artifacts or len(id_) > LONGEST or len(self.artifacts) >= MOST:
            self._refuse(scope, artifact, id_)
        self.artifacts[id_] = FlatArtifact(
            id_,
            artifact,
            scope,
            work,
            inputs,
            scope.tests + tests,
            each,
            round_,
            artifact.output and not scope.prefix and not round_,
            artifact.optional and not round_,
            sensitive,
        )
        return id_

    def _refuse(self, scope: Scope, artifact: ArtifactSpec, id_: ArtifactId) -> None:
        at = ("artifacts", artifact.id)
        if id_ in self.artifacts:
            self.report(scope.problem(PlanCode.SAME_ID, f"there are two artifacts '{id_}'", at))
        if len(id_) > LONGEST:
            message = f"the id {shown(id_)} is longer than {LONGEST} bytes"
            self.report(scope.problem(PlanCode.SAME_ID, message, at, on="key"))
        self.bound(scope, artifact)

    def bound(self, scope: Scope, artifact: ArtifactSpec) -> None:
        """Raise InvalidError if the plan becomes too large."""
        if len(self.artifacts) >= MOST or len(self.scopes) > MOST_CHILDREN:
            message = f"more than {MOST:,} artifacts once children and items are expanded"
            self.record(scope.problem(PlanCode.ITEMS, message, ("artifacts", artifact.id)))
            raise self.invalid()

    # what is wrong

    def record(self, problem: Diagnostic) -> None:
        """Record a problem once: a declaration may result in many artifacts."""
        self.problems[problem] = None

    def invalid(self) -> InvalidError:
        """Return the error with all problems: of a file that is included repeatedly, once."""
        found = {(each.code, each.message, each.position): each for each in reversed(self.problems)}
        return InvalidError(list(reversed(found.values())))

    def report(self, problem: Diagnostic) -> None:
        """Record a problem; raise InvalidError if there are enough."""
        self.record(problem)
        if len(self.problems) >= ENOUGH:
            raise self.invalid()

    def report_collisions(self) -> None:
        """Report ids that would be one file where case is ignored."""
        for earlier, later in collisions(self.artifacts):
            one, other = self.artifacts[ArtifactId(earlier)], self.artifacts[ArtifactId(later)]
            if one.scope is other.scope and one.as_declared and other.as_declared:
                continue  # reported when their runbook was read
            message = f"the artifacts '{earlier}' and '{later}' differ only in case"
            self.report(other.problem(PlanCode.SAME_ID, message, ()))

    # names

    def resolve(self, scope: Scope, name: str) -> tuple[ArtifactId, ...] | None:
        """Return the artifacts that a name resolves to; None if it is unknown."""
        if name not in scope.names:
            own = ArtifactId(scope.prefix + name)
            flat = self.artifacts.get(own)
            return (own,) if flat and flat.scope is scope else None
        found: dict[ArtifactId, None] = {}
        waiting: list[Meaning] = [(scope, name)]
        seen: set[Name] = set()
        circular = False
        while waiting:
            next_ = waiting.pop()
            if not isinstance(next_, tuple):
                found[next_] = None
            elif next_ in seen:
                circular = True  # or the same by two ways
            else:
                seen.add(next_)
                where, called = next_
                if called in where.names:
                    waiting += reversed(where.names[called])
                elif own_ids := self.resolve(where, called):
                    found[own_ids[0]] = None
                else:
                    return None
        return None if circular and not found else tuple(found)

    def aliases(self) -> dict[str, tuple[ArtifactId, ...]]:
        """Return what the aliases of the root runbook resolve to."""
        return {
            name: self.resolve(self.root, name) or ()
            for name in self.root.names
            if name not in self.artifacts
        }

    def report_undefined(
        self, scope: Scope, owner: str, name: str, at: tuple[str | int, ...]
    ) -> None:
        """Report that an artifact refers to an unknown name."""
        if name in scope.faulty or name in scope.names:
            return  # reported where the name is declared
        message = f"artifact '{owner}' reads '{name}', which is not defined"
        path, hint = ("artifacts", owner, *at), self.suggestion(scope, name)
        self.report(scope.problem(PlanCode.UNDEFINED_INPUT, message, path, hint=hint))

    def suggestion(self, scope: Scope, name: str) -> str | None:
        """Return a hint that names the known name most like an unknown one."""
        known = chain(scope.runbook.artifacts, scope.names, scope.faulty)
        if "/" in name:
            own = (id_ for id_, flat in self.artifacts.items() if flat.scope is scope)
            known = chain((id_.removeprefix(scope.prefix) for id_ in own if "/" in id_), known)
        names = list(islice(known, LOOKED_AT))
        return did_you_mean(name, names) or f"there are: {', '.join(names[:20]) or 'none'}"
