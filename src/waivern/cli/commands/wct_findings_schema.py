"""`wct findings schema`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import print_json
from waivern.cli.ui.options import examples
from waivern.errors import Exit


@click.command(
    "schema",
    short_help="Print the JSON Schema of the file of reviews.",
    epilog=examples("wct findings schema > reviewed-findings.schema.json"),
)
def command() -> int:
    """Print the JSON Schema of reviewed-findings.yaml, for editors."""
    from waivern.runs.finding_reviews import reviews_schema

    print_json(dict(reviews_schema()))
    return Exit.OK
