"""The format `xlsx`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import xlsxwriter

from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import coverage_sentence
from waivern.exporters.finding_rows import (
    FINDING_HEAD,
    PART_COLUMNS,
    Cell,
    finding_row,
    part_rows,
)
from waivern.record.text_forms import clean, clip
from waivern.runs.exporter import ExportedRun

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""The rows of a sheet and the characters of a cell that the format allows."""
_WIDTHS = {
    "item": 36,
    "system": 20,
    "field": 20,
    "type": 20,
    "evidence": 28,
    "id": 34,
    "reason": 80,
}

_LABEL = {"bold": True, "valign": "top"}
_WRAPPED = {"text_wrap": True, "valign": "top", "align": "left"}


class XlsxExporter:
    """An Excel workbook: a summary, the findings, and what was not examined. Extra `xlsx`."""

    name = "xlsx"
    version = "1.0.0"
    file_name = "waivern.xlsx"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> list[str]:  # noqa: ARG002
        """Write the workbook row by row; texts are written as texts, never as formulas."""
        book = xlsxwriter.Workbook(out, {"constant_memory": True, "strings_to_urls": False})
        book.set_properties({"title": _cell(run.metadata.runbook_name), "comments": run.run_id})
        _write_summary(book, run)
        notes = list[str]()
        count = _write_table(book, "Findings", FINDING_HEAD, _finding_rows(run))
        if (left_out := count - MOST_ROWS) > 0:
            notes.append(
                f"{left_out:,} findings are left out: a sheet has {MOST_ROWS:,} rows at most; "
                "the format csv has all"
            )
        count = _write_table(book, "Not examined", tuple(PART_COLUMNS), _part_rows(run, notes))
        if (left_out := count - MOST_ROWS) > 0:
            notes.append(f"{left_out:,} parts that were not examined are left out")
        book.close()
        return notes


def _finding_rows(run: ExportedRun) -> Iterator[list[Cell]]:
    yield [*FINDING_HEAD]
    yield from (finding_row(run, each) for each in run.findings)


def _part_rows(run: ExportedRun, notes: Iterable[str]) -> Iterator[list[Cell]]:
    yield [*PART_COLUMNS]
    for cells in part_rows(run):
        yield [cells.get(name) for name in PART_COLUMNS]
    for note in notes:
        yield [None, None, note]


def _facts(run: ExportedRun) -> Iterator[tuple[str, Cell]]:
    metadata, found = run.metadata, run.overview
    yield "Runbook", clean(metadata.called)
    yield "Run", run.run_id
    yield "Started", metadata.started_at
    yield "Status", str(metadata.status)
    yield "Coverage", coverage_sentence(run)
    yield "Findings", found.findings
    yield "of special categories", found.special
    yield "Test data", found.test_data
    for artifact, reason in found.unread.items():
        yield "Not read", clean(f"{artifact}: {reason}")
    yield "Journal head", run.head or "none"


def _type_rows(run: ExportedRun) -> Iterator[list[Cell]]:
    yield ["type", "category", "severity", "findings", "occurrences"]
    for each in run.overview.types:
        category = f"{each.category} (special)" if each.special else each.category
        yield [clean(each.name), clean(category), each.severity, each.findings, each.occurrences]


def _write_summary(book: Any, run: ExportedRun) -> None:
    """Write the first sheet: facts of the run, then the numbers of each type."""
    sheet, widths = _sheet(book, "Summary", (24, 28, 12, 12, 14))
    bold, wrapped = book.add_format(_LABEL), book.add_format(_WRAPPED)
    across, line = sum(widths[1:]), -1
    for line, (name, value) in enumerate(_facts(run)):
        text = _cell(str(value))
        sheet.set_row(line, 15 * min(20, 1 + len(text) // across))
        sheet.write_string(line, 0, name, bold)
        sheet.merge_range(line, 1, line, len(widths) - 1, "", wrapped)
        if isinstance(value, str):
            sheet.write_string(line, 1, text, wrapped)
        else:
            sheet.write_number(line, 1, value or 0, wrapped)
    for number, cells in enumerate(_type_rows(run), line + 2):
        _write_row(sheet, number, cells, bold if number == line + 2 else None)


def _write_table(book: Any, name: str, head: tuple[str, ...], rows: Iterable[list[Cell]]) -> int:
    """Write a sheet with a filter on its first row; return the number of rows that there are."""
    sheet, _ = _sheet(book, name, tuple(_WIDTHS.get(each, 14) for each in head))
    bold, count = book.add_format({"bold": True}), 0
    for count, cells in enumerate(rows, 1):
        if count <= MOST_ROWS:
            _write_row(sheet, count - 1, cells, bold if count == 1 else None)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, min(count, MOST_ROWS) - 1, len(head) - 1)
    return count


def _sheet(book: Any, name: str, widths: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """Add a sheet that is printed one page wide."""
    sheet = book.add_worksheet(name)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    for number, width in enumerate(widths):
        sheet.set_column(number, number, width)
    return sheet, widths


def _write_row(sheet: Any, line: int, cells: list[Cell], look: Any) -> None:
    for number, cell in enumerate(cells):
        if isinstance(cell, str):
            sheet.write_string(line, number, _cell(cell), look)
        elif cell is not None:
            sheet.write_number(line, number, cell, look)


def _cell(words: str) -> str:
    return clip(words, MOST_CHARACTERS)
