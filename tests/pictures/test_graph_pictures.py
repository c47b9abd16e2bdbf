"""The graph of artifacts as text, mermaid, DOT and SVG: each read back by another program."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pydot
import pytest

from waivern.pictures.artifact_graph import ArtifactGraph, GraphNode
from waivern.pictures.graph_markup import dot, mermaid
from waivern.pictures.graph_svg import graph_svg_file
from waivern.pictures.graph_text import Style, graph_text
from waivern.record.status import ArtifactStatus

# pydot uses names of pyparsing that are to be replaced
pytestmark = pytest.mark.filterwarnings("ignore:.* deprecated - use:DeprecationWarning")
PLAIN = Style(lambda text, _: text)
HOSTILE = '</script>"; }; <b>\x1b[31m \u202e]) --> n0 #quot; %% `\\" \n$(x) {{'
DONE, FAILED = ArtifactStatus.COMPLETED, ArtifactStatus.FAILED
SVG = "{http://www.w3.org/2000/svg}"


def graph(title: str = "Small", **needs: str) -> ArtifactGraph:
    """Return a graph of completed artifacts; each needs the ones that its text names."""
    needed = {name: each.split() for name, each in needs.items()}
    nodes = {
        n: GraphNode.of("processor:merge" if i else "connector:command", DONE, "produced")
        for n, i in needed.items()
    }
    return ArtifactGraph(title, nodes, needed)


@pytest.fixture
def hostile() -> ArtifactGraph:
    """Return the graph of a run whose texts try to be more than text."""
    nodes = {
        HOSTILE: GraphNode.of(f"connector:{HOSTILE}", FAILED, "failed"),
        "b": GraphNode.of("gate", None, ""),
    }
    return ArtifactGraph(HOSTILE, nodes, {HOSTILE: [], "b": [HOSTILE]})


def text(found: ArtifactGraph, width: int | None = None, style: Style = PLAIN) -> str:
    return "\n".join(graph_text(found.drawn(), width, style))


def test_edges_are_drawn_beside_the_names() -> None:
    assert (
        text(graph(a="", b="", m="a b", z="m"))
        == """\
✔ a ───────────────────┐
  command, completed   │
                       ├──→ ✔ m ──────────────────→ ✔ z
✔ b ───────────────────┘      merge, completed        merge, completed
  command, completed"""
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_reader_who_follows_the_lines_finds_every_edge_and_no_other(seed: int) -> None:
    chance = random.Random(seed)
    needs = {f"n{n}": [m for m in range(n) if chance.random() < 0.3] for n in range(9)}
    drawn = graph(**{n: " ".join(f"n{m}" for m in each) for n, each in needs.items()})
    boxes = drawn.drawn(list(needs))
    wanted = {(need, node) for node, needed in boxes.needs.items() for need in needed}
    assert follow("\n".join(graph_text(boxes, None, PLAIN))) == wanted


def test_without_unicode_nothing_but_ascii_is_drawn() -> None:
    found = text(graph(a="", b="", m="a b"), style=PLAIN._replace(unicode=False))
    assert found.isascii()
    assert "> + m" in found


def test_a_graph_too_wide_for_the_terminal_is_a_list() -> None:
    chain = {"a0": ""} | {f"a{n}": f"a{n - 1}" for n in range(1, 9)}
    lines = text(graph(**chain), width=60).splitlines()
    assert [line.split()[1] for line in lines] == list(chain)
    assert lines[-1].endswith("needs a7")


def test_three_hundred_boxes_stay_readable() -> None:
    needs = {f"n{n}": " ".join(f"n{m}" for m in {n // 2, n // 3} if m < n) for n in range(300)}
    svg = ET.fromstring(graph_svg_file(graph(**needs).drawn()))
    boxes = [rect for rect in svg.iter(f"{SVG}rect") if rect.get("class") != "behind"]
    places = sorted((float(b.get("x", 0)), float(b.get("y", 0))) for b in boxes)
    assert len(places) >= 290, "hardly anything can be folded"
    for (x1, y1), (x2, y2) in pairwise(places):
        assert x2 - x1 >= 216 or y2 - y1 >= 38, "two boxes overlap"
    assert len(text(graph(**needs), width=120).splitlines()) == len(places)


def test_a_fan_out_is_one_box() -> None:
    needs = {f"each/{n}": "" for n in range(20)}
    found = graph(**needs, all=" ".join(needs))
    assert "each/* (20)" in text(found)
    assert "peripheries=2" in dot(found.drawn())
    assert (
        len(ET.fromstring(graph_svg_file(found.drawn(["each/3"]))).findall(f".//{SVG}path")) == 20
    )


@pytest.mark.parametrize("expand", [(), ("each/1",)])
def test_dot_is_read_by_a_parser(expand: tuple[str, ...]) -> None:
    needs = {f"each/{n}": "" for n in range(5)}
    drawn = graph('A "b" \\', **needs, all=" ".join(needs)).drawn(expand)
    nodes, edges = read_dot(dot(drawn))
    assert nodes == set(drawn.boxes)
    assert edges == {(need, node) for node, needed in drawn.needs.items() for need in needed}


def test_dot_stays_one_graph_whatever_the_names(hostile: ArtifactGraph) -> None:
    nodes, edges = read_dot(dot(hostile.drawn()))
    assert len(nodes) == 2
    assert len(edges) == 1
    assert "\x1b" not in dot(hostile.drawn())


def read_dot(source: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the nodes and the edges of the one graph in DOT source."""
    graphs = pydot.graph_from_dot_data(source)
    assert graphs is not None
    (read,) = graphs
    nodes = {node.get_name().strip('"') for node in read.get_nodes()} - {"node"}
    ends = [(str(each.get_source()), str(each.get_destination())) for each in read.get_edges()]
    return nodes, {(a.strip('"'), b.strip('"')) for a, b in ends}


def test_mermaid_has_no_text_that_it_could_interpret(hostile: ArtifactGraph) -> None:
    lines = mermaid(hostile.drawn()).splitlines()
    assert len(lines) == 2 + 2 + 1 + 2
    for line in lines[2:4]:
        label = re.sub(r"#\d+;|<br/>", "", line.partition('"')[2].rpartition('"')[0])
        assert not set(label) & set('"#;&<>[]{}|`%$\\'), label
    assert "--> n0" not in "".join(lines).replace("n0 --> n1", "")


def test_svg_has_no_element_from_a_name(hostile: ArtifactGraph) -> None:
    svg = ET.fromstring(graph_svg_file(hostile.drawn()))
    tags = {element.tag.removeprefix(SVG) for element in svg.iter()}
    assert tags == {"svg", "title", "desc", "style", "g", "path", "rect", "text"}
    described = svg.findtext(f"{SVG}desc") or ""
    assert "\\u001b[31m" in described
    assert "\\u202e" in described


def test_the_state_is_in_words_and_as_a_symbol(hostile: ArtifactGraph) -> None:
    for found in (text(hostile), mermaid(hostile.drawn()), dot(hostile.drawn())):
        assert "failed" in found
        assert "✘" in found


TURNS = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu"}
TURNS |= {"├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru", "┼": "lrud"}
STEP = {"l": (-1, 0), "r": (1, 0), "u": (0, -1), "d": (0, 1)}


def follow(found: str) -> set[tuple[str, str]]:
    """Return the edges that a reader sees who follows the lines from each name to the right."""
    lines = found.splitlines()
    names = {
        (match.start(1), y): match[1]
        for y, line in enumerate(lines)
        for match in re.finditer(r"✔ (\w+)", line)
    }
    edges = set()
    for (x, y), name in names.items():
        stack, seen = [(x + len(name) + 1, y, "r")], set()
        while stack:
            at = stack.pop()
            if at in seen:
                continue
            seen.add(at)
            x1, y1, way = at
            sign = lines[y1][x1] if y1 < len(lines) and x1 < len(lines[y1]) else " "
            if sign == "→" and (x1 + 4, y1) in names:
                edges.add((name, names[x1 + 4, y1]))
            elif sign == "→":  # lines meet: what comes from the left does not turn
                stack += [(x1 + STEP[t][0], y1 + STEP[t][1], t) for t in {"r", way}]
            elif way in "lr" and sign == "│":
                stack.append((x1 + STEP[way][0], y1, way))  # a crossing
            else:
                back = {"l": "r", "r": "l", "u": "d", "d": "u"}[way]
                turns = TURNS.get(sign, "")
                turns = turns.replace(back, "").replace("l", "") if back in turns else ""
                stack += [(x1 + STEP[turn][0], y1 + STEP[turn][1], turn) for turn in turns]
    return edges
