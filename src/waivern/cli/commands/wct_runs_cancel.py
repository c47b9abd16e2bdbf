"""`wct runs cancel`."""

from __future__ import annotations

import time

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    by_option,
    examples,
    json_option,
    note_option,
    opened,
    store_option,
)
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.user import user_name
from waivern.clock import Clock
from waivern.errors import Exit, RefusedError
from waivern.record.status import RunStatus
from waivern.runs.cancel import cancel
from waivern.runs.queries import look
from waivern.runs.run_references import find


@click.command("cancel", epilog=examples("wct runs cancel @last --note 'wrong region'"))
@click.argument("run", metavar="RUN")
@by_option
@note_option
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait at most SECONDS for the run to stop.",
)
@json_option
@store_option
def command(
    run: str, by: str | None, note: str | None, wait: float, as_json: bool, store: str | None
) -> int:
    """Cancel a run, and wait until it has stopped.

    No more artifacts are started; running ones have a few seconds to finish. The journal records
    who cancelled the run. A cancelled run is resumed only with --force. The exit code is 8 if the
    run is still running after --wait; --wait 0 does not wait.
    """
    where = opened(store)
    run_id = find(where, run)
    who, deadline = by or user_name(), time.monotonic() + wait
    done = cancel(where, run_id, who, note, Clock())
    while not done and time.monotonic() < deadline:
        time.sleep(where.watch_s)
        try:  # again: a run that has only just started drops the request; a dead one is closed
            done = cancel(where, run_id, who, note, Clock())
        except RefusedError:
            done = True  # it has ended
    status = look(where, run_id).status
    if as_json:
        print_document("cancel", {"run_id": run_id, "status": str(status)})
    else:
        stdout().print(f"{run_id}\t{status}")
    if status != RunStatus.RUNNING:
        return Exit.OK
    if not as_json:
        stderr().print(
            f"the run was asked to stop and is still running; next:  wct inspect {run_id}"
        )
    return Exit.TIMEOUT if wait else Exit.OK
