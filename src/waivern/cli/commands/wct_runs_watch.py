"""`wct runs watch`."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.options import examples, json_option, opened, progress_options, store_option
from waivern.record.status import RunStatus
from waivern.record.text_forms import near, short

if TYPE_CHECKING:
    from waivern.cli.ui.event_lines import LogFormat
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore


@click.command(
    "watch",
    short_help="Follow a run of another process.",
    epilog=examples("wct runs watch @last", "wct runs watch @last --log-format json"),
)
@click.argument("run", metavar="RUN")
@progress_options
@json_option
@store_option
def command(
    run: str, *, quiet: bool, verbose: int, log_format: LogFormat, as_json: bool, store: str | None
) -> int:
    """Show the progress of RUN until it has ended, then its summary.

    The exit code is the one that the run ended with, policies apart: 130 if its process died. A run
    that has ended is summarised at once. Ctrl-C ends the command, not the run.
    """
    from waivern.cli.ui import summary
    from waivern.cli.ui.json_output import print_document
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.cli.ui.screen import stdout
    from waivern.runs import queries
    from waivern.runs.duration_history import DurationHistory
    from waivern.runs.recorded_result import recorded_result
    from waivern.runs.run_references import find

    where = opened(store)
    record = queries.load(where, find(where, run))
    at = ["--store", store] if store else []
    if record.metadata.status is RunStatus.RUNNING and record.vouched:
        display = ProgressDisplay(
            quiet=quiet,
            verbose=verbose > 0,
            log_format=log_format,
            answer_on_terminal=sys.stdout.isatty(),
        )
        display.again = lambda run_id: shlex.join(["wct", "runs", "watch", short(run_id), *at])
        display.interrupted = "the run continues"
        display.history = lambda found: DurationHistory(
            where, found.metadata.runbook_path, found.metadata.runbook_name
        )
        with display.shown():
            _follow(where, record, display)
        record = queries.load(where, record.metadata.run_id)
    result = recorded_result(where, record)
    restored = frozenset(
        name
        for name, step in record.steps.items()
        if step.completed and name not in record.executed
    )
    resume = ["wct", "runs", "resume", short(result.run_id), *at]
    ended = summary.EndedAttempt(result, where, restored, resume)
    if as_json:
        print_document("run", summary.document(ended))
    else:
        summary.show(stdout(), ended)
    return int(result.exit_code)


def _follow(where: RunStore, record: RunRecord, display: ProgressDisplay) -> None:
    """Show a live run until it ends, or until another process resumes it."""
    from waivern.record.journal_events import AttemptStartedRecord
    from waivern.runs.follow import RunFollower
    from waivern.runs.queries import elapsed_ms

    def needs() -> dict[str, list[str]]:
        inputs = record.processors
        return {
            name: [each for each in inputs.get(name, ()) if each in record.steps]
            for name in record.steps
        }

    elapsed_s = elapsed_ms(record.metadata.attempts[-1]["started_at"]) / 1000
    display.follow(record, near(where.url), lambda _name: "", needs, elapsed_s)
    follower = RunFollower(where, record)
    while True:
        news = follower.look()
        for seq, event in news.events:
            if isinstance(event, AttemptStartedRecord):
                return
            display.observe(seq, event)
        for name, progress in news.progress.items():
            display.progress(name, progress)
        if not news.live:
            return
        if not news.events:
            time.sleep(follower.interval)
