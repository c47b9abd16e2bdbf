"""`wct report`."""

from __future__ import annotations

import click

from waivern.cli.ui.options import (
    baseline_option,
    examples,
    opened,
    reviewed_option,
    store_option,
)
from waivern.cli.ui.screen import stderr
from waivern.errors import Exit


@click.command(
    "report",
    short_help="Write a report on a run for people.",
    epilog=examples("wct report @last", "wct report @last -o board.html"),
)
@click.argument("run", metavar="RUN")
@click.option(
    "-o",
    "--output",
    "file",
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Write the report to FILE; `-` is stdout.",
)
@baseline_option
@reviewed_option
@store_option
def command(
    run: str, file: str, baseline: str | None, reviewed: str | None, store: str | None
) -> int:
    """Write a report on RUN: one HTML file that can be sent, opened anywhere, and printed.

    It begins with a summary for readers who read nothing else: what was looked at, what was found,
    what was not examined, and what needs a decision. Then follow the findings by category and
    system, the coverage of each source, the graph, the timeline, the decisions, and how to verify
    all of it. The file loads nothing and has no script. Findings are masked.

    The run is compared with --baseline, or else with the previous completed run of its runbook.

    `wct export RUN --export html=FILE` and `wct run --export html=FILE` write the same file.
    """
    from waivern.cli.ui import exporting
    from waivern.runs.locate import find_project
    from waivern.runs.run_references import find

    where = opened(store)
    wanted = exporting.requested([f"html={file}"], (), where, find_project(), as_json=False)
    run_id = find(where, run)
    outcomes = exporting.prepared(wanted, where, baseline, reviewed).write(where, run_id)
    exporting.show(stderr(), outcomes)
    return exporting.exit_code(Exit.OK, outcomes)
