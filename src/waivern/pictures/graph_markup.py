"""The graph of artifacts in the languages of other programs: mermaid and DOT.

The state of a box is in its text as well as in its colour. Every text is escaped for the language.
"""

from __future__ import annotations

import re

from waivern.pictures.artifact_graph import DrawnGraph, GraphBox
from waivern.record.text_forms import clean

COLOURS = {
    "green": ("#1a7333", "#e6f4ea"),
    "red": ("#b3202c", "#fdecee"),
    "yellow": ("#7a5200", "#fdf3dc"),
    "cyan": ("#0b6a7d", "#e0f4f7"),
    "dim": ("#56606c", "#f6f7f9"),
}
"""The line and the background of a box, by the colour of its look."""
_MERMAID = {"connector": '[("{}")]', "gate": '{{{{"{}"}}}}', "reuse": '[/"{}"/]'}
_DOT = {"connector": "cylinder", "gate": "hexagon", "reuse": "parallelogram"}
_PLAIN = re.compile(r"[^\w .,:*()/\x80-\U0010ffff-]", re.ASCII)


def mermaid(graph: DrawnGraph) -> str:
    """Return the graph as a mermaid flowchart, as GitHub and GitLab show it in Markdown."""
    numbers = {name: f"n{index}" for index, name in enumerate(graph.boxes)}
    lines = ["flowchart LR", f"  accTitle: Graph of {_for_mermaid(graph.title)}"]
    for name, box in graph.boxes.items():
        label = f"{_for_mermaid(_headed(box))}<br/>{_for_mermaid(box.note)}"
        shape = '[["{}"]]' if box.is_group else _MERMAID.get(box.kind, '["{}"]')
        lines.append(f"  {numbers[name]}{shape.format(label)}:::{_colour(box)}")
    for name, needed in graph.needs.items():
        lines += [f"  {numbers[each]} --> {numbers[name]}" for each in needed]
    for name in dict.fromkeys(map(_colour, graph.boxes.values())):
        line, background = COLOURS[name]
        lines.append(f"  classDef {name} stroke:{line},fill:{background},color:#1a1f26")
    return "\n".join(lines) + "\n"


def dot(graph: DrawnGraph) -> str:
    """Return the graph in DOT, the language of Graphviz."""
    lines = [
        f"digraph {_for_dot(graph.title)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];',
    ]
    for name, box in graph.boxes.items():
        line, background = COLOURS[_colour(box)]
        attributes = [f"label={_for_dot(_headed(box), box.note)}"]
        attributes += [f'color="{line}"', f'fillcolor="{background}"']
        if shape := _DOT.get(box.kind):
            attributes += [f"shape={shape}", "style=filled"]
        if box.is_group:
            attributes.append("peripheries=2")
        lines.append(f"  {_for_dot(name)} [{', '.join(attributes)}];")
    for name, needed in graph.needs.items():
        lines += [f"  {_for_dot(each)} -> {_for_dot(name)};" for each in needed]
    return "\n".join([*lines, "}"]) + "\n"


def _headed(box: GraphBox) -> str:
    return f"{box.look.symbol} {box.name}"


def _colour(box: GraphBox) -> str:
    return box.look.colour if box.look.colour in COLOURS else "dim"


def _for_mermaid(text: str) -> str:
    """Return a text in which whatever mermaid could interpret is a numeric entity."""
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", clean(text))


def _for_dot(*texts: str) -> str:
    """Return a quoted string of several lines."""
    lines = (clean(text).replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return '"' + "\\n".join(lines) + '"'
