"""`wct runs stats`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    examples,
    filter_options,
    json_option,
    opened,
    run_filter,
    store_option,
)
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.record.text_forms import clean, counted, duration
from waivern.runs import history
from waivern.runs.statistics import (
    SLOWEST,
    ArtifactStatistics,
    By,
    RunbookStatistics,
    RunTotals,
    Statistics,
    statistics,
)


class Period(NamedTuple):
    """One row of the table over time."""

    runbook: str
    name: str
    totals: RunTotals


class SlowArtifact(NamedTuple):
    """One row of the table of artifacts."""

    runbook: str
    found: ArtifactStatistics


def _rate(totals: RunTotals) -> str:
    return "" if totals.failure_rate is None else f"{totals.failure_rate:.0%}"


def _time(read: Callable[[Any], int | None]) -> Callable[[Any], str]:
    return lambda record: duration(read(record) or None)


RUNBOOKS = Records[RunbookStatistics](
    Column("runbook", lambda each: each.runbook, "RUNBOOK", flexible=True, keep_end=True),
    Column("runs", lambda each: each.totals.runs, "RUNS"),
    Column("success", lambda each: each.totals.success),
    Column("failed", lambda each: each.totals.failed, "FAILED", drop=4),
    Column("stopped", lambda each: each.totals.stopped, "STOPPED", drop=1),
    Column(
        "failure_rate",
        lambda each: each.totals.failure_rate,
        "FAIL %",
        shown=lambda each: _rate(each.totals),
    ),
    Column(
        "median_ms",
        lambda each: each.totals.median_ms,
        "MEDIAN",
        shown=_time(lambda each: each.totals.median_ms),
    ),
    Column(
        "p95_ms",
        lambda each: each.totals.p95_ms,
        "P95",
        shown=_time(lambda each: each.totals.p95_ms),
        drop=3,
    ),
    Column("copied", lambda each: each.copied, "CACHED", drop=2),
    Column("saved_ms", lambda each: each.saved_ms, "SAVED", shown=_time(lambda e: e.saved_ms)),
    document=RunbookStatistics.document,
)
PERIODS = Records[Period](
    Column("period", lambda each: each.name, "PERIOD"),
    Column("runbook", lambda each: each.runbook, "RUNBOOK", flexible=True, keep_end=True),
    Column("runs", lambda each: each.totals.runs, "RUNS"),
    Column("failed", lambda each: each.totals.failed, "FAILED"),
    Column(
        "rate", lambda each: each.totals.failure_rate, "FAIL %", shown=lambda e: _rate(e.totals)
    ),
    Column(
        "median", lambda e: e.totals.median_ms, "MEDIAN", shown=_time(lambda e: e.totals.median_ms)
    ),
)
ARTIFACTS = Records[SlowArtifact](
    Column("artifact", lambda each: each.found.artifact, "ARTIFACT", flexible=True),
    Column("runbook", lambda each: each.runbook, "RUNBOOK", drop=1),
    Column("produced", lambda each: len(each.found.produced_ms), "PRODUCED", drop=3),
    Column("copied", lambda each: len(each.found.copied_ms), "CACHED", drop=2),
    Column("failed", lambda each: each.found.failures, "FAILED"),
    Column(
        "median", lambda e: e.found.median_ms, "MEDIAN", shown=_time(lambda e: e.found.median_ms)
    ),
)


@click.command(
    "stats",
    short_help="Show durations, failure rates and what the cache saved.",
    help=f"""Show how the runs of each runbook ended, how long they took, and what copies saved.

    The rate is the part of the runs with success or failure that failed. Median and 95th percentile
    are those of completed runs; of a resumed run, of its last attempt. The saved time is an
    estimate: what producing an artifact takes as a rule, less what its copies took. On a terminal,
    tables over time and of the slowest artifacts follow; --json has all of them.
    {RUNBOOKS.pipe_help}
    """,
    epilog=examples("wct runs stats --since 90d", "wct runs stats --runbook analysis --by week"),
)
@filter_options
@click.option(
    "--by",
    "period",
    type=click.Choice(get_args(By)),
    metavar="PERIOD",
    help="Show a row for each day, week or month; default: what fits the runs.",
)
@json_option
@store_option
def command(period: By | None, as_json: bool, store: str | None, **typed: Any) -> None:
    """Show statistics of the runs."""
    wanted = run_filter(None, **typed)
    where = opened(store)
    found = history.rows(where)
    for warning in found.warnings:
        stderr().print(f"warning: {clean(warning)}")
    chosen = history.chosen(found.rows, wanted)
    about = statistics(where, chosen, period)
    if as_json:
        documents = RUNBOOKS.documents(about.runbooks)
        print_document(
            "stats",
            {
                "runs": len(chosen),
                "journals": about.journals,
                "by": about.by,
                "runbooks": documents,
            },
        )
        return
    out = stdout()
    RUNBOOKS.show(out, about.runbooks)
    if out.tty:
        _more(out, about)
    if not chosen:
        every = counted(len(found.rows), "run")
        stderr().print(f"no run that ended matches; the history has {every}")


def _more(out: Screen, about: Statistics) -> None:
    """Write the tables over time and of the slowest artifacts."""
    periods = [
        Period(each.runbook, name, totals)
        for each in about.runbooks
        for name, totals in each.periods.items()
    ]
    periods.sort(key=lambda each: (each.name, each.runbook))
    slowest = [
        SlowArtifact(each.runbook, one)
        for each in about.runbooks
        for one in each.artifacts[:SLOWEST]
    ]
    slowest.sort(key=lambda each: -(each.found.median_ms or 0))
    if periods:
        out.print()
        PERIODS.show(out, periods)
    if slowest:
        out.print()
        ARTIFACTS.show(out, slowest)
        out.print(out.paint(f"artifacts of the newest {counted(about.journals, 'run')}", "dim"))
