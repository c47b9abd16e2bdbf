"""`wct runs list`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    examples,
    filter_options,
    json_option,
    opened,
    run_filter,
    status_option,
    store_option,
)
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.errors import Exit
from waivern.message import Json
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import RECORDED, ArtifactStatus, DamagedStatus, RunStatus
from waivern.record.text_forms import ago, clean, clip, counted, duration, listed, short, size
from waivern.runs.listing import SORTS, RunFilter, RunPage, page
from waivern.runs.queries import RunRow, with_artifacts_at_work

if TYPE_CHECKING:
    from waivern.record.annotations import Annotations

STATUSES = tuple(map(str, (*RunStatus, *DamagedStatus)))


def _head(read: Callable[[RunMetadata], Json]) -> Callable[[RunRow], Json]:
    """Return the value of a column, which is null for a run whose run.json cannot be read."""
    return lambda row: None if row.metadata is None else read(row.metadata)


def _annotations(row: RunRow) -> Annotations | None:
    """Return the annotations of a run; None if it has none."""
    if row.metadata is None or not row.metadata.metadata:
        return None
    from waivern.record.annotations import Annotations  # most lists show none

    return Annotations.recorded(row.metadata.metadata)


def _name(row: RunRow) -> str | None:
    found = _annotations(row)
    return found.name or None if found else None


def _tags(row: RunRow) -> list[str] | None:
    found = _annotations(row)
    return list(found.tags) or None if found else None


def _counts() -> Iterator[Column[RunRow]]:
    """Yield a column for each status by which artifacts are counted."""
    statuses = [status for status in RECORDED if status.column is not None]
    for number, status in enumerate(statuses):
        yield Column(
            str(status),
            _count(status),
            status.column or None,
            shown=_progress if status is ArtifactStatus.COMPLETED else _unless_zero(status),
            drop=5 if status is ArtifactStatus.COMPLETED else len(statuses) - number,
        )


def _count(status: ArtifactStatus) -> Callable[[RunRow], Json]:
    return lambda row: row.counts.get(status)


def _progress(row: RunRow) -> str:
    done = row.counts.get(ArtifactStatus.COMPLETED)
    return "" if done is None else f"{done}/{sum(row.counts.values())}"


def _unless_zero(status: ArtifactStatus) -> Callable[[RunRow], str]:
    return lambda row: str(row.counts.get(status) or "")


def _took(row: RunRow) -> str:
    # an attempt that was killed has not been measured
    return duration(row.metadata.duration_ms or None) if row.metadata else ""


def _holds(row: RunRow) -> str:
    if row.metadata is None:
        return ""
    held = row.metadata.holds_bytes
    return size(held) if held else "redacted" if row.metadata.redacted_count else ""


RUNS = Records[RunRow](
    Column("run", lambda row: row.run_id, "RUN", shown=lambda row: short(row.run_id)),
    Column("status", lambda row: row.status, "STATUS", painted=True),
    Column(
        "runbook",
        _head(lambda run: run.runbook_path),
        "RUNBOOK",
        shown=lambda row: row.metadata.called if row.metadata else "",
        flexible=True,
        keep_end=True,
    ),
    Column(
        "started",
        _head(lambda run: run.started_at),
        "STARTED",
        shown=lambda row: ago(row.metadata.started_at, time.time()) if row.metadata else "",
        drop=6,
    ),
    Column("milliseconds", _head(lambda run: run.duration_ms), "TOOK", shown=_took, drop=4),
    *_counts(),
    Column(
        "running",
        lambda row: [f"{name} {duration(ms)}" for name, ms in row.at_work],
        "RUNNING",
        shown=lambda row: listed([f"{n} {duration(ms)}" for n, ms in row.at_work], 2),
        drop=2,
        if_any=True,
        piped=False,
    ),
    Column("fault", lambda row: row.fault),
    Column("holds", _head(lambda run: run.holds_bytes), "HOLDS", shown=_holds, drop=1),
    Column("redacted", _head(lambda run: run.redacted_count)),
    Column(
        "name", _name, "NAME", shown=lambda row: clip(_name(row) or "", 24), drop=1, if_any=True
    ),
    Column(
        "tags",
        _tags,
        "TAGS",
        shown=lambda row: clip(", ".join(_tags(row) or ()), 24),
        drop=1,
        if_any=True,
    ),
    document=RunRow.document,
)


@click.command(
    "list",
    help=f"""List the runs, newest first. Exit with 74 if one of them cannot be read.

    {RUNS.pipe_help}
    """,
    epilog=examples(
        "wct runs list --status failed --limit 5",
        "wct runs list --since 7d --sort duration",
    ),
)
@status_option("status", STATUSES, "Show only runs with this status.")
@filter_options
@click.option(
    "--sort",
    type=click.Choice(tuple(SORTS)),
    default="started",
    metavar="KEY",
    help=f"Sort by KEY: {', '.join(SORTS)}; times and durations greatest first; default: started.",
)
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
def command(
    status: str | None, sort: str, limit: int, as_json: bool, store: str | None, **typed: Any
) -> int:
    """List the runs."""
    wanted = run_filter(status, **typed)
    where = opened(store)
    found = page(where, wanted, limit=limit, sort=sort)
    rows = [with_artifacts_at_work(where, row) for row in found.rows]
    out = stdout()
    if as_json:
        print_document("runs", RUNS.documents(rows))
    else:
        RUNS.show(out, rows)
        if out.tty:
            _explain(out, found.rows)
    if note := _note(found, wanted, where.url):
        stderr().print(note)
    if not found.unreadable:
        return Exit.OK
    stderr().print("warning: some runs cannot be read now; this does not mean that they are lost")
    stderr().print("  = help: see the reason in the list, then type `wct runs` again")
    return Exit.STORE


def _explain(out: Screen, rows: Iterable[RunRow]) -> None:
    """Write below the table why runs are waiting or cannot be read."""
    for row in rows:
        waiting = row.metadata and row.status == RunStatus.SUSPENDED
        if why := row.fault or (waiting and row.metadata and row.metadata.suspension_reason):
            name = row.run_id if row.fault else short(row.run_id)
            out.print(f"{out.mark(row.status)} {name}  {clip(clean(why), 500)}")


def _note(found: RunPage, wanted: RunFilter, url: str) -> str | None:
    total = found.total
    if not total:
        return f"no runs in {clean(url)} yet; `wct run RUNBOOK` starts one"
    if not found.matching:
        exist = "1 run exists" if total == 1 else f"{counted(total, 'run')} exist"
        if wanted == RunFilter(wanted.status):
            return f"no {wanted.status} runs; {exist} (`wct runs` lists them)"
        return f"no run matches; {exist} (`wct runs` lists them)"
    if not found.left_out:
        return None
    damaged = found.damaged_left_out
    among = f", {damaged} of them cannot be read" if damaged else ""
    return f"{found.left_out:,} more{among}; --limit {found.matching} shows all"
