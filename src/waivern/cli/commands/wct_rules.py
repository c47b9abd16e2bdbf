"""`wct rules`: the commands about rulesets."""

from __future__ import annotations

import click

from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples


@click.group(
    "rules",
    cls=LazyGroup,
    commands_at={
        "try": "waivern.cli.commands.wct_rules_try",
        "list": "waivern.cli.commands.wct_rules_list",
    },
    short_help="List what is searched for, and try a ruleset.",
    epilog=examples("wct rules list", "wct rules try rules/acme.yaml --over @last"),
)
def command() -> None:
    """List the types of the shipped ruleset, or try a ruleset over the sources of a run."""
