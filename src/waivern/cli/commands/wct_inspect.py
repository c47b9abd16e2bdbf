"""`wct inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waivern.cli.ui.options import examples, json_option, opened, recorded_options, store_option
from waivern.cli.ui.screen import stderr
from waivern.cli.ui.step_columns import STEPS
from waivern.errors import UsageError

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore


@click.command(
    "inspect",
    short_help="Show a run or an artifact.",
    help=f"""Show a run, or one of its artifacts; also while it is running.

    {STEPS.pipe_help} For RUN/ARTIFACT, each line is one fact. --full prints the content alone,
    as JSON; --head prints the first records, each as a line of JSON.

    --show reads an item from its source, and checks its digest. The store's access log records
    who is shown source content, before it is shown: see `wct runs access`.

    --finding explains a finding: its rule, checks and label, and the parts of its confidence.
    """,
    epilog=examples(
        "wct inspect @last",
        "wct inspect @last/findings --full",
        "wct inspect @last/findings --finding 3f9a",
    ),
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
@click.option(
    "--show",
    metavar="ITEM",
    help="Show an item of the listed source: its number from 1, path or name.  [default: none]",
)
@click.option(
    "--by",
    metavar="WHO",
    help="Record WHO in the access log; default: your user name and computer.",
)
@click.option(
    "--finding",
    metavar="ID",
    help="Explain the finding with this id, or beginning of one, without its value.  "
    "[default: none]",
)
@recorded_options
@json_option
@store_option
def command(
    reference: str,
    full: bool,
    reveal: bool,
    head: int | None,
    show: str | None,
    by: str | None,
    finding: str | None,
    base: str | None,
    trust_run: bool,
    as_json: bool,
    store: str | None,
) -> int:
    """Show a run, or one of its artifacts."""
    from waivern.cli.ui.artifact_view import refuse_hidden, show_artifact
    from waivern.cli.ui.run_view import show_run
    from waivern.cli.ui.source_view import show_item
    from waivern.runs import queries
    from waivern.runs.recorded_artifacts import fetched, meant
    from waivern.runs.run_references import find, split

    where = opened(store)
    run, artifact = split(reference)
    record = queries.load(where, find(where, run))
    if not record.vouched:
        run_id = record.metadata.run_id
        stderr().print(f"warning: run {run_id} has no journal: nothing proves its content")
    if by is not None and show is None:
        raise UsageError("--by is recorded with --show", hint="omit it")
    if show is not None:
        if not artifact:
            raise UsageError(
                "--show needs RUN/ARTIFACT",
                hint="use it as in `wct inspect @last/files --show 1`",
            )
        name = meant(record, artifact)
        refuse_hidden(name in record.sensitive and not reveal)
        step = record.steps[name]
        message = fetched(where, record, step)
        return show_item(
            where,
            record,
            step,
            message,
            show,
            base=base,
            trust_run=trust_run,
            by=by,
            as_json=as_json,
        )
    if finding is not None:
        return _explain(where, record, artifact, finding, reveal=reveal, as_json=as_json)
    if artifact:
        return show_artifact(
            where, record, artifact, full=full, reveal=reveal, as_json=as_json, head=head
        )
    if head is not None:
        raise click.UsageError("--head shows the records of an artifact: RUN/ARTIFACT")
    return show_run(where, record, full=full, reveal=reveal, as_json=as_json)


def _explain(
    where: RunStore,
    record: RunRecord,
    artifact: str | None,
    finding: str,
    *,
    reveal: bool,
    as_json: bool,
) -> int:
    """Explain one finding of an artifact."""
    from waivern.cli.ui.artifact_view import refuse_hidden
    from waivern.cli.ui.finding_view import show_finding
    from waivern.runs.recorded_artifacts import fetched, meant

    if not artifact:
        raise UsageError(
            "--finding needs RUN/ARTIFACT",
            hint="use it as in `wct inspect @last/findings --finding 3f9a`",
        )
    name = meant(record, artifact)
    refuse_hidden(name in record.sensitive and not reveal)
    step = record.steps[name]
    message = fetched(where, record, step)
    return show_finding(record, step, message, finding, as_json=as_json)
