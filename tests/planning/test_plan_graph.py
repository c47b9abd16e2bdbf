"""Order, circles and descendants in random graphs."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.planning import graph

Needs = dict[int, list[int]]


@st.composite
def acyclic(draw: st.DrawFn) -> Needs:
    count = draw(st.integers(0, 15))
    label = draw(st.permutations(range(count)))
    needs = {
        label[n]: [label[m] for m in draw(st.lists(st.integers(0, n - 1), unique=True, max_size=4))]
        if n
        else []
        for n in range(count)
    }
    return {node: needs[node] for node in draw(st.permutations(list(needs)))}


@st.composite
def any_graph(draw: st.DrawFn) -> Needs:
    count = draw(st.integers(1, 10))
    node = st.integers(0, count - 1)
    return {n: draw(st.lists(node, unique=True, max_size=3)) for n in range(count)}


def reachable(needs: Needs, start: int) -> set[int]:
    """Return all that `start` needs, by walking again and again until nothing is new."""
    found = set(needs[start])
    while True:
        more = found.union(*(needs[node] for node in found))
        if more == found:
            return found
        found = more


@settings(max_examples=150, deadline=None)
@given(needs=acyclic())
def test_everything_comes_after_what_it_needs(needs: Needs) -> None:
    order = graph.topological(needs)
    assert sorted(order) == sorted(needs)
    place = {node: n for n, node in enumerate(order)}
    assert all(place[need] < place[node] for node in needs for need in needs[node])
    assert graph.cycle(needs) == []
    free = [node for node in needs if not needs[node]]
    assert [node for node in order if not needs[node]] == free  # otherwise in given order


@settings(max_examples=200, deadline=None)
@given(needs=any_graph())
def test_a_circle_that_is_found_is_one(needs: Needs) -> None:
    order = graph.topological(needs)
    circle = graph.cycle(needs)
    within = {node for node in needs if node in reachable(needs, node)}
    assert bool(circle) == bool(within)
    assert (len(order) < len(needs)) == bool(circle)
    if circle:
        assert len(set(circle)) == len(circle)
        around = [*circle[1:], circle[0]]
        assert all(there in needs[here] for here, there in zip(circle, around, strict=True))
        assert set(circle) <= within
    behind = {node for node in needs if node in within or reachable(needs, node) & within}
    assert set(order) == needs.keys() - behind


@settings(max_examples=150, deadline=None)
@given(needs=acyclic(), data=st.data())
def test_descendants(needs: Needs, data: st.DataObject) -> None:
    nodes = sorted(needs)
    roots = data.draw(st.lists(st.sampled_from(nodes), unique=True)) if nodes else []
    after = graph.dependents(needs)
    assert {(a, b) for a in after for b in after[a]} == {(n, d) for d in needs for n in needs[d]}
    expected = {node for node in needs if node in roots or reachable(needs, node) & set(roots)}
    assert graph.descendants(after, roots) == expected


def test_a_node_that_needs_itself() -> None:
    assert graph.cycle({"a": [], "b": ["b", "a"]}) == ["b"]


def test_deep_and_wide_is_quick() -> None:
    """50,000 nodes in a chain and 50,000 on one: linear, and no recursion."""
    chain = {n: [n - 1] if n else [] for n in range(50_000)}
    star = {n: [0] for n in range(50_000, 100_000)}
    needs = {**star, **chain}
    began = time.process_time()
    order = graph.topological(needs)
    assert graph.descendants(graph.dependents(needs), [0]) == set(order)
    assert graph.cycle({**needs, 0: [49_999]})
    assert time.process_time() - began < 3
