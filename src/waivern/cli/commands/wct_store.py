"""`wct store`: the commands for whole stores."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples


@click.group(
    "store",
    cls=LazyGroup,
    commands_at={
        "copy": "waivern.cli.commands.wct_store_copy",
        "check": "waivern.cli.commands.wct_store_check",
    },
    short_help="Copy runs to another store, and check a whole store.",
    epilog=examples("wct store check", "wct store copy .waivern sqlite:///.waivern/runs.db"),
)
def command() -> None:
    """Copy runs from one store to another, or check everything in a store."""
