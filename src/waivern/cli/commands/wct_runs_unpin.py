"""`wct runs unpin`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import stdout
from waivern.runs.retention import unpin
from waivern.runs.run_references import find


@click.command("unpin", epilog=examples("wct runs unpin @last"))
@click.argument("run", metavar="RUN")
@json_option
@store_option
def command(run: str, as_json: bool, store: str | None) -> None:
    """Remove the protection of a pinned run."""
    where = opened(store)
    run_id = find(where, run)
    was = unpin(where, run_id)
    if as_json:
        print_document("pin", {"run_id": run_id, "pinned": False})
    else:
        stdout().print(f"unpinned {run_id}" if was else f"{run_id} was not pinned")
