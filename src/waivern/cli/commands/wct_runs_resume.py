"""`wct runs resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from waivern.cli.ui.data import data_option, read_data
from waivern.cli.ui.running import (
    TypedOptions,
    carry_out,
    finish,
    kept_options,
    kept_store,
    leave,
    running_options,
)
from waivern.cli.ui.user import user_name

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.runs.attempt import RunOptions
    from waivern.runs.result import RunResult


@click.command("resume")
@click.argument("run", metavar="RUN")
@data_option("For what waits: JSON if it can be read so, else text.")
@click.option("--select", metavar="EXPR", multiple=True, help="Produce only these artifacts.")
@click.option("--exclude", metavar="EXPR", multiple=True, help="Do not produce these artifacts.")
@click.option("--allow-changed", is_flag=True, help="Resume even if parameters have changed.")
@click.option("--ask-again", is_flag=True, help="Ask for new decisions at the gates.")
@click.option("--force", is_flag=True, help="Resume even if the run was cancelled.")
@kept_options
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

    It also works if the files have changed, which it reports, or are gone. Parameters are those of
    the run; secret ones are never stored and have to be given again.

    --data is passed to the components that wait for data. If a single gate is waiting,
    --data approved=true (or false) is your decision.
    """
    from waivern.runs import rerun
    from waivern.runs.locate import find_project
    from waivern.runs.selection import Selection

    typed, handed_over, project = TypedOptions(**more), read_data(data), find_project()
    store, params = kept_store(typed, project, "resume"), typed.given()

    def begin(options: RunOptions, _eyes: ProgressDisplay) -> RunResult:
        return rerun.resume(
            None,
            run,
            store,
            options,
            allow_changed=allow_changed,
            force=force,
            ask_again=ask_again,
            params=params,
            data=handed_over,
            selection=Selection(select, exclude),
            by=user_name(),
        )

    result, eyes = carry_out(typed, store, project, begin)
    return leave(result, finish(typed, store, result, eyes, resumed_by))


def resumed_by(run: str) -> list[str]:
    """Return the words that resume a run from what it kept."""
    return ["wct", "runs", "resume", run]
