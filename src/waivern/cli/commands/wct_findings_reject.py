"""`wct findings reject`."""

from __future__ import annotations

import click

from waivern.cli.ui.finding_decisions import decide
from waivern.cli.ui.options import decision_options, examples


@click.command(
    "reject",
    short_help="Reject findings: they must be removed by a date.",
    epilog=examples(
        "wct findings reject 3f9a --reason no --until 2027-03-31",
    ),
)
@decision_options
def command(
    findings: tuple[str, ...],
    of: str,
    reason: str,
    last_day: str,
    by: str | None,
    reviewed: str | None,
    as_json: bool,
    store: str | None,
) -> int:
    """Reject findings: they must be removed by a date.

    ID is the id of a finding, or the first 4 or more characters of it. The decision is written
    to reviewed-findings.yaml, whose comments and order stay. A rejected finding trips `--fail-
    on rejected`. After the date, `wct run --fail-on` and `wct findings list` name it.
    """
    return decide(
        "rejected",
        findings,
        of=of,
        reason=reason,
        until=last_day,
        by=by,
        reviewed=reviewed,
        as_json=as_json,
        store=store,
    )
