"""`wct runs prune`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from waivern.cli.runs.list import STATUSES
from waivern.cli.ui.documents import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import UsageError
from waivern.runbook.age import FORMS, parse_age
from waivern.service.locate import find_project
from waivern.service.read import list_runs
from waivern.service.retain import Policy, Removal, doomed, remove


@click.command("prune")
@click.option("--keep-last", type=click.IntRange(0), metavar="N", help="Keep the newest N.")
@click.option("--older-than", metavar="AGE", help=f"Only runs older than {FORMS}.")
@click.option(
    "--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these."
)
@click.option("--keep-failed/--no-keep-failed", default=None, help="Keep failed runs.")
@click.option("--force", is_flag=True, help="Also pinned runs, and runs that others reused from.")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@json_option
@store_option
def command(
    keep_last: int | None,
    older_than: str | None,
    statuses: tuple[str, ...],
    keep_failed: bool | None,
    force: bool,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Remove old runs: those that fit all of the options given. Only lists them without --yes.

    What is not given is as `retention` in waivern.yaml says. Runs that are running stay; so do
    pinned ones and those that another run reused from.
    """
    policy = _policy(keep_last, older_than, statuses, keep_failed)
    if policy.empty:
        raise UsageError(
            "prune needs to know what may go",
            hint="give --keep-last N, --older-than AGE or --status S, or say so under `retention` "
            "in waivern.yaml",
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


def _policy(
    keep_last: int | None,
    older_than: str | None,
    statuses: tuple[str, ...],
    keep_failed: bool | None,
) -> Policy:
    project = find_project()
    said = project.retention if project else None
    if said is None:
        return Policy(keep_last, _age(older_than), frozenset(statuses), keep_failed or False)
    return Policy(
        said.keep_last if keep_last is None else keep_last,
        _age(said.older_than if older_than is None else older_than),
        frozenset(statuses or said.status),
        said.keep_failed if keep_failed is None else keep_failed,
    )


def _age(text: str | None) -> timedelta | None:
    age = parse_age(text) if text is not None else None
    if text is not None and age is None:
        raise UsageError(f"--older-than {text[:40]!r} is not an age", hint=f"as {FORMS}")
    return age


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
