"""The graph of artifacts as SVG: alone in a file, or within a page that has its style."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from itertools import pairwise

from waivern.pictures.artifact_graph import DrawnGraph, GraphBox
from waivern.pictures.elements import Markup, element, escaped, together
from waivern.pictures.graph_layout import Edge, Point, layout
from waivern.record.text_forms import clip, counted

BOX = (216, 38)
"""Width and height of a box."""
GAP = (44, 12)
"""The space between columns and between rows."""
LABEL, NOTE = 25, 30
"""The characters that the two lines of a box have room for."""
MARGIN = 4
_STEP = (BOX[0] + GAP[0], BOX[1] + GAP[1])


@cache
def style(name: str) -> str:
    """Return a style sheet of the pictures: `palette` or `graph`."""
    return (files(__package__) / "assets" / f"{name}.css").read_text()


def graph_svg(graph: DrawnGraph, link: Callable[[str], str | None] = lambda _: None) -> Markup:
    """Return the graph as an element of a page, which has the styles `palette` and `graph`.

    `link` returns the address that the box of an artifact leads to; a text that is markup.
    """
    return _svg(graph, link, role="group", aria_label=counted(graph.artifacts, "artifact"))


def graph_svg_file(graph: DrawnGraph) -> str:
    """Return the graph as a file of its own, which has its styles and a background."""
    styles = style("palette") + style("graph") + "svg { background: var(--back); }\n"
    svg = _svg(
        graph,
        lambda _: None,
        together(
            element("title", f"Graph of {graph.title}"),
            element("desc", _sentences(graph)),
            element("style", Markup(styles)),
        ),
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        margin=16,
    )
    return f"{svg}\n"


def _svg(
    graph: DrawnGraph,
    link: Callable[[str], str | None],
    head: Markup | None = None,
    margin: int = MARGIN,
    **attributes: str,
) -> Markup:
    found = layout(graph.needs)
    width = max(found.columns * _STEP[0] - GAP[0], 0) + 2 * margin
    height = round(max(found.rows * _STEP[1] - GAP[1], 0), 1) + 2 * margin
    boxes = [_node(graph.boxes[name], at, link(name)) for name, at in found.nodes.items()]
    edges = [element("path", d=Markup(_curve(edge))) for edge in found.edges]
    return element(
        "svg",
        head,
        element("g", edges, class_="edges", aria_hidden="true"),
        boxes,
        width=str(width),
        height=f"{height:g}",
        viewBox=f"-{margin} -{margin} {width} {height:g}",
        **attributes,
    )


def _node(box: GraphBox, at: Point, address: str | None) -> Markup:
    """Return a box; the colour repeats what its symbol and its second line state."""
    x, y = at[0] * _STEP[0], round(at[1] * _STEP[1], 1)
    whole = f"{box.name}: {box.note}"
    size: dict[str, str] = {"width": str(BOX[0]), "height": str(BOX[1]), "rx": "6"}
    behind = None
    if box.is_group:
        behind = element("rect", class_="behind", x=x + 4, y=y + 4, **size)
    children = (
        element("title", whole),
        behind,
        element("rect", x=x, y=y, **size),
        element("text", box.look.symbol, class_="symbol", x=x + 9, y=y + 24),
        element("text", clip(box.name, LABEL, keep_end=not box.is_group), x=x + 26, y=y + 16),
        element("text", clip(box.note, NOTE), class_="small", x=x + 26, y=y + 31),
    )
    class_ = f"node is-{box.look.colour or 'dim'}{' group' if box.is_group else ''}"
    if address is None:
        return element("g", children, class_=class_, role="img", aria_label=whole)
    return element("a", children, href=address, class_=class_, aria_label=whole)


def _curve(edge: Edge) -> str:
    """Return the path from the right side of a box to the left side of another."""
    points: list[tuple[float, float]] = []
    for number, (column, row) in enumerate(edge.points):
        x, y = column * _STEP[0], round(row * _STEP[1] + BOX[1] / 2, 1)
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


def _sentences(graph: DrawnGraph) -> Markup:
    """Return the graph in words, for readers who do not see it."""
    lines = []
    for name, box in graph.boxes.items():
        needed = [graph.boxes[each].name for each in graph.needs[name]]
        lines.append(f"{box.name}: {box.note}" + (f"; needs {', '.join(needed)}" if needed else ""))
    return Markup("\n".join(map(escaped, lines)))
