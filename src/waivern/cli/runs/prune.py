"""`wct runs prune`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from waivern.cli.runs.list import STATUSES
from waivern.cli.ui.documents import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import UsageError
from waivern.service.read import list_runs
from waivern.service.retain import Policy, Removal, doomed, remove

_AGE = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.command("prune")
@click.option("--keep-last", type=click.IntRange(0), metavar="N", help="Keep the newest N.")
@click.option("--older-than", metavar="AGE", help="Only runs older than 90s, 5m, 12h, 30d, 8w.")
@click.option(
    "--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these."
)
@click.option("--keep-failed", is_flag=True, help="Keep failed runs.")
@click.option("--force", is_flag=True, help="Also pinned runs, and runs that others reused from.")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@json_option
@store_option
def command(
    keep_last: int | None,
    older_than: str | None,
    statuses: tuple[str, ...],
    keep_failed: bool,
    force: bool,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Remove old runs: those that fit all of the options given. Only lists them without --yes.

    Runs that are running stay; so do pinned ones and those that another run reused from.
    """
    policy = Policy(keep_last, _age(older_than), frozenset(statuses), keep_failed)
    if policy.empty:
        raise UsageError(
            "prune needs to know what may go",
            hint="give --keep-last N, --older-than AGE or --status S; see `wct runs prune --help`",
        )
    where = opened(store)
    rows = list_runs(where)
    named = [row.run_id for row in doomed(rows, policy, datetime.now(UTC))]
    removal = remove(where, named, force=force, dry_run=not yes)
    if as_json:
        found = {"removed": removal.removed, "spared": dict(removal.spared), "dry_run": not yes}
        print_document("prune", found)
    else:
        _show(removal, len(rows), yes)


def _age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    parsed = _AGE.fullmatch(text)
    if parsed is None:
        raise UsageError(
            f"--older-than {text[:40]!r} is not an age", hint="as 90s, 5m, 12h, 30d, 8w"
        )
    return timedelta(**{_UNITS[parsed[2]]: int(parsed[1])})


def _show(removal: Removal, total: int, done: bool) -> None:
    out, aside = stdout(), stderr()
    for run_id in removal.removed:
        out.print(f"{'removed' if done else 'would remove'} {run_id}")
    for run_id, reason in removal.spared.items():
        aside.print(f"kept {run_id}: {reason}")
    word = "removed" if done else "would go"
    aside.print(f"{len(removal.removed)} of {total} runs {word}")
    if removal.removed and not done:
        aside.print("next:  the same command with --yes")
