"""`wct runs list`."""

from __future__ import annotations

import time

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import Screen, stderr, stdout, tab_separated, table
from waivern.cli.ui.text import ago, clean, clip, counted, duration, short
from waivern.errors import Exit
from waivern.record.status import DamagedStatus, RunStatus
from waivern.runs.listing import RunPage, page
from waivern.runs.queries import RunRow

STATUSES = tuple(map(str, (*RunStatus, *DamagedStatus)))


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Show only runs with this status.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show at most N runs.",
)
@json_option
@store_option
def command(status: str | None, limit: int, as_json: bool, store: str | None) -> int:
    """List the runs, newest first. Exit 74 if one of them cannot be read.

    To a pipe, a line is: run, status, runbook, started, milliseconds, completed, failed, skipped,
    not started, and why it cannot be read if it cannot; between tabs.
    """
    where = opened(store)
    found = page(where, status=status, limit=limit)
    shown = found.rows
    out = stdout()
    if as_json:
        print_document("runs", [row.document() for row in shown])
    elif out.tty:
        _for_people(out, shown)
    else:
        tab_separated(out, [_fields(row) for row in shown])
    if note := _note(found, status, where.url):
        stderr().print(note)
    if not found.unreadable:
        return Exit.OK
    stderr().print("warning: some runs cannot be read now; what they hold is not lost by that")
    stderr().print("  = help: see why in the list, then type `wct runs` again")
    return Exit.STORE


def _for_people(out: Screen, rows: list[RunRow]) -> None:
    if not rows:
        return
    now = time.time()
    header = ("RUN", "STATUS", "RUNBOOK", "STARTED", "TOOK", "DONE", "FAIL", "SKIP")
    table(
        out,
        header,
        [_cells(row, now) for row in rows],
        flex=2,
        keep_end=True,
        status=1,
        drop=(7, 6, 4, 5, 3),
    )
    for row in rows:
        waits = row.metadata.suspension_reason if row.metadata else None
        if row.fault or (waits and row.status == "suspended"):
            name = row.run_id if row.fault else short(row.run_id)
            out.print(
                f"{out.mark(row.status)} {name}  {clip(clean(row.fault or waits or ''), 500)}"
            )


def _cells(row: RunRow, now: float) -> list[str]:
    run = row.metadata
    if run is None:
        return [short(row.run_id), row.status, *[""] * 6]
    done = f"{row.counts['completed']}/{sum(row.counts.values())}"
    return [
        short(row.run_id),
        row.status,
        clean(run.runbook_path or run.runbook_name),
        ago(run.started_at, now),
        duration(run.duration_ms or None),  # an attempt that was killed has not been measured
        done,
        str(row.counts["failed"] or ""),
        str(row.counts["skipped"] or ""),
    ]


def _fields(row: RunRow) -> list[str]:
    run = row.metadata
    if run is None:
        return [row.run_id, row.status, *[""] * 7, clean(row.fault or "")]
    counts = [str(row.counts[name]) for name in ("completed", "failed", "skipped", "not_started")]
    path = clean(run.runbook_path or "")
    return [
        row.run_id,
        row.status,
        path,
        run.started_at,
        str(run.duration_ms),
        *counts,
        clean(row.fault or ""),
    ]


def _note(found: RunPage, status: str | None, url: str) -> str | None:
    total = found.total
    if not total:
        return f"no runs in {clean(url)} yet; `wct run RUNBOOK` starts one"
    if not found.matching:
        exist = "1 run exists" if total == 1 else f"{counted(total, 'run')} exist"
        return f"no {status} runs; {exist} (`wct runs` lists them)"
    if not found.left_out:
        return None
    damaged = found.damaged_left_out
    among = f", {damaged} of them cannot be read" if damaged else ""
    return f"{found.left_out:,} more{among}; --limit {found.matching} shows all"
