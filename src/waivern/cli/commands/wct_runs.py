"""`wct runs`: the commands for recorded runs."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples


@click.group(
    "runs",
    cls=LazyGroup,
    commands_at={
        "list": "waivern.cli.commands.wct_runs_list",
        "inspect": "waivern.cli.commands.wct_inspect",
        "watch": "waivern.cli.commands.wct_runs_watch",
        "logs": "waivern.cli.commands.wct_runs_logs",
        "approve": "waivern.cli.commands.wct_runs_approve",
        "resume": "waivern.cli.commands.wct_runs_resume",
        "replay": "waivern.cli.commands.wct_runs_replay",
        "verify": "waivern.cli.commands.wct_runs_verify",
        "access": "waivern.cli.commands.wct_runs_access",
        "cancel": "waivern.cli.commands.wct_runs_cancel",
        "redact": "waivern.cli.commands.wct_runs_redact",
        "delete": "waivern.cli.commands.wct_runs_delete",
        "prune": "waivern.cli.commands.wct_runs_prune",
        "tag": "waivern.cli.commands.wct_runs_tag",
        "stats": "waivern.cli.commands.wct_runs_stats",
        "export": "waivern.cli.commands.wct_runs_export",
        "pin": "waivern.cli.commands.wct_runs_pin",
        "unpin": "waivern.cli.commands.wct_runs_unpin",
    },
    default="list",
    short_help="List, watch, resume, verify, redact and remove runs.",
    epilog=examples("wct runs", "wct runs resume @last"),
)
def command() -> None:
    """List the runs, newest first; `wct runs` alone is `wct runs list`."""
