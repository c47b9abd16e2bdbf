"""The expansion of `repeat`: each round is produced from the result of the one before. Pure."""

from __future__ import annotations

from waivern.diagnostics import did_you_mean
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec, RepeatSpec
from waivern.message import Json
from waivern.planning import condition_tests, mapping
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.plan import LastRound
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, ConditionContext, Meaning, Name, Scope


def repeated(
    table: ArtifactTable,
    scope: Scope,
    artifact: ArtifactSpec,
    repeat: RepeatSpec,
    id_: ArtifactId,
    each: Json,
) -> None:
    """Add the rounds of a processor, and the result of the last one."""
    before: Name
    before, *others = ((scope, name) for name in artifact.inputs)
    own = id_.removeprefix(scope.prefix)
    rounds: list[Name] = []
    for n in range(1, repeat.max + 1):
        round_ = ArtifactId(f"{id_}/round-{n}")
        tests = (_until(scope, artifact, repeat, n, before, each),) if rounds else ()
        table.add(scope, artifact, round_, (before, *others), each, tests=tests, round_=n)
        before = (scope, f"{own}/round-{n}")
        rounds.append(before)
    last = _last(table, scope, artifact, repeat, each)
    table.add(scope, artifact, id_, tuple(rounds), each, work=last)


class ChildRounds:
    """The rounds of a child, as far as they have been included."""

    def __init__(self, table: ArtifactTable, directive: ChildInclusion, repeat: RepeatSpec) -> None:
        self._table = table
        self._directive = directive
        self._repeat = repeat
        self._scopes: list[Scope] = []
        self._outputs: dict[str, str] = {}
        """Output -> its name around the child."""
        self._feed: list[tuple[str, str]] = []
        """(output of a round, input of the next)."""

    def fed(self) -> dict[str, Name]:
        """Return the inputs that the next round has from the one before."""
        if not self._scopes:
            return {}
        before = self._scopes[-1]
        return {need: _offer(before, out) for out, need in self._feed}

    def tests(self) -> tuple[ConditionContext, ...]:
        """Return the conditions that decide whether the next round is produced."""
        if not self._scopes:
            return ()
        leading = _offer(self._scopes[-1], next(iter(self._outputs)))
        directive, n = self._directive, len(self._scopes) + 1
        scope, artifact = directive.scope, directive.artifact
        return (_until(scope, artifact, self._repeat, n, leading, directive.each),)

    def add(self, inside: Scope) -> bool:
        """Add a round; return whether it has a requested output."""
        if not self._scopes:
            self._outputs = mapping.offered(self._table, self._directive, inside)
            self._feed = _feed(self._table, self._directive, self._repeat, inside)
        self._scopes.append(inside)
        return bool(self._outputs)

    def results(self) -> dict[str, list[Meaning]]:
        """Add the result of the last round; return it by output."""
        directive = self._directive
        scope, artifact, each = directive.scope, directive.artifact, directive.each
        last = _last(self._table, scope, artifact, self._repeat, each)
        suffix = directive.id.removeprefix(f"{scope.prefix}{artifact.id}")
        found: dict[str, list[Meaning]] = {}
        for out, name in self._outputs.items():
            id_ = ArtifactId(f"{scope.prefix}{name}{suffix}")
            rounds = tuple(_offer(inside, out) for inside in self._scopes)
            found[out] = [self._table.add(scope, artifact, id_, rounds, each, work=last)]
            last = last._replace(led_by=last.led_by or id_)
        return found


def _offer(inside: Scope, out: str) -> Name:
    return inside, inside.runbook.outputs[out].artifact


def _until(
    scope: Scope, artifact: ArtifactSpec, repeat: RepeatSpec, n: int, before: Name, each: Json
) -> ConditionContext:
    """Return what decides whether round `n` is made: that the round before did not suffice."""
    known = {"params": scope.params, "round": n - 1, "each": each}
    return ConditionContext(scope, artifact, repeat.until, holds=False, known=known, before=before)


def _last(
    table: ArtifactTable, scope: Scope, artifact: ArtifactSpec, repeat: RepeatSpec, each: Json
) -> LastRound:
    known = {"params": scope.params, "each": each}
    condition_tests.test(
        table, ConditionContext(scope, artifact, repeat.until, holds=False)
    )  # it is asked here too
    return LastRound(repeat.until, repeat.keep, known)


def _feed(
    table: ArtifactTable, directive: ChildInclusion, repeat: RepeatSpec, inside: Scope
) -> list[tuple[str, str]]:
    """Return which output of a round becomes which input of the next."""
    if repeat.feed:
        pairs = repeat.feed.items()
        return [(out, need) for out, need in pairs if _can(table, directive, inside, out, need)]
    offers, needs = inside.runbook.outputs, inside.runbook.inputs
    outputs = directive.child.outputs(directive.artifact.id)
    feed = [(out, out) for out in outputs if out in offers and out in needs]
    if not feed:
        id_ = directive.artifact.id
        message = f"'{id_}' repeats a child without feeding it its own result"
        hint = "say which output becomes which input: `feed: {<output>: <input>}`"
        at = ("artifacts", id_, "repeat")
        table.report(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
    return feed


def _can(
    table: ArtifactTable, directive: ChildInclusion, inside: Scope, out: str, need: str
) -> bool:
    """Return whether the child has the output that is fed, and the input it is fed to."""
    offers, needs = inside.runbook.outputs, inside.runbook.inputs
    if out not in offers:
        message, hint = f"has no output '{out}'", did_you_mean(out, offers)
    elif need not in needs:
        message, hint = f"has no input '{need}'", did_you_mean(need, needs)
    else:
        return True
    message = f"{directive.child.path} {message}"
    at = ("artifacts", directive.artifact.id, "repeat", "feed", out)
    table.report(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
    return False
