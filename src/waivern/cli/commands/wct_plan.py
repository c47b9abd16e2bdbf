"""`wct plan`."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    cache_options,
    examples,
    json_option,
    opened,
    params_options,
    runbook_argument,
    selection_options,
    store_option,
    supplied_params,
)
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit
from waivern.record.text_forms import duration

if TYPE_CHECKING:
    from waivern.runs.forecast import Forecast


def _component(each: Forecast) -> str:
    name = each.component.partition(":")[2] or each.component
    return f"{name} ({each.keep})" if each.keep else name


PLAN: Records[Forecast] = Records(
    Column("artifact", lambda each: each.artifact, "ARTIFACT"),
    Column("action", lambda each: str(each.action), "ACTION"),
    Column(
        "component",
        lambda each: each.component,
        "COMPONENT",
        shown=_component,
        drop=2,
    ),
    Column(
        "expected milliseconds",
        lambda each: each.expected_ms,
        "TOOK",
        shown=lambda each: duration(each.expected_ms),
        drop=1,
    ),
    Column("reason", lambda each: each.reason, "WHY", flexible=True, whole=True),
    document=lambda each: each.document(),
)


@click.command(
    "plan",
    short_help="Show what a run would do, and why.",
    help=f"""Show what `wct run RUNBOOK` would do with each artifact, and why. Nothing is written.

    --select and --exclude are those of `wct run --help`; what they leave out is not shown.

    In a table, `reference` or `content` after a connector states how its source is kept: as
    a list of its items, or as a copy.

    {PLAN.pipe_help}
    """,
    epilog=examples("wct plan analysis.yaml", "wct plan analysis.yaml --resume @last"),
)
@runbook_argument
@click.option("--resume", metavar="RUN", help="Show what resuming RUN would do.")
@selection_options
@params_options
@cache_options
@click.option("--exit-code", is_flag=True, help="Exit with 10 if there is work to do.")
@json_option
@store_option
def command(
    runbook: str,
    resume: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    params: tuple[str, ...],
    params_file: str | None,
    no_cache: bool,
    refresh: tuple[str, ...],
    exit_code: bool,
    as_json: bool,
    store: str | None,
) -> int:
    """Show what a run would do with each artifact."""
    from waivern.cli.ui.output_redirect import stdout_is_stderr
    from waivern.runs.forecast import forecast
    from waivern.runs.locate import find_project
    from waivern.runs.run_options import RunOptions
    from waivern.runs.selection import Selection

    options = RunOptions(
        environ=dict(os.environ),
        project=find_project(),
        cache=False if no_cache else None,
        refresh=frozenset(refresh),
    )
    where = opened(store, recorded=resume is not None)
    values = supplied_params(params, params_file)
    with stdout_is_stderr():
        found = forecast(
            runbook,
            where,
            options,
            params=values,
            resume=resume,
            selection=Selection(select, exclude),
        )
    if as_json:
        print_document("plan", {"artifacts": PLAN.documents(found)})
    else:
        _show(stdout(), found)
    work = any(each.work for each in found)
    return Exit.WORK_TO_DO if exit_code and work else Exit.OK


def _show(out: Screen, found: list[Forecast]) -> None:
    PLAN.show(out, found)
    if not out.tty:
        return
    counts = Counter(str(each.action) for each in found)
    took = sum(each.expected_ms or 0 for each in found if each.action == "produce")
    words = ", ".join(f"{count} {action}" for action, count in counts.items())
    out.print(f"\n{words}" + (f"; about {duration(took)} of work, as before" if took else ""))
