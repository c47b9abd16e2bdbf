"""The list of runs that are about to be removed, and the question whether to remove them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import RefusedError
from waivern.message import Json
from waivern.record.text_forms import clean, counted, short, size, span
from waivern.runs.retention import Removal, RemovalItem, remove
from waivern.runs.run_references import find
from waivern.store.base import RunStore

PREFIX = 4
"""The fewest characters of an id that name a run to remove."""


def _age(item: RemovalItem) -> str:
    return "" if item.age is None else span(item.age.total_seconds())


REMOVALS = Records[RemovalItem](
    Column("run", lambda item: item.run_id, "RUN", shown=lambda item: short(item.run_id)),
    Column("runbook", lambda item: item.runbook, "RUNBOOK", flexible=True, keep_end=True),
    Column("status", lambda item: item.status, "STATUS", painted=True),
    Column("age", _age, "AGE"),
    Column("size", lambda item: "" if item.size is None else size(item.size), "SIZE"),
    document=RemovalItem.document,
)


def named(store: RunStore, text: str, verb: str = "delete") -> str:
    """Return the id of the run to destroy. Raises RefusedError if the prefix is too short."""
    run_id = find(store, text)
    if text != run_id and "@" not in text and len(text.replace("-", "")) < PREFIX:
        what = "remove" if verb == "delete" else verb
        raise RefusedError(
            f"'{text}' is too short to {what} a run by; it matches run {run_id}",
            hint=f"type at least {PREFIX} characters of the id: `wct runs {verb} {run_id}`",
        )
    return run_id


class RemovalOutcome(NamedTuple):
    """The outcome of a command that removes runs."""

    carried_out: bool
    """False: nothing was removed, because it was not confirmed."""
    removed: tuple[str, ...]
    spared: Mapping[str, str]
    """Run to reason."""


def remove_after_showing(
    store: RunStore,
    items: Sequence[RemovalItem],
    *,
    what: str,
    force: bool,
    yes: bool,
    as_json: bool,
    more: Mapping[str, Json] = MappingProxyType({}),
) -> RemovalOutcome:
    """Show the runs; then remove them with `yes`, or if a person at a terminal agrees.

    `what` is the command, for the schema of its document, which has `more` beside the runs.
    """
    out, removable = stdout(), [item for item in items if item.protection is None]
    interactive = out.tty and not as_json
    if interactive:
        REMOVALS.table(out, removable)
        _show_spared(items)
    confirmed = yes or bool(interactive and removable and _confirmed(removable))
    removal = Removal((), {})
    if confirmed:
        removal = remove(store, [item.run_id for item in removable], force=force)
    removed = removal.removed if confirmed else tuple(item.run_id for item in removable)
    reasons = {item.run_id: item.protection for item in items if item.protection}
    outcome = RemovalOutcome(confirmed, removed, {**reasons, **removal.spared})
    if as_json:
        document = {"removed": removed, "spared": dict(outcome.spared), "dry_run": not confirmed}
        print_document(what, {**document, "runs": REMOVALS.documents(items), **more})
    elif not interactive:
        verb = "removed" if confirmed else "would remove"
        shown = [item for item in removable if item.run_id in removed]
        for item in shown:
            out.stream.write(f"{verb} ")
            REMOVALS.lines(out, [item])
        _show_spared(items)
    for warning in removal.warnings:
        stderr().print(f"warning: {clean(warning)}")
    return outcome


def _show_spared(items: Sequence[RemovalItem]) -> None:
    for item in items:
        if item.protection is not None:
            stderr().print(f"retained {item.run_id}: {clean(item.protection)} ({_facts(item)})")


def _facts(item: RemovalItem) -> str:
    """Return what is known of a run, in one line."""
    columns = (column for column in REMOVALS.columns if column.name != "run")
    return ", ".join(filter(None, (column.for_pipe(item) for column in columns)))


def total(items: Sequence[RemovalItem]) -> str:
    """Return '3 runs, 1.2 MiB'."""
    return f"{counted(len(items), 'run')}, {size(sum(item.size or 0 for item in items))}"


def _confirmed(items: Sequence[RemovalItem]) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        return click.confirm(f"Remove {total(items)}?", default=False, err=True)
    except click.Abort:
        stderr().print()
        return False
