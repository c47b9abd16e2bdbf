"""`wct runs delete`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from waivern.cli.ui.options import (
    examples,
    json_option,
    opened,
    store_option,
    yes_option,
)
from waivern.cli.ui.removal import named, remove_after_showing
from waivern.cli.ui.screen import stderr
from waivern.errors import Exit, RefusedError
from waivern.record.text_forms import counted
from waivern.runs.retention import refusal, survey


@click.command("delete", epilog=examples("wct runs delete 3f2a9c --yes"))
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also remove protected runs.")
@yes_option("Do not ask for confirmation.")
@json_option
@store_option
def command(runs: tuple[str, ...], force: bool, yes: bool, as_json: bool, store: str | None) -> int:
    """Remove runs; show runbook, status, age and size of each first.

    A run is protected if it is pinned, waits for a decision, has a decision that no resume has used
    yet, cannot be read, or was reused by a run that is retained. A running run is never removed.
    Artifacts that other runs copied from a removed run are retained.
    """
    where = opened(store)
    ids = [named(where, run) for run in runs]
    items = survey(where, ids, force=force, now=datetime.now(UTC))
    outcome = remove_after_showing(
        where, items, what="delete", force=force, yes=yes, as_json=as_json
    )
    error = refusal(outcome.spared)
    if error is None and not outcome.carried_out:
        error = RefusedError(
            "nothing was removed: --yes is missing",
            hint="the same command with --yes removes what is shown",
        )
    if outcome.removed and outcome.carried_out and not as_json:
        stderr().print(f"{counted(len(outcome.removed), 'run')} removed")
    if error is None:
        return Exit.OK
    if as_json:  # the one document on stdout has every reason
        return error.exit_code
    raise error
