"""`wct runs pin`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    examples,
    json_option,
    note_option,
    opened,
    store_option,
)
from waivern.cli.ui.screen import stdout
from waivern.cli.ui.user import user_name
from waivern.clock import Clock
from waivern.runs.retention import pin
from waivern.runs.run_references import find


@click.command("pin", epilog=examples("wct runs pin @last --note 'audit 2026'"))
@click.argument("run", metavar="RUN")
@note_option
@json_option
@store_option
def command(run: str, note: str | None, as_json: bool, store: str | None) -> None:
    """Protect a run from removal."""
    where = opened(store)
    run_id = find(where, run)
    pin(where, run_id, user_name(), note, Clock().now())
    if as_json:
        print_document("pin", {"run_id": run_id, "pinned": True})
    else:
        stdout().print(f"pinned {run_id}")
