"""`wct diff`."""

from __future__ import annotations

import click

from waivern.cli.ui.finding_columns import COMPARED
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.errors import Exit


@click.command(
    "diff",
    short_help="Compare two runs: what was run, examined and found.",
    help=f"""Compare two runs: their definitions, artifacts, coverage and findings.

    A finding is the same in both runs if type, rule, item, field and canonical mask are; its lines
    and its mask may change. It is `new`, `resolved`, `moved` (other lines, or a renamed file with
    the same content), `unchanged`, or `not_examined`: AFTER has it not, and did not examine its
    place.

    {COMPARED.pipe_help} Unchanged findings are only counted.
    """,
    epilog=examples("wct diff @last~1 @last", "wct diff scan@last~1 scan@last --json"),
)
@click.argument("before")
@click.argument("after")
@click.option(
    "--each",
    type=click.IntRange(min=0),
    metavar="N",
    help="List the first N findings of each outcome.  [default: 10 on a terminal, else all]",
)
@json_option
@store_option
def command(before: str, after: str, each: int | None, as_json: bool, store: str | None) -> int:
    """Compare two runs."""
    from waivern.cli.ui.comparison_view import show_comparison
    from waivern.cli.ui.json_output import print_document
    from waivern.runs import queries
    from waivern.runs.run_comparison import compare_runs
    from waivern.runs.run_references import find

    where = opened(store)
    records = [queries.load(where, find(where, reference)) for reference in (before, after)]
    found = compare_runs(where, *records)
    if as_json:
        print_document("diff", found.document(each))
    else:
        show_comparison(found, each)
    return Exit.OK
