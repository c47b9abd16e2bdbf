"""The references of conditions: the artifacts and values that their names resolve to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from waivern.diagnostics import did_you_mean
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec
from waivern.message import Json
from waivern.planning import mapping
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan import NodeTest
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, ConditionContext, Scope

if TYPE_CHECKING:
    from waivern.language.conditions import Condition


def asked_of(table: ArtifactTable, directive: ChildInclusion) -> tuple[ConditionContext, ...]:
    """Return the condition of a directive, which every artifact of the child has to meet."""
    scope, artifact = directive.scope, directive.artifact
    condition = artifact.when
    if condition is None:
        return ()
    if any(root == "inputs" for root, _ in condition.references):
        message = f"the condition of '{artifact.id}' reads inputs, and a child has none"
        hint = "give it to an artifact of the child, or ask for a status"
        at = ("artifacts", artifact.id, "when")
        table.report(scope.problem(PlanCode.CONDITION, message, at, hint=hint))
        return ()
    return (_asked(scope, artifact, condition, directive.each),)


def _asked(
    scope: Scope, artifact: ArtifactSpec, condition: Condition, each: Json
) -> ConditionContext:
    return ConditionContext(
        scope, artifact, condition, known={"params": scope.params, "each": each}
    )


def own_test(table: ArtifactTable, flat: FlatArtifact, condition: Condition) -> NodeTest:
    """Return the test that is an artifact's own `when`."""
    names = {name for _, name in flat.inputs}
    for root, name in sorted(condition.references):
        if root == "inputs" and name not in names:
            message = f"the condition of '{flat.artifact.id}' reads '{name}', which is not an input"
            known = f"its inputs are {', '.join(sorted(names))}" if names else "it has none"
            hint = did_you_mean(name, names) or known
            table.record(flat.problem(PlanCode.CONDITION, message, ("when",), hint=hint))
        elif root == "inputs":
            _refuse_group(table, flat, name)
    asked = _asked(flat.scope, flat.artifact, condition, flat.each)
    return test(table, asked._replace(condition=_discreet(table, flat, condition)))


def _discreet(table: ArtifactTable, flat: FlatArtifact, condition: Condition) -> Condition:
    """Return the condition of an artifact, silent about those of its inputs that are sensitive."""
    asked = [(root, name) for root, name in condition.references if root == "inputs"]
    silent = [each for each in asked if _sensitive(table, table.resolve(flat.scope, each[1]))]
    return condition.keeping(silent) if silent else condition


def _sensitive(table: ArtifactTable, ids: Iterable[ArtifactId] | None) -> bool:
    """Return whether one of the artifacts is not to be shown."""
    return any(table.artifacts[id_].sensitive or id_ in _given(table) for id_ in ids or ())


_GIVEN: WeakKeyDictionary[ArtifactTable, set[ArtifactId]] = WeakKeyDictionary()


def _given(table: ArtifactTable) -> set[ArtifactId]:
    """Return what is given to sensitive inputs, worked out once: conditions may be many."""
    if table not in _GIVEN:
        _GIVEN[table] = mapping.sensitive(table)
    return _GIVEN[table]


def _refuse_group(table: ArtifactTable, flat: FlatArtifact, name: str) -> None:
    """A condition reads one artifact: a name for several has no content."""
    ids = table.resolve(flat.scope, name) or ()
    if len(ids) > 1:
        several = f"'{name}', which resolves to several artifacts"
        message = f"the condition of '{flat.artifact.id}' reads {several}"
        hint = f"one of them is '{ids[0].removeprefix(flat.scope.prefix)}'"
        table.record(flat.problem(PlanCode.CONDITION, message, ("when",), hint=hint))


def test(table: ArtifactTable, asked: ConditionContext) -> NodeTest:
    """Return a condition with what it needs to be evaluated, references checked."""
    statuses: dict[str, ArtifactId] = {}
    for root, name in sorted(asked.condition.references):
        if root == "params":
            _check_param(table, asked, name)
        elif root == "status":
            ids = table.resolve(asked.scope, name)
            if ids is not None and len(ids) == 1:
                statuses[name] = ids[0]
            elif name not in asked.scope.faulty and ids != ():
                _report_not_one(table, asked, name, ids)
    result = table.resolve(*asked.before) if asked.before else None
    before = result[0] if result else None
    condition = asked.condition
    if _sensitive(table, result):
        condition = condition.keeping([("result", "")])
    return NodeTest(condition, asked.holds, statuses, asked.known, before)


def _check_param(table: ArtifactTable, asked: ConditionContext, name: str) -> None:
    if name in asked.scope.params:
        return
    declared = asked.scope.runbook.params.get(name)
    if declared is None or declared.secret or name in asked.scope.values:
        what = "is a variable, whose value is known only during the run"
        if declared is None or declared.secret:
            what = "is a secret" if declared else "is not declared"
        message = f"parameter '{name}', which the condition uses, {what}"
        table.report(asked.scope.problem(PlanCode.CONDITION, message, _at(asked)))


def _report_not_one(
    table: ArtifactTable, asked: ConditionContext, name: str, ids: tuple[ArtifactId, ...] | None
) -> None:
    """Report a condition on the status of a name that is not one artifact."""
    scope = asked.scope
    what = "resolves to several artifacts" if ids else "is not there"
    message = f"the condition of '{asked.artifact.id}' asks for '{name}', which {what}"
    hint = f"one of them is '{ids[0].removeprefix(scope.prefix)}'" if ids else None
    hint = hint or table.suggestion(scope, name)
    table.report(scope.problem(PlanCode.CONDITION, message, _at(asked), hint=hint))


def _at(asked: ConditionContext) -> tuple[str, ...]:
    return ("artifacts", asked.artifact.id, *(("when",) if asked.holds else ("repeat", "until")))
