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


class XlsxExporter:
    """An Excel workbook: a summary, the findings, and what was not examined. Extra `xlsx`."""

    name = "xlsx"
    version = "1.0.0"
    file_name = "waivern.xlsx"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> list[str]:  # noqa: ARG002
        """Write the workbook row by row; texts are written as texts, never as formulas."""
        book = xlsxwriter.Workbook(out, {"constant_memory": True, "strings_to_urls": False})
        bold, notes = book.add_format({"bold": True, "text_wrap": True}), list[str]()
        book.set_properties({"title": _cell(run.metadata.runbook_name), "comments": run.run_id})
        _fill(book.add_worksheet("Summary"), _summary(run), bold, (28, 18, 14, 14, 14))
        widths = tuple(_WIDTHS.get(name, 14) for name in FINDING_HEAD)
        sheet = book.add_worksheet("Findings")
        left_out = _fill(sheet, _finding_rows(run), bold, widths)
        sheet.autofilter(0, 0, 0, len(widths) - 1)
        if left_out:
            notes.append(
                f"{left_out:,} findings are left out: a sheet has {MOST_ROWS:,} rows at most; "
                "the format csv has all"
            )
        sheet = book.add_worksheet("Not examined")
        widths = tuple(_WIDTHS.get(name, 14) for name in PART_COLUMNS)
        left_out = _fill(sheet, _part_rows(run, notes), bold, widths)
        if left_out:
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


def _summary(run: ExportedRun) -> Iterator[list[Cell]]:
    metadata, found = run.metadata, run.overview
    yield ["Run", run.run_id]
    yield ["Runbook", clean(metadata.called)]
    yield ["Started", metadata.started_at]
    yield ["Status", str(metadata.status)]
    yield ["Coverage", coverage_sentence(run)]
    yield ["Findings", found.findings]
    yield ["of special categories", found.special]
    yield ["Test data", found.test_data]
    yield ["Journal head", run.head or "none"]
    for artifact, reason in found.unread.items():
        yield ["Not read", clean(f"{artifact}: {reason}")]
    yield []
    yield ["type", "category", "severity", "findings", "occurrences"]
    for each in found.types:
        category = f"{each.category} (special)" if each.special else each.category
        yield [clean(each.name), clean(category), each.severity, each.findings, each.occurrences]


def _fill(sheet: Any, rows: Iterable[list[Cell]], bold: Any, widths: tuple[int, ...]) -> int:
    """Write rows; return the number of those for which the sheet has no room."""
    for number, width in enumerate(widths):
        sheet.set_column(number, number, width)
    sheet.freeze_panes(1, 0)
    left_out = 0
    for line, cells in enumerate(rows):
        if line >= MOST_ROWS:
            left_out += 1
            continue
        for number, cell in enumerate(cells):
            look = bold if line == 0 else None
            if isinstance(cell, str):
                sheet.write_string(line, number, _cell(cell), look)
            elif cell is not None:
                sheet.write_number(line, number, cell, look)
    return left_out


def _cell(words: str) -> str:
    return clip(words, MOST_CHARACTERS)
