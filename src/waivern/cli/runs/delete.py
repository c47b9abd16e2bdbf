"""`wct runs delete`."""

from __future__ import annotations

import click

from waivern.cli.ui.documents import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import stdout
from waivern.service.references import find
from waivern.service.retain import refusal, remove


@click.command("delete")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also pinned runs, and runs that others reused from.")
@json_option
@store_option
def command(runs: tuple[str, ...], force: bool, as_json: bool, store: str | None) -> None:
    """Remove runs, each whole.

    A run that is running stays. Artifacts that other runs copied from a removed one stay with them.
    """
    where = opened(store)
    removal = remove(where, [find(where, run) for run in runs], force=force)
    if as_json:
        print_document("delete", {"removed": removal.removed, "spared": dict(removal.spared)})
    else:
        for run_id in removal.removed:
            stdout().print(f"removed {run_id}")
    if error := refusal(removal):
        raise error
