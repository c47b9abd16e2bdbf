"""The graph of artifacts that pictures show: of a run with its outcome, or of a plan without one.

Fan-outs are folded: the nodes that are drawn are the groups of `graph_groups`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from waivern.pictures.graph_groups import GroupedGraph, grouped, pattern
from waivern.planning.plan import Node, Plan
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus, How, Look, looks
from waivern.record.text_forms import clip

URGENT = (
    ArtifactStatus.FAILED,
    ArtifactStatus.RUNNING,
    ArtifactStatus.SUSPENDED,
    ArtifactStatus.SKIPPED,
    ArtifactStatus.NOT_STARTED,
    ArtifactStatus.COMPLETED,
)
"""The statuses by which several artifacts in one box are coloured, the first one decides."""
PLANNED = Look("○", "o", "dim")
"""The appearance of an artifact that has no status, because nothing has run."""
COMPONENT = 18
"""The characters of a component that are shown."""
_LOOKS = looks()


class GraphNode(NamedTuple):
    """An artifact with its kind, its component and its outcome."""

    kind: str
    """`connector`, `processor`, `gate`, `reuse` and the like; empty if it is not recorded."""
    component: str
    """The type of the component, or else the kind."""
    status: ArtifactStatus | None = None
    """None: nothing has run."""
    how: str = ""
    """The outcome: the status, or the origin of a completed artifact."""

    @classmethod
    def of(cls, label: str, status: ArtifactStatus | None = None, how: str = "") -> GraphNode:
        """Return the node of an artifact whose component is recorded under `label`."""
        kind, _, name = label.partition(":")
        return cls(kind, kind if kind == "reuse" else name or kind, status, how)


class GraphBox(NamedTuple):
    """A drawn node: an artifact, or several in equal positions."""

    members: list[str]
    name: str
    note: str
    kind: str
    look: Look

    @property
    def is_group(self) -> bool:
        """Whether the box represents several artifacts."""
        return len(self.members) > 1


class DrawnGraph(NamedTuple):
    """The boxes by the id of their first artifact, and the boxes that each needs."""

    title: str
    boxes: dict[str, GraphBox]
    needs: dict[str, list[str]]

    @property
    def artifacts(self) -> int:
        """The number of artifacts."""
        return sum(len(box.members) for box in self.boxes.values())


class ArtifactGraph(NamedTuple):
    """All artifacts of a run or a plan, and what each needs."""

    title: str
    nodes: Mapping[str, GraphNode]
    needs: Mapping[str, Sequence[str]]

    def drawn(self, expanded: Collection[str] = ()) -> DrawnGraph:
        """Return the graph with its fan-outs folded, except those with a member in `expanded`."""
        kinds = {name: f"{node.kind}:{node.component}" for name, node in self.nodes.items()}
        found: GroupedGraph = grouped(self.needs, kinds, expanded)
        boxes = {name: self._box(members) for name, members in found.members.items()}
        return DrawnGraph(self.title, boxes, found.needs)

    def _box(self, members: list[str]) -> GraphBox:
        first = self.nodes[members[0]]
        if len(members) == 1:
            component = clip(first.component, COMPONENT)  # the outcome is to remain in sight
            note = ", ".join(filter(None, (component, outcome_word(first.how))))
            return GraphBox(members, members[0], note, first.kind, _look(first))
        name = f"{pattern(members)} ({len(members):,})"
        counts = Counter(self.nodes[each].status for each in members)
        parts = [f"{counts[each]:,} {each.label}" for each in URGENT if counts[each]]
        worst = next((each.look for each in URGENT if counts[each]), PLANNED)
        return GraphBox(members, name, ", ".join(parts) or first.component, first.kind, worst)


def graph_of_run(record: RunRecord) -> ArtifactGraph:
    """Return the graph of a run, as far as its journal has one."""
    nodes = {}
    for name, step in record.steps.items():
        how = step.completed.how if step.completed else str(step.status)
        label = "gate" if step.gate else step.component or ""
        nodes[name] = GraphNode.of(label, step.status, how)
    needs = {name: recorded_needs(record, name) for name in record.steps}
    return ArtifactGraph(record.metadata.runbook_name, nodes, needs)


def graph_of_plan(plan: Plan) -> ArtifactGraph:
    """Return the graph of a plan, whose artifacts have no outcome yet."""
    nodes = {str(name): GraphNode.of(node.work.label) for name, node in plan.nodes.items()}
    needs = {str(name): _planned_needs(node) for name, node in plan.nodes.items()}
    return ArtifactGraph(plan.runbook.name, nodes, needs)


def recorded_needs(record: RunRecord, name: str) -> Sequence[str]:
    """Return what an artifact was produced from, or will be, as far as the journal says."""
    if asked := record.decisions.get(name):
        return [*asked[-1].shown]  # a gate that waits has not started
    # those that were declared: one that is missing is not among those that were used
    return [*dict.fromkeys([*record.processors.get(name, ()), *record.steps[name].inputs])]


def outcome_word(how: str) -> str:
    """Return an outcome in words."""
    return How(how).label if how in set(How) else how.replace("_", " ")


def _planned_needs(node: Node) -> list[str]:
    return [*dict.fromkeys(map(str, (*node.inputs, *node.after)))]


def _look(node: GraphNode) -> Look:
    return PLANNED if node.status is None else _LOOKS.get(node.how, node.status.look)
