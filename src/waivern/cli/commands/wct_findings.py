"""`wct findings`: the commands about single findings."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples


@click.group(
    "findings",
    cls=LazyGroup,
    commands_at={
        "list": "waivern.cli.commands.wct_findings_list",
        "accept": "waivern.cli.commands.wct_findings_accept",
        "reject": "waivern.cli.commands.wct_findings_reject",
        "schema": "waivern.cli.commands.wct_findings_schema",
    },
    short_help="List findings, accept and reject them.",
    epilog=examples(
        "wct findings list @last",
        "wct findings accept 3f9a --reason ok --until 2027-03-31",
    ),
)
def command() -> None:
    """List the findings of a run, and record what people have decided about them."""
