"""`wct export`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    baseline_option,
    examples,
    export_options,
    json_option,
    opened,
    reviewed_option,
    store_option,
)
from waivern.cli.ui.screen import stderr
from waivern.errors import Exit, UsageError


@click.command(
    "export",
    short_help="Export a run for other tools.",
    epilog=examples(
        "wct export @last --export csv --export sarif",
        "wct export @last --export csv=findings.csv",
    ),
)
@click.argument("run", metavar="RUN")
@export_options
@baseline_option
@reviewed_option
@json_option
@store_option
def command(
    run: str,
    exports: tuple[str, ...],
    export_settings: tuple[str, ...],
    baseline: str | None,
    reviewed: str | None,
    as_json: bool,
    store: str | None,
) -> int:
    """Write RUN in the formats that other tools read; `wct exporters` lists them.

    A file appears whole or not at all, readable by you only, and replaces an earlier one. Findings
    are masked. Each format also says what was not examined. The store's access log records the
    export: `wct runs redact` names the file if the run is redacted later. RUN is not changed.
    """
    from waivern.cli.ui import exporting
    from waivern.runs.locate import find_project
    from waivern.runs.run_references import find

    if not exports:
        raise UsageError(
            "no format is named",
            hint=f"name one, as in `wct export {run} --export csv`; `wct exporters` lists them",
        )
    where = opened(store)
    wanted = exporting.requested(exports, export_settings, where, find_project(), as_json=as_json)
    run_id = find(where, run)
    outcomes = exporting.prepared(wanted, where, baseline, reviewed).write(where, run_id)
    exporting.show(stderr(), outcomes)
    if as_json:
        data = {"run_id": run_id, "exports": [each.document() for each in outcomes]}
        print_document("export", data)
    return exporting.exit_code(Exit.OK, outcomes)
