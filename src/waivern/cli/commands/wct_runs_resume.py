"""`wct runs resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from waivern.cli.ui.data_values import read_data
from waivern.cli.ui.options import (
    data_option,
    examples,
    recorded_options,
    resume_options,
    running_options,
    selection_options,
)
from waivern.cli.ui.running import carry_out, exit_with, finish, store_with_runs
from waivern.cli.ui.typed_options import TypedOptions
from waivern.cli.ui.user import user_name

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.runs.result import RunResult
    from waivern.runs.run_options import RunOptions


@click.command(
    "resume",
    epilog=examples("wct runs resume @last", "wct runs resume @last --data reviewed=true"),
)
@click.argument("run", metavar="RUN")
@data_option("Pass a value to the components that wait for data.")
@selection_options
@resume_options
@recorded_options
@running_options
def command(
    run: str,
    data: tuple[str, ...],
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    allow_changed: bool,
    ask_again: bool,
    force: bool,
    **more: Any,
) -> int:
    """Resume RUN with the runbook and children that it recorded.

    The runbook file may have changed, which is reported, or be missing. Parameters are those of the
    run; secret ones are never stored and have to be set again.

    If a single gate is waiting, --data approved=true (or false) is your decision.
    """
    from waivern.runs.locate import find_project
    from waivern.runs.request import RunRequest
    from waivern.runs.resume import resume
    from waivern.runs.selection import Selection

    typed, values, project = TypedOptions(**more), read_data(data), find_project()
    store, params = store_with_runs(typed, project, "resume"), typed.supplied_params()

    request = RunRequest(
        run=run,
        params=params,
        selection=Selection(select, exclude),
        data=values,
        by=user_name(),
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
    )

    def begin(options: RunOptions, _display: ProgressDisplay) -> RunResult:
        return resume(request, store, options)

    result, display = carry_out(typed, store, project, begin)
    return exit_with(result, finish(typed, store, result, display, resumed_by))


def resumed_by(run: str) -> list[str]:
    """Return the words that resume a run from its recorded runbook."""
    return ["wct", "runs", "resume", run]
