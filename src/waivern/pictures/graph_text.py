"""The graph of artifacts as text for a terminal: boxes are lines, edges are drawn beside them.

Each node has two lines, its name and its note. The space between two columns is a channel: edges
from nodes with equal targets share one vertical line, its *track*. Where lines cross without being
joined, only the vertical one is drawn. Where a track joins the line of another edge there is an
arrow: from there, both go to the right. A graph that is too wide for the terminal is a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from waivern.pictures.artifact_graph import DrawnGraph, GraphBox
from waivern.pictures.graph_layout import GraphLayout, layout
from waivern.planning.graph import topological
from waivern.record.text_forms import clean, clip, listed

Paint: TypeAlias = Callable[[str, str], str]
"""Returns a text in a colour, by the name of the colour."""
Edges: TypeAlias = list[list[tuple[int, int]]]
"""The places of each edge: column and line."""

HEIGHT = 3
"""The lines of a row: the name, the note and an empty one."""
LONGEST = (60, 36, 26, 18)
"""The lengths to which names and notes are cut, until the picture fits."""
WIDEST = 400
"""The columns of a picture whose width nothing limits."""
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
LINES = dict(
    zip(
        (3, 12, 10, 9, 6, 5, 14, 13, 11, 7, 15, 1, 2, 4, 8),
        "─│┌┐└┘├┤┬┴┼──││",
        strict=True,
    )
)
_STRAIGHT = dict.fromkeys((1, 2, 3), "-") | dict.fromkeys((4, 8, 12), "|")
ASCII = {bits: _STRAIGHT.get(bits, "+") for bits in LINES}


class Style(NamedTuple):
    """The characters and colours that a terminal allows."""

    paint: Paint
    unicode: bool = True


class _Track(NamedTuple):
    """A vertical line of a channel: the lines that it joins from the left, and to the right."""

    lefts: frozenset[int]
    rights: frozenset[int]

    @property
    def ends(self) -> tuple[int, int]:
        rows = self.lefts | self.rights
        return min(rows), max(rows)


def graph_text(graph: DrawnGraph, width: int | None, style: Style) -> list[str]:
    """Return the lines of the graph, at most `width` wide if that is possible."""
    found = layout(graph.needs)
    for longest in LONGEST:
        drawing = _Drawing(graph, found, longest, style)
        if drawing.width <= (width or WIDEST):
            return drawing.lines()
    return list(_outline(graph, style))


class _Drawing:
    """A layout with a place on a grid of characters for everything in it."""

    def __init__(self, graph: DrawnGraph, found: GraphLayout, longest: int, style: Style) -> None:
        self.style = style
        self.arrow = "→" if style.unicode else ">"
        places = [
            [(int(column), round(row * HEIGHT)) for column, row in edge.points]
            for edge in found.edges
        ]
        shift = _shifts(places, found.columns)
        self.edges = [[(at, line + shift[at]) for at, line in points] for points in places]
        self.nodes = {
            name: (int(column), round(row * HEIGHT) + shift[int(column)])
            for name, (column, row) in found.nodes.items()
        }
        self.boxes = graph.boxes
        self.names = {name: clip(clean(box.name), longest) for name, box in graph.boxes.items()}
        self.notes = {name: clip(clean(box.note), longest) for name, box in graph.boxes.items()}
        self.channels = [
            [*_numbered(_channel(self.edges, number))] for number in range(found.columns)
        ]
        self.begin, self.end = self._columns(found.columns)
        self.width = max(self.end, default=0)
        self.grid: dict[tuple[int, int], int] = {}
        self.texts: dict[tuple[int, int], tuple[str, str]] = {}

    def _columns(self, count: int) -> tuple[list[int], list[int]]:
        """Return where each column begins and ends."""
        sizes = [0] * count
        for name, (column, _) in self.nodes.items():
            size = 3 + max(len(self.names[name]), len(self.notes[name]))
            sizes[column] = max(sizes[column], size)
        begin, end, at = [], [], 0
        for column, size in enumerate(sizes):
            begin.append(at)
            end.append(at + size)
            tracks = 1 + max((at for at, _ in self.channels[column]), default=-1)
            at += size + 5 + 2 * tracks
        return begin, end

    def lines(self) -> list[str]:
        """Return the lines of the picture."""
        for points in self.edges:
            for place, (column, line) in enumerate(points[1:-1], 1):
                assert points[place][0] == column
                self._across(self.begin[column] - 2, self.end[column], line)
        for column in range(len(self.channels)):
            self._connect(column)
        needed = {points[0] for points in self.edges}
        needing = {points[-1] for points in self.edges}
        for name, (column, line) in self.nodes.items():
            self._write(name, column, line)
            if (column, line) in needed:
                start = self.begin[column] + 3 + len(self.names[name])
                self._across(start, self.end[column], line)
            if (column, line) in needing:
                self.texts[self.begin[column] - 2, line] = (self.arrow, "dim")
        return self._joined()

    def _connect(self, column: int) -> None:
        """Draw the edges between a column and the next one."""
        start = self.end[column]
        last = self.begin[column + 1] - 2 if column + 1 < len(self.begin) else start
        for points in self.edges:
            for (at, a), (_, b) in pairwise(points):
                if at == column and a == b:
                    self._across(start, last, a)
        verticals = []
        for number, track in self.channels[column]:
            x = start + 2 + 2 * number
            for line in track.lefts:
                self._across(start, x, line)
            for line in track.rights:
                self._across(x, last, line)
            verticals.append((x, track))
        for x, track in verticals:
            first, end = track.ends
            for line in range(first, end + 1):
                joined = line in track.lefts or line in track.rights
                bits = self.grid.get((x, line), 0) if joined else 0
                if bits & LEFT and line not in track.lefts:
                    self.texts[x, line] = (self.arrow, "dim")  # what comes from the left continues
                bits |= (UP if line > first else 0) | (DOWN if line < end else 0)
                self.grid[x, line] = bits

    def _across(self, x1: int, x2: int, line: int) -> None:
        for x in range(x1, x2 + 1):
            bits = (LEFT if x > x1 else 0) | (RIGHT if x < x2 else 0)
            self.grid[x, line] = self.grid.get((x, line), 0) | bits

    def _write(self, name: str, column: int, line: int) -> None:
        x, look = self.begin[column], self.boxes[name].look
        symbol = look.symbol if self.style.unicode else look.ascii
        self.texts[x, line] = (symbol, look.colour)
        self.texts[x + 2, line] = (self.names[name], "")
        self.texts[x + 2, line + 1] = (self.notes[name], "dim")

    def _joined(self) -> list[str]:
        """Return the grid as lines."""
        lines = LINES if self.style.unicode else ASCII
        cells = {at: (lines.get(bits, " "), "dim") for at, bits in self.grid.items()}
        cells |= self.texts
        rows: dict[int, list[tuple[int, str, str]]] = {}
        for (x, line), (text, colour) in sorted(cells.items(), key=lambda cell: cell[0]):
            rows.setdefault(line, []).append((x, text, colour))
        return [
            _row(rows.get(line, []), self.style.paint) for line in range(max(rows, default=-1) + 1)
        ]


def _row(cells: list[tuple[int, str, str]], paint: Paint) -> str:
    """Return one line; neighbours of one colour are painted together."""
    runs: list[tuple[str, str]] = []
    at = 0
    for x, text, colour in cells:
        gap = " " * (x - at)
        if runs and runs[-1][1] == colour:
            runs[-1] = (runs[-1][0] + gap + text, colour)
        else:
            runs += [(gap, ""), (text, colour)]
        at = x + len(text)
    return "".join(paint(text, colour) if colour else text for text, colour in runs).rstrip()


def _shifts(edges: Edges, columns: int) -> list[int]:
    """Return by how many lines each column is lower, so that no two edges have to share a line.

    They would if one track ends in a line in which another one begins, and the other way round.
    """
    shift = [0] * columns
    for column in range(columns - 1):
        for more in dict.fromkeys((shift[column], *range(HEIGHT))):
            shift[column + 1] = more
            moved = [[(at, line + shift[at]) for at, line in points] for points in edges]
            order = _precedence(_channel(moved, column))
            if len(topological(order)) == len(order):
                break
        else:
            shift[column + 1] = shift[column]
    return shift


def _channel(edges: Edges, column: int) -> list[_Track]:
    """Return the tracks between a column and the next one."""
    targets: dict[int, set[int]] = {}
    for points in edges:
        for (at, a), (_, b) in pairwise(points):
            if at == column:
                targets.setdefault(a, set()).add(b)
    sources: dict[frozenset[int], set[int]] = {}
    for left, rights in targets.items():
        sources.setdefault(frozenset(rights), set()).add(left)
    tracks = [_Track(frozenset(lefts), rights) for rights, lefts in sources.items()]
    return [each for each in tracks if each.ends[0] < each.ends[1]]


def _precedence(tracks: list[_Track]) -> dict[int, list[int]]:
    """Return the tracks that are left of each: a line ends before another begins in it."""
    return {
        n: [m for m, other in enumerate(tracks) if m != n and other.lefts & track.rights]
        for n, track in enumerate(tracks)
    }


def _numbered(tracks: list[_Track]) -> Iterator[tuple[int, _Track]]:
    """Yield tracks with their numbers, from the left; tracks apart from each other share one."""
    needs = _precedence(tracks)
    order = topological(needs)
    order += [n for n in needs if n not in set(order)]  # on a cycle, no order avoids a shared line
    numbers: dict[int, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for n in order:
        first, last = tracks[n].ends
        number = 1 + max((numbers[each] for each in needs[n] if each in numbers), default=-1)
        while number < len(taken) and any(a <= last and first <= b for a, b in taken[number]):
            number += 1
        while len(taken) <= number:
            taken.append([])
        taken[number].append((first, last))
        numbers[n] = number
        yield number, tracks[n]


def _outline(graph: DrawnGraph, style: Style) -> Iterator[str]:
    """Yield a line for each box, after those that it needs, with their names."""
    order = topological(graph.needs)
    names = {name: clean(box.name) for name, box in graph.boxes.items()}
    wide = min(40, max(map(len, names.values()), default=0))
    notes = {name: clean(box.note) for name, box in graph.boxes.items()}
    noted = min(40, max(map(len, notes.values()), default=0))
    for name in [*order, *(each for each in graph.boxes if each not in set(order))]:
        box: GraphBox = graph.boxes[name]
        mark = style.paint(box.look.symbol if style.unicode else box.look.ascii, box.look.colour)
        needed = listed([names[each] for each in graph.needs[name]], 4)
        after = f"  needs {needed}" if needed else ""
        yield f"{mark} {names[name]:{wide}}  {notes[name]:{noted}}{after}".rstrip()
