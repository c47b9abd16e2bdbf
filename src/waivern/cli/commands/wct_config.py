"""`wct config`: the settings and their sources."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples


@click.group(
    "config",
    cls=LazyGroup,
    commands_at={"show": "waivern.cli.commands.wct_config_show"},
    default="show",
    short_help="Show every setting and its source.",
    epilog=examples("wct config"),
)
def command() -> None:
    """Show every setting and its source; `wct config` alone is `wct config show`."""
