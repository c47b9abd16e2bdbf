"""`wct findings accept`."""

from __future__ import annotations

import click

from waivern.cli.ui.finding_decisions import decide
from waivern.cli.ui.options import decision_options, examples


@click.command(
    "accept",
    short_help="Accept findings: they may stay until a date.",
    epilog=examples(
        "wct findings accept 3f9a --reason ok --until 2027-03-31",
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
    """Accept findings: they may stay until a date.

    ID is the id of a finding, or the first 4 or more characters of it. The decision is written
    to reviewed-findings.yaml, whose comments and order stay. An accepted finding trips no
    `--fail-on` until the date is over. After the date, `wct run --fail-on` and `wct findings
    list` name it.
    """
    return decide(
        "accepted",
        findings,
        of=of,
        reason=reason,
        until=last_day,
        by=by,
        reviewed=reviewed,
        as_json=as_json,
        store=store,
    )
