"""`wct runs`: the runs there are, and what can be done with one."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup


@click.group(
    "runs",
    cls=LazyGroup,
    commands_at={
        "list": "waivern.cli.runs.list",
        "inspect": "waivern.cli.inspect",
        "approve": "waivern.cli.runs.approve",
        "resume": "waivern.cli.runs.resume",
        "replay": "waivern.cli.runs.replay",
        "verify": "waivern.cli.runs.verify",
        "cancel": "waivern.cli.runs.cancel",
        "delete": "waivern.cli.runs.delete",
        "prune": "waivern.cli.runs.prune",
        "pin": "waivern.cli.runs.pin",
        "unpin": "waivern.cli.runs.unpin",
    },
    default="list",
    short_help="List, resume, verify and remove runs.",
)
def command() -> None:
    """List the runs, newest first; bare `wct runs` is `wct runs list`."""
