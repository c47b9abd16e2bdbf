"""The picture of a run's graph: boxes and curves for an SVG, with fan-outs grouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus, Look
from waivern.record.text_forms import clip
from waivern.runs.graph_groups import GroupedGraph, grouped, pattern
from waivern.runs.graph_layout import Edge, layout
from waivern.server.pages.page_templates import component_name, look, page_url, run_url, word

BOX = (216, 38)
"""Width and height of a box."""
GAP = (44, 12)
"""The space between columns and between rows."""
LABEL = 25
"""The characters that a box has room for."""
MOST_ARTIFACTS = 5_000
"""The artifacts of a run whose graph is drawn: of more, grouping takes too long for a page."""
MOST_BOXES = 600
"""The boxes that a picture may have; of a larger graph, only the table is shown."""
URGENT = (
    ArtifactStatus.FAILED,
    ArtifactStatus.RUNNING,
    ArtifactStatus.SUSPENDED,
    ArtifactStatus.SKIPPED,
    ArtifactStatus.NOT_STARTED,
    ArtifactStatus.COMPLETED,
)
"""The statuses by which several artifacts in one box are coloured, the first one decides."""


class Box(NamedTuple):
    """A drawn artifact, or several in equal positions."""

    x: float
    y: float
    url: Markup
    name: str
    label: str
    note: str
    look: Look
    is_group: bool


class Picture(NamedTuple):
    """A drawn graph."""

    width: float
    height: float
    boxes: list[Box]
    curves: list[str]
    """The `d` of a path for each edge."""
    opened: list[Box]
    """The groups that a reader has expanded, each with the link that collapses it."""
    box: tuple[int, int] = BOX


def picture(record: RunRecord, opened: Collection[str]) -> Picture | None:
    """Return the picture of a run's artifacts; None if there are too few or too many to draw."""
    if len(record.steps) > MOST_ARTIFACTS:
        return None
    needs = {name: needed(record, name) for name in record.steps}
    kinds = {name: step.component or "" for name, step in record.steps.items()}
    graph = grouped(needs, kinds, opened)
    if len(graph.members) > MOST_BOXES:
        graph, opened = grouped(needs, kinds), ()
    if not 1 < len(graph.members) <= MOST_BOXES:
        return None
    found = layout(graph.needs)
    wide, high = BOX[0] + GAP[0], BOX[1] + GAP[1]
    boxes = [
        _box(record, graph, name, (column * wide, row * high), opened)
        for name, (column, row) in found.nodes.items()
    ]
    width, height = found.columns * wide - GAP[0], found.rows * high - GAP[1]
    curves = [_curve(edge, wide, high) for edge in found.edges]
    return Picture(width, round(height, 1), boxes, curves, _expanded(record, opened))


def needed(record: RunRecord, name: str) -> Sequence[str]:
    """Return what an artifact was produced from, or will be, as far as the journal says."""
    if asked := record.decisions.get(name):
        return [*asked[-1].shown]  # a gate that waits has not started
    # those that were declared: one that is missing is not among those that were used
    return [*dict.fromkeys([*record.processors.get(name, ()), *record.steps[name].inputs])]


def _box(
    record: RunRecord,
    graph: GroupedGraph,
    name: str,
    place: tuple[float, float],
    opened: Collection[str],
) -> Box:
    members, run_id = graph.members[name], record.metadata.run_id
    x, y = place[0], round(place[1], 1)
    if len(members) == 1:
        step = record.steps[name]
        how = step.completed.how if step.completed else str(step.status)
        kind = "gate" if step.gate else component_name(step.component)
        label = clip(name, LABEL, keep_end=True)
        url = run_url(run_id, "artifacts", name)
        return Box(
            x,
            y,
            url,
            name,
            label,
            clip(f"{kind}, {word(how)}" if kind else word(how), 30),
            look(how),
            False,
        )
    counts = Counter(record.steps[each].status for each in members)
    note = ", ".join(f"{counts[status]:,} {status.label}" for status in URGENT if counts[status])
    worst = next(status for status in URGENT if counts[status])
    url = _graph_url(run_id, [*opened, name])
    shown = f"{pattern(members)} ({len(members):,})"
    return Box(x, y, url, shown, clip(shown, LABEL), clip(note, 30), worst.look, True)


def _expanded(record: RunRecord, opened: Collection[str]) -> list[Box]:
    run_id, known = record.metadata.run_id, [name for name in opened if name in record.steps]
    return [
        Box(
            0,
            0,
            _graph_url(run_id, [each for each in known if each != name]),
            name,
            name,
            "",
            record.steps[name].status.look,
            True,
        )
        for name in known
    ]


def _graph_url(run_id: str, opened: Sequence[str]) -> Markup:
    return page_url(f"/runs/{run_id}", {"open": list(opened)}) + Markup("#graph")


def _curve(edge: Edge, wide: float, high: float) -> str:
    """Return the path from the right side of a box to the left side of another."""
    points: list[tuple[float, float]] = []
    for number, (column, row) in enumerate(edge.points):
        x, y = column * wide, round(row * high + BOX[1] / 2, 1)
        if number > 0:
            points.append((x, y))
        if number < len(edge.points) - 1:
            points.append((x + BOX[0], y))
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
        if number % 2:
            parts.append(f"H{x2:g}")  # straight through the column
        else:
            bend = (x2 - x1) / 2
            parts.append(f"C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}")
    return "".join(parts)
