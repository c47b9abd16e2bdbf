"""The layout of a graph in layers, from left to right: where each node and each edge is drawn.

Nodes are in the column after the last one that they need. Within a column they are ordered so that
few edges cross, and placed beside what they are connected with. Units are columns and rows: their
size is that of the picture. Equal graphs get equal layouts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from waivern.planning.graph import dependents

Point: TypeAlias = tuple[float, float]
"""Column and row of a place."""
Cell: TypeAlias = Hashable
"""A node, or the place `(source, target, column)` where a long edge crosses a column."""
Links: TypeAlias = dict[Cell, list[Cell]]

SWEEPS = 6
"""The passes over all columns that improve their order, and then the places in them."""
MOST_CROSSINGS = 20_000
"""The places at which long edges cross columns; where there are more, edges are straight."""


class Edge(NamedTuple):
    """An edge, from the node that is needed to the one that needs it."""

    source: str
    target: str
    points: tuple[Point, ...]


class GraphLayout(NamedTuple):
    """The places of nodes and edges."""

    nodes: dict[str, Point]
    edges: list[Edge]
    columns: int
    rows: float


def layout(needs: Mapping[str, Sequence[str]]) -> GraphLayout:
    """Return the layout of a graph given as node -> the nodes that it needs.

    Unknown nodes are ignored, and so is each edge that closes a cycle.
    """
    graph, column = _columns(needs)
    chains = _chains(graph, column)
    before: Links = {}
    after: Links = {}
    layers: list[list[Cell]] = [[] for _ in range(1 + max(column.values(), default=-1))]
    for node, number in column.items():
        layers[number].append(node)
    for chain in chains:
        for number, cell in enumerate(chain[1:-1], column[str(chain[0])] + 1):
            layers[number].append(cell)
        for left, right in pairwise(chain):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    _order(layers, before, after)
    row = _rows(layers, before, after)
    at = {cell: (float(n), row[cell]) for n, cells in enumerate(layers) for cell in cells}
    edges = [Edge(str(c[0]), str(c[-1]), tuple(at[cell] for cell in c)) for c in chains]
    height = 1 + max(row.values(), default=-1.0)
    return GraphLayout({node: at[node] for node in graph}, edges, len(layers), height)


def _columns(needs: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Return the graph without cycles, and the column of each node.

    A node is in the column after what it needs, a source right before its first use. A journal of
    any content may have cycles: where nothing else is left, the next node has only the needs that
    have a column.
    """
    graph = {n: [*dict.fromkeys(i for i in each if i in needs)] for n, each in needs.items()}
    after, waiting = dependents(graph), {node: len(each) for node, each in graph.items()}
    ready = deque(node for node, count in waiting.items() if count == 0)
    rest = iter(graph)
    column: dict[str, int] = {}
    while len(column) < len(graph):
        node = ready.popleft() if ready else next(rest)
        if node in column:
            continue
        graph[node] = [each for each in graph[node] if each in column]
        column[node] = 1 + max((column[each] for each in graph[node]), default=-1)
        for each in after[node]:
            waiting[each] -= 1
            if waiting[each] == 0:
                ready.append(each)
    for node, users in dependents(graph).items():
        if not graph[node] and users:
            column[node] = min(column[each] for each in users) - 1
    return graph, {node: column[node] for node in graph}


def _chains(graph: Mapping[str, Sequence[str]], column: Mapping[str, int]) -> list[list[Cell]]:
    """Return the cells of each edge: its two nodes, and its places in the columns between."""
    pairs = [(need, node) for node, needed in graph.items() for need in needed]
    bent = sum(column[node] - column[need] - 1 for need, node in pairs) <= MOST_CROSSINGS
    chains: list[list[Cell]] = []
    for need, node in pairs:
        between = range(column[need] + 1, column[node]) if bent else ()
        chains.append([need, *((need, node, n) for n in between), node])
    return chains


def _order(layers: list[list[Cell]], before: Links, after: Links) -> None:
    """Sort each column by the mean position of what its cells are connected with."""
    place = {cell: float(n) for cells in layers for n, cell in enumerate(cells)}
    for sweep in range(SWEEPS):
        links, way = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        for cells in way:
            wanted = {cell: _mean(place, links.get(cell), place[cell]) for cell in cells}
            cells.sort(key=lambda cell: wanted[cell])
            place.update((cell, float(n)) for n, cell in enumerate(cells))


def _rows(layers: list[list[Cell]], before: Links, after: Links) -> dict[Cell, float]:
    """Return the row of each cell: as near as possible to its neighbours, a row from the next."""
    row = {cell: float(n) for cells in layers for n, cell in enumerate(cells)}
    for sweep in range(SWEEPS):
        links, way = (after, layers[::-1]) if sweep % 2 == 0 else (before, layers)
        for cells in way:
            wanted = [_mean(row, links.get(cell), row[cell]) for cell in cells]
            row.update(zip(cells, _apart(wanted), strict=True))
    places = sorted(set(row.values()))
    empty = accumulate(max(0.0, b - a - 1) for a, b in pairwise(places))
    below = dict(zip(places[1:], empty, strict=True))  # the empty rows above each place
    return {cell: round(y - places[0] - below.get(y, 0.0), 2) for cell, y in row.items()}


def _apart(wanted: Sequence[float]) -> list[float]:
    """Return the rows, in order and at least 1 apart, with the least squared distance to these."""
    groups: list[tuple[float, int]] = []  # the mean of (row - index) over cells that touch
    for index, each in enumerate(wanted):
        mean, count = each - index, 1
        while groups and groups[-1][0] > mean:
            other, more = groups.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        groups.append((mean, count))
    offsets = [mean for mean, count in groups for _ in range(count)]
    return [offset + index for index, offset in enumerate(offsets)]


def _mean(place: Mapping[Cell, float], cells: Sequence[Cell] | None, fallback: float) -> float:
    return sum(place[cell] for cell in cells) / len(cells) if cells else fallback
