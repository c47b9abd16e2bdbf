"""`wct inspect`."""

from __future__ import annotations

import click

from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import stderr
from waivern.cli.ui.step_columns import STEPS


@click.command(
    "inspect",
    short_help="Show a run or an artifact.",
    help=f"""Show a run, or one of its artifacts; also while it is running.

    {STEPS.pipe_help} RUN/ARTIFACT is a line for each fact, with --full the content alone,
    as JSON, and with --head the first records, a line of JSON for each.
    """,
    epilog=examples("wct inspect @last", "wct inspect @last/findings --full"),
)
@click.argument("reference", metavar="RUN[/ARTIFACT]")
@click.option("--full", is_flag=True, help="Show everything: run.json, parameters, whole contents.")
@click.option("--reveal", is_flag=True, help="Also show the content of sensitive artifacts.")
@click.option(
    "--head",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show the first N records of the artifact's list.  [default: 10 on a terminal]",
)
@json_option
@store_option
def command(
    reference: str, full: bool, reveal: bool, head: int | None, as_json: bool, store: str | None
) -> int:
    """Show a run, or one of its artifacts."""
    from waivern.cli.ui.artifact_view import show_artifact
    from waivern.cli.ui.run_view import show_run
    from waivern.runs import queries
    from waivern.runs.run_references import find, split

    where = opened(store)
    run, artifact = split(reference)
    record = queries.load(where, find(where, run))
    if not record.vouched:
        run_id = record.metadata.run_id
        stderr().print(f"warning: run {run_id} has no journal: nothing vouches for it")
    if artifact:
        return show_artifact(
            where, record, artifact, full=full, reveal=reveal, as_json=as_json, head=head
        )
    if head is not None:
        raise click.UsageError("--head shows the records of an artifact: RUN/ARTIFACT")
    return show_run(where, record, full=full, reveal=reveal, as_json=as_json)
