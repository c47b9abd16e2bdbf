"""`wct runs prune`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from waivern.cli.commands.wct_runs_list import STATUSES
from waivern.cli.ui.options import (
    examples,
    json_option,
    opened,
    status_option,
    store_option,
    yes_option,
)
from waivern.cli.ui.redaction_view import REDACTIONS, confirmed, show_items, show_rest
from waivern.cli.ui.removal import RemovalOutcome, remove_after_showing
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.user import user_at_host
from waivern.clock import Clock
from waivern.errors import UsageError
from waivern.language.age import FORMS, parse_age
from waivern.language.project import Retention
from waivern.message import Json
from waivern.record.text_forms import counted
from waivern.runs import listing
from waivern.runs.content_retention import ExpiredContent, expired, redact_expired
from waivern.runs.locate import find_project
from waivern.runs.retention import RetentionPolicy, doomed, survey
from waivern.store.base import RunStore


@click.command(
    "prune",
    epilog=examples(
        "wct runs prune --older-than 30d --keep-last 3",
        "wct runs prune --status failed --yes",
    ),
)
@click.option(
    "--keep-last",
    type=click.IntRange(0),
    metavar="N",
    help="Retain the newest N runs of each runbook; default: that of waivern.yaml.",
)
@click.option(
    "--older-than",
    metavar="AGE",
    help=f"Remove only runs older than AGE, as in {FORMS}; default: that of waivern.yaml.",
)
@status_option("statuses", STATUSES, "Remove only runs with this status.", multiple=True)
@click.option(
    "--runbook",
    "runbooks",
    metavar="NAME|PATH",
    multiple=True,
    help="Remove only runs of this runbook.",
)
@click.option(
    "--keep-failed/--no-keep-failed",
    default=None,
    help="Retain failed runs; default: that of waivern.yaml, else no.",
)
@click.option(
    "--content",
    metavar="AGE",
    help="Redact runs older than AGE, as `wct runs redact` does; default: that of waivern.yaml.",
)
@click.option("--force", is_flag=True, hidden=True)
@yes_option("Do not ask for confirmation.")
@json_option
@store_option
def command(
    keep_last: int | None,
    older_than: str | None,
    statuses: tuple[str, ...],
    runbooks: tuple[str, ...],
    keep_failed: bool | None,
    content: str | None,
    force: bool,
    yes: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Remove old runs: those that match all options.

    Without --yes, the command lists the runs and asks on a terminal; otherwise it only lists them.

    --content redacts the runs that are retained. Of the other options, only --runbook restricts it.

    The default of an option is its value under `retention` in waivern.yaml. Protected runs are
    never removed: those that are running or pinned, wait for a decision, have a decision that no
    resume has used yet, cannot be read, or were reused by a run that is retained. `wct runs delete
    RUN --force` removes them by name, except running ones.
    """
    if force:
        raise UsageError(
            "prune never removes protected runs",
            hint="name each: `wct runs delete RUN --force`",
        )
    policy = _policy(keep_last, older_than, statuses, keep_failed, runbooks)
    content_age = _age(content or _configured().content, "--content")
    if policy.empty and content_age is None:
        raise UsageError(
            "no criterion is set: prune would not know which runs to remove",
            hint="set --keep-last N, --older-than AGE, --status S or --content AGE, or set them "
            "under `retention` in waivern.yaml",
        )
    where, now = opened(store), datetime.now(UTC)
    rows = listing.every(where)
    chosen = [row.run_id for row in doomed(where, rows, policy, now)]
    items = survey(where, chosen, force=False, now=now, rows=rows)
    goes = {item.run_id for item in items if item.protection is None}
    more: dict[str, Json] = {}
    if content_age is not None:
        found = expired(where, rows, content_age, now, runbooks=policy.runbooks, without=goes)
        more = _redact(where, found, yes=yes, as_json=as_json)
    if policy.empty and not as_json:
        return
    outcome = remove_after_showing(
        where, items, what="prune", force=False, yes=yes, as_json=as_json, more=more
    )
    if not as_json:
        _conclude(outcome, len(rows))


def _redact(store: RunStore, found: ExpiredContent, *, yes: bool, as_json: bool) -> dict[str, Json]:
    """Show what is older than the policy for content allows, and redact it if that is confirmed."""
    out, items, left = stdout(), list(found.items), dict(found.spared)
    interactive = out.tty and not as_json
    if interactive and items:
        show_items(out, items, "")
    agreed = yes or bool(interactive and items and confirmed(items))
    if agreed:
        items, retained = redact_expired(store, found, user_at_host(), Clock())
        left |= retained
    if not as_json:
        if not interactive:
            show_items(out, items, "redacted" if agreed else "would redact")
        show_rest(left, ())
        word = "redacted" if agreed else "would be redacted"
        stderr().print(f"{counted(len(items), 'artifact')} {word}")
    return {"redacted": REDACTIONS.documents(items), "not_redacted": left}


def _policy(
    keep_last: int | None,
    older_than: str | None,
    statuses: tuple[str, ...],
    keep_failed: bool | None,
    runbooks: tuple[str, ...],
) -> RetentionPolicy:
    configured = _configured()
    return RetentionPolicy(
        configured.keep_last if keep_last is None else keep_last,
        _age(configured.older_than if older_than is None else older_than),
        frozenset(statuses or configured.status),
        configured.keep_failed if keep_failed is None else keep_failed,
        frozenset(runbooks),
    )


def _configured() -> Retention:
    project = find_project()
    return project.retention if project else Retention()


def _age(text: str | None, option: str = "--older-than") -> timedelta | None:
    age = parse_age(text) if text is not None else None
    if text is not None and age is None:
        raise UsageError(
            f"{option} {text[:40]!r} is not an age", hint=f"write it as one of {FORMS}"
        )
    return age


def _conclude(outcome: RemovalOutcome, total: int) -> None:
    word = "removed" if outcome.carried_out else "would be removed"
    stderr().print(f"{len(outcome.removed)} of {total} runs {word}")
    if outcome.removed and not outcome.carried_out:
        stderr().print("next:  the same command with --yes")
