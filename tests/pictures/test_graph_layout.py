"""Layers, crossings and cycles in the layout of a graph, and the groups in it."""

from __future__ import annotations

from itertools import combinations, pairwise

from waivern.pictures.graph_groups import grouped, pattern
from waivern.pictures.graph_layout import GraphLayout, layout

FAN = 300


def fan_out() -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return a fan-out of two stages with one artifact behind it, and the kinds of its nodes."""
    needs: dict[str, list[str]] = {}
    for n in range(FAN):
        needs[f"each/{n}/files"] = []
        needs[f"each/{n}/findings"] = [f"each/{n}/files"]
    needs["merged"] = [name for name in needs if name.endswith("/findings")]
    return needs, {name: name.rpartition("/")[2] for name in needs}


def crossings(found: GraphLayout) -> int:
    """Count the pairs of edges that cross between two columns."""
    lines = [pair for edge in found.edges for pair in pairwise(edge.points)]
    return sum(
        (a[1] - c[1]) * (b[1] - d[1]) < 0
        for (a, b), (c, d) in combinations(lines, 2)
        if a[0] == c[0]
    )


def test_nodes_are_behind_what_they_need_and_apart() -> None:
    needs = {"a": [], "b": ["a"], "c": ["a", "b"], "late": [], "d": ["c", "late"]}
    found = layout(needs)
    for node, needed in needs.items():
        assert all(found.nodes[each][0] < found.nodes[node][0] for each in needed)
    for one, other in combinations(found.nodes.values(), 2):
        assert one[0] != other[0] or abs(one[1] - other[1]) >= 0.99
    assert found.nodes["late"][0] == found.nodes["d"][0] - 1, "a source is beside its use"
    (long,) = (edge for edge in found.edges if (edge.source, edge.target) == ("a", "c"))
    assert [column for column, _ in long.points] == [0, 1, 2]
    assert found.columns == 4


def test_edges_do_not_cross_without_need() -> None:
    needs: dict[str, list[str]] = {f"s{n}": [] for n in range(20)}
    needs |= {f"t{n}": [f"s{19 - n}"] for n in range(20)}
    assert crossings(layout(needs)) == 0


def test_a_journal_of_any_content_has_a_layout() -> None:
    found = layout({"a": ["b", "a", "gone"], "b": ["c"], "c": ["b", "b"], "d": []})
    assert found.nodes.keys() == {"a", "b", "c", "d"}
    assert all(edge.points[0][0] < edge.points[-1][0] for edge in found.edges)
    assert layout({}) == GraphLayout({}, [], 0, 0.0)


def test_a_fan_out_is_grouped_stage_by_stage() -> None:
    needs, kinds = fan_out()
    found = grouped(needs, kinds)
    assert [len(members) for members in found.members.values()] == [FAN, FAN, 1]
    assert found.needs["merged"] == ["each/0/findings"]
    assert pattern(found.members["each/0/findings"]) == "each/*/findings"
    opened = grouped(needs, kinds, ["each/7/files"])
    assert opened.needs == needs, "all stages are opened together"


def test_no_row_is_empty() -> None:
    needs: dict[str, list[str]] = {f"s{n}": [] for n in range(5)}
    needs |= {f"t{n}": [f"s{n}"] for n in range(5)} | {"u": ["t0", "t1", "t2"]}
    places = sorted({row for _, row in layout(needs).nodes.values()})
    assert all(b - a <= 1.01 for a, b in pairwise(places))


def test_what_differs_is_not_grouped() -> None:
    needs: dict[str, list[str]] = {f"s{n}": [] for n in range(8)} | {"only": ["s0"]}
    found = grouped(needs, {})
    assert sorted(map(len, found.members.values())) == [1, 1, 7]
    few = grouped({f"s{n}": [] for n in range(3)}, {})
    assert len(few.members) == 3
    assert grouped({"a": ["b"], "b": ["a"]}, {}).members == {"a": ["a"], "b": ["b"]}
