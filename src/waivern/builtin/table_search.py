"""The search of database tables, which are read whole or in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from waivern.builtin.findings import Detector, ItemFindings, Place
from waivern.detection import Match, classify
from waivern.detection.column_cells import NOTHING, ColumnCells, ColumnMatches
from waivern.message import Json
from waivern.plugins.context import Context


def cell_text(cell: Json) -> str | None:
    """Return what of a value can be searched."""
    if isinstance(cell, str):
        return cell
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else None


class TableSearch:
    """The search of one table, part by part; what it holds depends on columns, not on rows."""

    def __init__(self, detector: Detector, key: str, table: Mapping[str, Json]) -> None:
        self._detector = detector
        self._key = key
        self._name: str = table["name"]
        self._columns = [column["name"] for column in table["columns"]]
        self._beside = [
            [other for other in self._columns if other != column] for column in self._columns
        ]
        self._persons: dict[int, float | None] = {}
        self._readers: dict[int, ColumnCells | None] = {}
        self._shown = [detector.shown(column) for column in self._columns]
        self._filled = [0] * len(self._columns)
        self._binary = [0] * len(self._columns)
        self._rows = self._hit_rows = 0
        self._row_count: int | None = table.get("row_count")
        self._findings = ItemFindings(detector, detector.shown(self._name))
        self._add_names()

    def _place(self, index: int) -> Place:
        table = self._detector.shown(self._name)
        return {"input": self._key, "table": table, "column": self._shown[index]}

    def _add_names(self) -> None:
        named = [classify(column, self._detector.rules) for column in self._columns]
        certain = any(each is not None and not each.term.weak for each in named)
        for index, field in enumerate(named):
            if field and (certain or not field.term.weak):
                self._findings.field(field, True, self._place(index), total=1, order=(index, 0))

    def add(self, part: Mapping[str, Json]) -> None:
        """Search the next rows."""
        rows = part["rows"]
        numbers = _numbers(part, part.get("row", self._rows))
        hit: set[int] = set()
        for index in range(len(self._columns)):
            hit |= self._search(index, [row[index] for row in rows], numbers)
        self._rows += len(rows)
        self._hit_rows += len(hit)

    def _search(self, index: int, cells: Sequence[Json], numbers: Sequence[int]) -> set[int]:
        """Search the cells of a column; return the positions of those that hold a value."""
        self._filled[index] += sum(cell is not None for cell in cells)
        self._binary[index] += sum(isinstance(cell, dict) for cell in cells)
        hit, shown = set(), self._shown[index]
        for at, match, others in self._matches(index, [cell_text(cell) for cell in cells]):
            hit.add(at)
            if match is not None:
                self._findings.value(
                    match,
                    match.value,
                    partial(self._row_place, index, numbers[at]),
                    name=shown,
                    order=(index, 1),
                    row=self._rows + at,
                    others=others,
                )
        return hit

    def _matches(
        self, index: int, texts: Sequence[str | None]
    ) -> Iterator[tuple[int, Match | None, int]]:
        """Yield the position of each cell with a match, the match, and how many count with it.

        None: one that counts with an earlier one, which differs from it in its place alone.
        """
        name, beside = self._columns[index], self._beside[index]
        person = self._person(index, filter(None, texts))
        if index not in self._readers:
            self._readers[index] = self._detector.column(name, beside, person)
        reader = self._readers[index]
        groups: list[ColumnMatches | None] = [None] * len(texts)
        if reader is not None:
            groups = reader.groups_of([text or "" for text in texts])
        counts, located = Counter(groups), Counter[ColumnMatches | None]()
        most = self._detector.config.max_locations
        for at, (text, group) in enumerate(zip(texts, groups, strict=True)):
            if text is None or group is NOTHING:
                continue
            if group is None:
                for match in self._detector.scan(text, name, beside=beside, person=person):
                    yield at, match, 0
            elif located[group] < most:
                others = 0 if located[group] else max(0, counts[group] - most)
                located[group] += 1
                yield at, group.match(text), others
            else:
                yield at, None, 0

    def _person(self, index: int, texts: Iterable[str]) -> float | None:
        """Return the confidence that a value of a column is a name, judged by its first rows."""
        if index not in self._persons:
            column, beside = self._columns[index], self._beside[index]
            self._persons[index] = self._detector.name_column(column, beside, texts)
        return self._persons[index]

    def _row_place(self, index: int, row: int) -> Place:
        return {**self._place(index), "row": row}

    def records(self) -> Iterator[Json]:
        """Yield the findings, by column."""
        yield from self._findings.records(dict(zip(self._shown, self._filled, strict=True)))

    def report(self, ctx: Context) -> None:
        """Report what was examined; the lengths of BLOBs are values that are not examined."""
        for name, filled, binary in zip(self._shown, self._filled, self._binary, strict=True):
            ctx.read(0 if binary else 1, values=filled - binary, of=self._key)
            if binary:
                column = f"{self._detector.shown(self._name)}.{name}"
                ctx.skipped(column, "binary", values=binary, of=self._key)
        if self._row_count is not None and self._row_count != self._rows:
            ctx.found(self._name, self._hit_rows, of=self._key)


def _numbers(part: Mapping[str, Json], before: int) -> Sequence[int]:
    """Return the number of each row within its table: of a sample, the positions of its rows."""
    numbers, count = part.get("row_numbers"), len(part["rows"])
    fits = isinstance(numbers, list) and len(numbers) == count
    return numbers if fits and numbers is not None else range(before, before + count)
