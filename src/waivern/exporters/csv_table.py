"""The format `csv`."""

from __future__ import annotations

import csv
import io
from typing import IO, Literal

from pydantic import Field

from waivern.exporters.export_options import ExportOptions
from waivern.exporters.finding_rows import FINDING_HEAD, Cell, finding_row, part_rows
from waivern.record.text_forms import FORMULA
from waivern.runs.exporter import ExportedRun

_ROW, _REASON = "row_type", "reason"
_HEAD = [_ROW, *FINDING_HEAD, _REASON]


class CsvOptions(ExportOptions):
    """Options of `csv`."""

    separator: Literal[",", ";", "|", "tab"] = Field(
        ",", description="Separates the cells: `,`, `;`, `|` or `tab`."
    )
    bom: bool = Field(False, description="Begin with a byte order mark, so that Excel reads UTF-8.")


class CsvExporter:
    """A table of findings, then of what was not examined, for spreadsheets and scripts.

    A cell that a spreadsheet would evaluate as a formula begins with an apostrophe.
    """

    name = "csv"
    version = "1.0.0"
    file_name = "waivern.csv"
    Config = CsvOptions

    def export(self, run: ExportedRun, config: CsvOptions, out: IO[bytes]) -> None:
        """Write the rows (RFC 4180); `row_type` is `finding`, `not_examined` or `coverage`."""
        stream = io.TextIOWrapper(out, "utf-8-sig" if config.bom else "utf-8", newline="")
        writer = csv.writer(
            stream, delimiter="\t" if config.separator == "tab" else config.separator
        )
        writer.writerow(_HEAD)
        for finding in run.findings:
            writer.writerow(["finding", *map(_safe, finding_row(run, finding)), ""])
        for cells in part_rows(run):
            kind = "not_examined" if len(cells) > 1 else "coverage"
            cells["occurrences"] = cells.get("items")
            row = [cells.get(name) for name in (*FINDING_HEAD, _REASON)]
            writer.writerow([kind, *map(_safe, row)])
        stream.flush()
        stream.detach()  # or it would close `out`


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in FORMULA and cell else cell
