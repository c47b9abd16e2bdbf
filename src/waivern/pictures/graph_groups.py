"""Groups of a graph: nodes of a fan-out in equal positions, which are drawn as one.

Two nodes are in equal positions if they are of one kind and what they need, and what needs them, is
in equal positions, too. So the stages of a fan-out stay visible: 300 files, each searched, and one
merge are three nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from waivern.planning.graph import dependents, topological

FEW = 3
"""So many nodes in equal positions are drawn one by one."""
ROUNDS = 8
"""The distance, in edges, at which a difference still separates two nodes."""


class GroupedGraph(NamedTuple):
    """A graph in which one node may represent several."""

    needs: dict[str, list[str]]
    members: dict[str, list[str]]
    """The nodes that each drawn node represents; it has the id of the first."""


def grouped(
    needs: Mapping[str, Sequence[str]], kinds: Mapping[str, str], opened: Collection[str] = ()
) -> GroupedGraph:
    """Return the graph with its fan-outs grouped, except those with a member in `opened`.

    All stages of a fan-out are opened together: otherwise as many edges end at a single node.
    """
    graph = {node: [each for each in needed if each in needs] for node, needed in needs.items()}
    groups: dict[Hashable, list[str]] = {}
    for node, position in _positions(graph, kinds).items():
        groups.setdefault(position, []).append(node)
    of: dict[str, str] = {}
    for members in groups.values():
        of.update((each, members[0] if len(members) > FEW else each) for each in members)
    _open(of, graph, {of[each] for each in opened if each in of})
    found = GroupedGraph({}, {})
    for node, needed in graph.items():
        found.members.setdefault(of[node], []).append(node)
        links = found.needs.setdefault(of[node], [])
        links += dict.fromkeys(of[each] for each in needed if of[each] not in links)
    return found


def _open(of: dict[str, str], graph: Mapping[str, Sequence[str]], opened: set[str]) -> None:
    """Make each node of the opened groups, and of their other stages, its own representative."""
    size = Counter(of.values())
    links: dict[str, set[str]] = {}
    for node, needed in graph.items():
        for each in needed:
            if size[of[node]] == size[of[each]]:
                links.setdefault(of[node], set()).add(of[each])
                links.setdefault(of[each], set()).add(of[node])
    stages, stack = set(opened), [*opened]
    while stack:
        more = links.get(stack.pop(), set()) - stages
        stages |= more
        stack += more
    of.update((node, node) for node, first in of.items() if first in stages)


def pattern(names: Sequence[str]) -> str:
    """Return the common form of several names, with `*` where they differ."""
    first = _beginning(names)
    last = _beginning([name[len(first) :][::-1] for name in names])[::-1]
    return f"{first}*{last}" if len(names) > 1 else first


def _beginning(names: Sequence[str]) -> str:
    """Return the characters that all names begin with: those of the least and the greatest."""
    pairs = zip(min(names), max(names), strict=False)
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _positions(graph: Mapping[str, Sequence[str]], kinds: Mapping[str, str]) -> dict[str, Hashable]:
    """Return a value for each node that nodes in equal positions share."""
    depth: dict[str, int] = {}
    for node in topological(graph):
        depth[node] = 1 + max((depth[each] for each in graph[node]), default=-1)
    after = dependents(graph)
    # with the depth in it, no group contains a node and one that it needs: no cycle results
    position: dict[str, Hashable] = {
        node: (depth[node], kinds.get(node, "")) if node in depth else node for node in graph
    }
    count = 0
    for _ in range(ROUNDS):
        numbers: dict[Hashable, int] = {}
        position = {
            node: numbers.setdefault(
                (
                    position[node],
                    frozenset(position[each] for each in graph[node]),
                    frozenset(position[each] for each in after[node]),
                ),
                len(numbers),
            )
            for node in graph
        }
        if len(numbers) == count:
            break
        count = len(numbers)
    return position
