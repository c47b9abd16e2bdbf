"""The rebuilder: decides whether an artifact of an earlier attempt is still valid. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.graph import descendants
from waivern.planning.plan import AskPeople, Copy, Node, Plan
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import ArtifactStatus
from waivern.store.store_values import ArtifactRef


class Keep(NamedTuple):
    """It is there, and still what it should be."""

    ref: ArtifactRef
    reason: str


class Produce(NamedTuple):
    """It has to be produced."""

    reason: str


ON_ANOTHER = "decided on another runbook"

Decision: TypeAlias = Keep | Produce

Evidence: TypeAlias = Mapping[str, ArtifactCompletedRecord]
"""What earlier attempts completed and was found intact, by artifact."""

Standing: TypeAlias = Mapping[str, ArtifactStatus]
"""How artifacts stand in this attempt, as far as that is settled."""


def asked(node: Node, standing: Standing) -> dict[str, str]:
    """Return how the artifacts stand that the conditions of a node ask for."""
    names = (name for test in node.tests for name in test.statuses.values())
    return {name: str(standing.get(name, ArtifactStatus.NOT_STARTED)) for name in names}


def decide(
    node: Node,
    inputs: Iterable[ArtifactRef],
    standing: Standing,
    evidence: Evidence,
    runbook_hash: str,
) -> Decision:
    """Decide on one artifact whose inputs are known."""
    done = evidence.get(node.id)
    if done is None:
        return Produce(
            "copied from another run" if isinstance(node.work, Copy) else "not produced yet"
        )
    now = {ref.key: ref.content_digest for ref in inputs}
    if changed := _difference(done.inputs, now):
        return Produce(changed)
    for name, status in asked(node, standing).items():
        if (then := done.statuses.get(name)) != status:
            return Produce(f"'{name}', which its condition asks for, was {then}, is {status}")
    if isinstance(node.work, AskPeople) and _on(done) != runbook_hash:
        return Produce(ON_ANOTHER)
    lists = done.keep == "reference"
    ref = ArtifactRef(
        node.id, done.digest, done.content_digest, schema=done.schema, lists_source=lists
    )
    return Keep(ref, "produced by an earlier attempt")


def _on(decided: ArtifactCompletedRecord) -> Json:
    """Return the hash of the runbook that a gate was decided on."""
    return (decided.origin or {}).get("runbook_hash")


def _difference(then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    if then == now:
        return None
    for key in now:
        if key not in then:
            return f"input {key} is there now"
        if then[key] != now[key]:
            return f"input {key} has changed"
    return f"input {next(iter(then.keys() - now.keys()))} is missing now"


def invalid(
    plan: Plan, completed: Evidence, faults: Mapping[str, str], changed: Mapping[str, str]
) -> dict[ArtifactId, str]:
    """Return the completed artifacts that are invalidated, each with the reason, in plan order.

    `faults` says what is wrong with artifacts on the disk, `changed` how their definitions differ;
    decisions on another runbook are invalid. What was produced from any of these follows.
    """
    runbook = plan.runbook.document.digest
    decided = {
        str(name): ON_ANOTHER
        for name, node in plan.nodes.items()
        if isinstance(node.work, AskPeople)
        and name in completed
        and _on(completed[name]) != runbook
    }
    reasons: dict[str, str] = {**decided, **changed, **faults}
    roots = [name for name in plan.nodes if name in reasons]
    fallen = descendants(plan.dependents, roots)
    return {
        name: reasons.get(name, "produced from an artifact that has to be rebuilt")
        for name in plan.nodes
        if name in fallen and name in completed
    }
