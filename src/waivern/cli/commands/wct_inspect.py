"""`wct inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from waivern.cli.ui.options import (
    examples,
    json_option,
    opened,
    recorded_options,
    status_option,
    store_option,
    where_option,
)
from waivern.cli.ui.screen import stderr
from waivern.cli.ui.step_columns import STEPS
from waivern.errors import UsageError
from waivern.record.status import RECORDED

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore


STATUSES = tuple(map(str, RECORDED))
GROUPS = ("type", "category", "severity", "kind", "system", "item", "field", "ruleset")
"""The fields that findings can be counted by."""


@click.command(
    "inspect",
    short_help="Show a run or an artifact.",
    help=f"""Show a run, or one of its artifacts; also while it is running.

    {STEPS.pipe_help} For RUN/ARTIFACT, each line is one fact. --full prints the content alone,
    as JSON; --head prints the first records, each as a line of JSON.

    --show reads an item from its source, and checks its digest. The store's access log records
    who is shown source content, before it is shown: see `wct runs access`.

    --finding explains a finding: its rule, checks and label, and the parts of its confidence.
    --where and --group-by show findings as a table, --pointer a part of the content.
    """,
    epilog=examples(
        "wct inspect @last",
        "wct inspect @last/findings --full",
        "wct inspect @last/findings --finding 3f9a",
        "wct inspect @last/findings --group-by type",
        "wct inspect @last --failed",
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
@where_option
@click.option(
    "--group-by",
    type=click.Choice(GROUPS),
    metavar="FIELD",
    help=f"Count the findings of the artifact by FIELD: {', '.join(GROUPS)}; default: list them.",
)
@click.option(
    "--pointer",
    metavar="POINTER",
    help="Print the part of the content that a JSON pointer refers to, as JSON; default: none.",
)
@click.option("--raw", is_flag=True, help="Print the file of the artifact as it is stored.")
@click.option("--failed", "only_failed", is_flag=True, help="Show only artifacts that failed.")
@status_option(
    "statuses", map(str, RECORDED), "Show only artifacts with this status.", multiple=True
)
@recorded_options
@json_option
@store_option
def command(reference: str, store: str | None, **wanted: Any) -> int:
    """Show a run, or one of its artifacts."""
    from waivern.runs import queries
    from waivern.runs.recorded_artifacts import meant
    from waivern.runs.run_references import find, split

    where = opened(store)
    run, artifact = split(reference)
    record = queries.load(where, find(where, run))
    if not record.vouched:
        run_id = record.metadata.run_id
        stderr().print(f"warning: run {run_id} has no journal: nothing proves its content")
    chosen = InspectOptions(**wanted)
    if not artifact:
        return _show_run(where, record, chosen)
    return _show_artifact(where, record, meant(record, artifact), chosen)


class InspectOptions(NamedTuple):
    """The options of `wct inspect`."""

    full: bool
    reveal: bool
    head: int | None
    show: str | None
    by: str | None
    finding: str | None
    where: str | None
    group_by: str | None
    pointer: str | None
    raw: bool
    only_failed: bool
    statuses: tuple[str, ...]
    base: str | None
    trust_run: bool
    as_json: bool

    @property
    def steps(self) -> frozenset[str]:
        """The statuses of the artifacts that are shown of a run; empty: all."""
        return frozenset(self.statuses) | ({"failed"} if self.only_failed else frozenset())


_OF_ARTIFACTS = {
    "show": "--show 1",
    "finding": "--finding 3f9a",
    "where": "--where special_category",
    "group_by": "--group-by type",
    "pointer": "--pointer /summary",
    "raw": "--raw",
    "head": "--head 3",
}
"""The options that need RUN/ARTIFACT, each with an example."""


def _show_run(where: RunStore, record: RunRecord, chosen: InspectOptions) -> int:
    from waivern.cli.ui.run_view import show_run, show_steps

    for name, example in _OF_ARTIFACTS.items():
        if getattr(chosen, name) not in (None, False):
            raise UsageError(
                f"{example.partition(' ')[0]} needs RUN/ARTIFACT",
                hint=f"use it as in `wct inspect @last/findings {example}`",
            )
    _refuse_by(chosen)
    if chosen.steps and not chosen.as_json:
        return show_steps(record, chosen.steps)
    return show_run(
        where,
        record,
        full=chosen.full,
        reveal=chosen.reveal,
        as_json=chosen.as_json,
        statuses=chosen.steps,
    )


def _show_artifact(where: RunStore, record: RunRecord, name: str, chosen: InspectOptions) -> int:
    from waivern.cli.ui.artifact_view import refuse_hidden, show_artifact, show_part, show_raw

    if chosen.steps:
        raise UsageError(
            "--failed and --status choose among the artifacts of a run", hint="omit them"
        )
    views = (chosen.show, chosen.finding, chosen.where, chosen.group_by, chosen.pointer)
    if chosen.raw or any(each is not None for each in views):
        refuse_hidden(name in record.sensitive and not chosen.reveal)
    if chosen.show is not None:
        return _show_item(where, record, name, chosen.show, chosen)
    _refuse_by(chosen)
    if chosen.finding is not None:
        from waivern.cli.ui.finding_view import show_finding
        from waivern.runs.recorded_artifacts import fetched

        step = record.steps[name]
        message = fetched(where, record, step)
        return show_finding(record, step, message, chosen.finding, as_json=chosen.as_json)
    if chosen.raw:
        return show_raw(where, record, name)
    if chosen.pointer is not None:
        return show_part(where, record, name, chosen.pointer)
    if chosen.where is not None or chosen.group_by is not None:
        from waivern.cli.ui.findings_table import show_findings

        return show_findings(
            where,
            record,
            name,
            where=chosen.where,
            group_by=chosen.group_by,
            head=chosen.head,
            as_json=chosen.as_json,
        )
    return show_artifact(
        where,
        record,
        name,
        full=chosen.full,
        reveal=chosen.reveal,
        as_json=chosen.as_json,
        head=chosen.head,
    )


def _refuse_by(chosen: InspectOptions) -> None:
    if chosen.by is not None and chosen.show is None:
        raise UsageError("--by is recorded with --show", hint="omit it")


def _show_item(
    where: RunStore, record: RunRecord, name: str, item: str, chosen: InspectOptions
) -> int:
    """Show an item of the source that an artifact lists."""
    from waivern.cli.ui.source_view import show_item
    from waivern.runs.recorded_artifacts import fetched

    step = record.steps[name]
    return show_item(
        where,
        record,
        step,
        fetched(where, record, step),
        item,
        base=chosen.base,
        trust_run=chosen.trust_run,
        by=chosen.by,
        as_json=chosen.as_json,
    )
