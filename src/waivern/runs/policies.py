"""`--fail-on`: conditions on the end of a run and on the artifacts that it produced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

from waivern.diagnostics import did_you_mean
from waivern.errors import ArtifactNotFoundError, UsageError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.conditions import Condition, ConditionError, EvaluationError
from waivern.message import Json
from waivern.planning.condition_shapes import STATUS, of_param
from waivern.planning.contents import ContentShapes
from waivern.planning.plan import Plan
from waivern.plugins.catalogue import Catalogue
from waivern.record.coverage import coverage
from waivern.record.fold import RunRecord
from waivern.record.status import CLOSED, RunStatus
from waivern.record.wording import headline
from waivern.runs.queries import content
from waivern.runs.run_options import RunOptions
from waivern.store.base import RunStore

Hide: TypeAlias = Callable[[str], str]
ROOTS = frozenset({"artifacts", "status", "params"})


class EndPolicy(Protocol):
    """A policy that is evaluated at the end of an attempt."""

    @property
    def notes(self) -> Sequence[str]:
        """What its last evaluation found out that a user should know."""

    def tripped_by(self, store: RunStore, plan: Plan, record: RunRecord, hide: Hide) -> str | None:
        """Return what trips the policy; None if nothing does."""


@dataclass(frozen=True, slots=True)
class MinCoverage:
    """The least part of the sources that must be examined."""

    least: Fraction
    notes: Sequence[str] = ()

    def tripped_by(self, store: RunStore, plan: Plan, record: RunRecord, hide: Hide) -> str | None:  # noqa: ARG002 - as of every policy
        """Return what is missing.

        While a run is not over, only the sources that no other attempt examines are judged.
        """
        found = coverage(record)
        if record.metadata.status not in CLOSED:
            found = found.settled()
            if not found.counted:
                return None
        if found.share >= self.least:
            return None
        return f"coverage {headline(found)} is less than {float(self.least * 100):.10g} %"


@dataclass(frozen=True, slots=True)
class MinRecall:
    """The least part of the planted values that each scan must find."""

    least: Fraction
    notes: Sequence[str] = ()

    def tripped_by(self, store: RunStore, plan: Plan, record: RunRecord, hide: Hide) -> str | None:  # noqa: ARG002 - as of every policy
        """Return what was not found; a run that is over and has proved nothing trips it, too."""
        found = coverage(record)
        recall = found.recall
        if recall is None:
            if found.proofs:  # searches for names of fields alone
                return None
            closed = record.metadata.status in CLOSED
            return "recall is unknown: no scan reports planted values" if closed else None
        if recall >= self.least:
            return None
        worst = next(each for each in found.proofs if each.values.recall == recall)
        shown = int(recall * 1000) / 1000  # rounded down: what is not quite 1 is not shown as 1
        return f"recall {shown:g} is less than {float(self.least):.10g}: {worst.sentence}"


@dataclass(frozen=True, slots=True)
class ForbiddenCondition:
    """One condition, and the artifacts that it speaks of by the names it uses."""

    condition: Condition
    named: Mapping[str, ArtifactId]
    notes: Sequence[str] = ()

    def tripped_by(self, store: RunStore, plan: Plan, record: RunRecord, hide: Hide) -> str | None:
        """Return what violates the policy; None if nothing does.

        Of a completed run, what cannot be decided trips it, too.
        """
        completed = record.metadata.status is RunStatus.COMPLETED
        try:
            scope = self._scope(store, plan, record)
            if not self.condition.evaluate(scope):
                return None
            return f"{self.condition.text}  ({self.condition.explain(scope, hide)})"
        except WaivernError as error:  # something is missing, or was altered meanwhile
            if isinstance(error, EvaluationError) and not completed:
                return None
            return f"{self.condition.text}  (cannot be decided: {hide(error.message)})"

    def _scope(self, store: RunStore, plan: Plan, record: RunRecord) -> dict[str, Json]:
        asked = self.condition.references
        made = {
            name: content(store, record, self.named[name])
            for root, name in asked
            if root == "artifacts" and record.steps[self.named[name]].completed
        }
        status = {
            name: str(record.steps[self.named[name]].status)
            for root, name in asked
            if root == "status"
        }
        return {"artifacts": made, "status": status, "params": _open_params(plan)}


_EXAMPLE = "write it as in `--fail-on \"status.scan == 'skipped'\"`"


def read(
    texts: Iterable[str], plan: Plan, catalogue: Catalogue, store: RunStore, options: RunOptions
) -> tuple[EndPolicy, ...]:
    """Return the policies of the command line: on artifacts, and on single findings.

    Raises UsageError with the position if one cannot be read or names an unknown parameter,
    ArtifactNotFoundError if it names an unknown artifact.
    """
    from waivern.runs.finding_filter import is_about_findings  # few policies are about findings
    from waivern.runs.finding_policies import read_finding_policies

    given = list(texts)
    of_findings = tuple(filter(is_about_findings, given))
    others = (_read(text, plan, catalogue) for text in given if text not in of_findings)
    return (*others, *read_finding_policies(of_findings, store, options))


def _read(text: str, plan: Plan, catalogue: Catalogue) -> ForbiddenCondition:
    try:
        condition = Condition.parse(text, ROOTS)
    except ConditionError as error:
        at = error.offset
        around, before = text[max(0, at - 60) : at + 60], min(at, 60)
        place = f"\n  {around!s}\n  {' ' * before}^" if around.isprintable() else ""
        raise UsageError(
            f"--fail-on: {error.message}{place}", hint=error.hint or _EXAMPLE
        ) from error
    named: dict[str, ArtifactId] = {}
    open_ = _open_params(plan)
    for root, name in sorted(condition.references):
        if root == "params" and name not in open_:
            secret = name in plan.runbook.params
            message = f"--fail-on: parameter '{name}' is a secret" if secret else None
            hint = did_you_mean(name, open_)
            raise UsageError(message or f"--fail-on: there is no parameter '{name}'", hint=hint)
        if root != "params":
            named[name] = _artifact(plan, name)
    _refuse_what_never_is(condition, plan, named, catalogue)
    untold = [("artifacts", name) for name, id_ in named.items() if plan.nodes[id_].sensitive]
    return ForbiddenCondition(condition.keeping(untold), named)


def _refuse_what_never_is(
    condition: Condition, plan: Plan, named: Mapping[str, ArtifactId], catalogue: Catalogue
) -> None:
    """Refuse a comparison that never holds: the policy would never trip."""
    contents = ContentShapes(plan.nodes, plan.runbook.document.folder, catalogue)
    roots = {}
    for root, name in condition.references:
        if root == "artifacts":
            roots[root, name] = contents.of(named[name])
        else:
            declared = plan.runbook.params.get(name)
            roots[root, name] = STATUS if root == "status" else of_param(declared)
    if faults := condition.faults(roots):
        raise UsageError(f"--fail-on: {faults[0].message}", hint=faults[0].hint)


def _artifact(plan: Plan, name: str) -> ArtifactId:
    if name in plan.nodes:
        return ArtifactId(name)
    ids = plan.aliases.get(name, ())
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise UsageError(
            f"--fail-on: '{name}' resolves to {len(ids)} artifacts",
            hint=f"name one of them: {', '.join(ids[:10])}",
        )
    raise ArtifactNotFoundError(
        f"--fail-on: the runbook has no artifact '{name}'",
        hint=did_you_mean(name, [*plan.nodes, *plan.aliases]) or f"it has {', '.join(plan.nodes)}",
    )


def _open_params(plan: Plan) -> dict[str, Json]:
    secret = {name for name, param in plan.runbook.params.items() if param.secret}
    return {name: value for name, value in plan.params.items() if name not in secret}
