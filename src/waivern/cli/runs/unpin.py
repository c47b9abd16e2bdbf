"""`wct runs unpin`."""

from __future__ import annotations

import click

from waivern.cli.ui.options import opened, store_option
from waivern.cli.ui.screen import stdout
from waivern.service.references import find
from waivern.service.retain import unpin


@click.command("unpin")
@click.argument("run", metavar="RUN")
@store_option
def command(run: str, store: str | None) -> None:
    """Remove the protection of a pinned run."""
    where = opened(store)
    run_id = find(where, run)
    was = unpin(where, run_id)
    stdout().print(f"unpinned {run_id}" if was else f"{run_id} was not pinned")
