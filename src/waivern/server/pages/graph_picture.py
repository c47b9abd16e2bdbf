"""The picture of a run's graph on its page: its fan-outs are folded, and expanded by links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from markupsafe import Markup

from waivern.pictures.artifact_graph import graph_of_run
from waivern.pictures.elements import Markup as Drawing
from waivern.pictures.graph_svg import graph_svg
from waivern.record.fold import RunRecord
from waivern.server.pages.page_templates import page_url, run_url

MOST_ARTIFACTS = 5_000
"""The artifacts of a run whose graph is drawn: of more, grouping takes too long for a page."""
MOST_BOXES = 600
"""The boxes that a picture may have; of a larger graph, only the table is shown."""


class Picture(NamedTuple):
    """A drawn graph."""

    svg: Markup
    expanded: list[tuple[str, Markup]]
    """The groups that a reader has expanded, each with the link that collapses it."""


def picture(record: RunRecord, opened: Collection[str]) -> Picture | None:
    """Return the picture of a run's artifacts; None if there are too few or too many to draw."""
    if len(record.steps) > MOST_ARTIFACTS:
        return None
    graph, run_id = graph_of_run(record), record.metadata.run_id
    drawn = graph.drawn(opened)
    if len(drawn.boxes) > MOST_BOXES:
        drawn, opened = graph.drawn(), ()
    if not 1 < len(drawn.boxes) <= MOST_BOXES:
        return None

    def link(name: str) -> Drawing:
        grouped = drawn.boxes[name].is_group
        url = _graph_url(run_id, [*opened, name]) if grouped else run_url(run_id, "artifacts", name)
        return Drawing(url)

    known = [name for name in opened if name in record.steps]
    collapse = [(each, _graph_url(run_id, [n for n in known if n != each])) for each in known]
    return Picture(Markup(graph_svg(drawn, link)), collapse)  # noqa: S704 - escaped by `element`


def _graph_url(run_id: str, opened: Sequence[str]) -> Markup:
    return page_url(f"/runs/{run_id}", {"open": list(opened)}) + Markup("#graph")
