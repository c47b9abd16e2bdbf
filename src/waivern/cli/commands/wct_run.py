"""`wct run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from waivern.cli.ui.options import opened
from waivern.cli.ui.running import (
    TypedOptions,
    carry_out,
    finish,
    leave,
    running_options,
    trust_option,
    why_unkept,
)
from waivern.errors import UsageError

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.runs.attempt import RunOptions
    from waivern.runs.result import RunResult


@click.command("run")
@click.argument("runbook")
@click.option(
    "--resume", metavar="RUN", help="Resume RUN: restore completed artifacts, produce the rest."
)
@click.option("--select", metavar="EXPR", multiple=True, help="Produce only these artifacts.")
@click.option("--exclude", metavar="EXPR", multiple=True, help="Do not produce these artifacts.")
@click.option("--allow-changed", is_flag=True, help="Resume even if the runbook has changed.")
@click.option("--ask-again", is_flag=True, help="Resume, and ask for new decisions at the gates.")
@click.option("--force", is_flag=True, help="Resume even if the run was cancelled.")
@click.option("--no-store", is_flag=True, help="Store nothing except what -o copies.")
@click.option("--run-id", metavar="ID", help="Use ID for the new run instead of a random one.")
@trust_option
@running_options
def command(
    runbook: str,
    resume: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    allow_changed: bool,
    ask_again: bool,
    force: bool,
    no_store: bool,
    run_id: str | None,
    **more: Any,
) -> int:
    """Run RUNBOOK, or resume a run of it.

    Ctrl-C waits for running artifacts, saves the state and exits with 130; a second one stops now.
    The run can be resumed either way, and after any crash.

    EXPR is the id of an artifact, a name that stands for several, or a pattern with `*`; or
    result:failed, for those that failed in the run that is resumed, result:failed@RUN in another.
    A + before it takes all that it needs, a + behind it all that is made from it.
    """
    if resume is None:
        _only_with_resume(allow_changed, ask_again, force, more["trust_run"])
    if resume is not None and run_id is not None:
        raise UsageError(
            "--run-id cannot be combined with --resume", hint="omit --run-id: a run keeps its id"
        )
    from waivern.runs.locate import find_project, refuse_unkept
    from waivern.runs.selection import Selection

    typed, project = TypedOptions(**more), find_project()
    off = why_unkept(typed.store, no_store, project)
    if resume is not None:
        refuse_unkept(off, "resume")
    store = opened("memory:" if off else typed.store)
    params, selection = typed.given(), Selection(select, exclude)

    def begin(options: RunOptions, _eyes: ProgressDisplay) -> RunResult:
        if resume is None:
            from waivern.runs.start import start

            return start(runbook, store, options, run_id=run_id, params=params, selection=selection)
        from waivern.runs import rerun

        return rerun.resume(
            runbook,
            resume,
            store,
            options,
            allow_changed=allow_changed,
            force=force,
            ask_again=ask_again,
            params=params,
            selection=selection,
        )

    result, eyes = carry_out(typed, store, project, begin)
    code = finish(typed, store, result, eyes, lambda run: ["wct", "run", runbook, "--resume", run])
    return leave(result, code)


def _only_with_resume(allow_changed: bool, ask_again: bool, force: bool, trust_run: bool) -> None:
    """Raise UsageError for an option that means nothing for a new run."""
    options = {
        "--allow-changed": allow_changed,
        "--ask-again": ask_again,
        "--force": force,
        "--trust-run": trust_run,
    }
    if typed := [name for name, is_set in options.items() if is_set]:
        raise UsageError(
            f"{typed[0]} requires --resume",
            hint="name the run, as in --resume @last, or omit the option",
        )
