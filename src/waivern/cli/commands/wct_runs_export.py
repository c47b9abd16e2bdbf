"""`wct runs export`."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from typing import Any

import click

from waivern.cli.ui.json_output import print_json
from waivern.cli.ui.options import examples, filter_options, opened, run_filter, store_option
from waivern.cli.ui.screen import stderr
from waivern.message import Json
from waivern.record.run_summary import RESULTS, RunSummary
from waivern.record.text_forms import FORMULA, clean, counted
from waivern.runs import history

COLUMNS = RunSummary._fields


@click.command(
    "export",
    short_help="Write the history as JSON lines or CSV.",
    help=f"""Write the history to stdout: a row for each run that ended, the last one first.

    Columns: {", ".join(COLUMNS)}. In CSV, lists are separated by spaces and metadata is JSON;
    a cell that a spreadsheet would evaluate begins with an apostrophe.
    """,
    epilog=examples(
        "wct runs export --format csv > runs.csv",
        "wct runs export --result failed",
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    metavar="FORMAT",
    help="Write jsonl or csv.",
)
@click.option(
    "--result",
    type=click.Choice(RESULTS),
    metavar="RESULT",
    help=f"Only runs with this result: {', '.join(RESULTS)}.",
)
@filter_options
@store_option
def command(form: str, result: str | None, store: str | None, **typed: Any) -> None:
    """Write the history."""
    wanted = run_filter(None, **typed)
    found = history.rows(opened(store))
    for warning in found.warnings:
        stderr().print(f"warning: {clean(warning)}")
    rows = [row for row in history.chosen(found.rows, wanted) if result in (None, row.result)]
    if form == "csv":
        sys.stdout.write(as_csv(rows))
    else:
        for row in rows:
            print_json(row.document(), indent=None)
    if not rows:
        every = counted(len(found.rows), "run")
        stderr().print(f"no run that ended matches; the history has {every}")


def as_csv(rows: Iterable[RunSummary]) -> str:
    """Return rows as CSV (RFC 4180), safe to open in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Json) -> str:
    match value:
        case None:
            return ""
        case list():
            text = " ".join(map(str, value))
        case dict():
            text = json.dumps(value, ensure_ascii=False) if value else ""
        case _:
            text = str(value)
    safe = clean(text)  # one line, without characters that a terminal would interpret
    return f"'{safe}" if text[:1] in FORMULA and text else safe
