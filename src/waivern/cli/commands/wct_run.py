"""`wct run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from waivern.cli.ui.options import (
    annotation_options,
    examples,
    opened,
    resume_options,
    run_id_option,
    runbook_argument,
    running_options,
    selection_options,
    tag_option,
    trust_option,
)
from waivern.cli.ui.running import carry_out, exit_with, finish, reason_not_stored
from waivern.cli.ui.typed_options import TypedOptions
from waivern.errors import UsageError
from waivern.record.annotations import Annotations, pair

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.runs.result import RunResult
    from waivern.runs.run_options import RunOptions


@click.command(
    "run",
    epilog=examples(
        "wct run analysis.yaml -p region=eu",
        "wct run analysis.yaml --resume @last",
        "wct run analysis.yaml --select +report -o results",
    ),
)
@runbook_argument
@click.option(
    "--resume", metavar="RUN", help="Resume RUN: restore completed artifacts, produce the rest."
)
@selection_options
@resume_options
@click.option("--no-store", is_flag=True, help="Store nothing except what -o copies.")
@run_id_option
@tag_option
@annotation_options
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
    name: str | None,
    tags: tuple[str, ...],
    remark: str | None,
    meta: tuple[str, ...],
    **more: Any,
) -> int:
    """Run RUNBOOK, or resume a run of it.

    Ctrl-C waits for running artifacts, saves the state and exits with 130; a second Ctrl-C stops
    now. The run can be resumed in both cases, and after any crash.

    EXPR is the id of an artifact, a name that resolves to several, or a pattern with `*`; tag:WORD
    selects the artifacts with this tag. result:failed selects those that failed in the resumed run,
    result:failed@RUN those that failed in RUN; state:changed those whose definition is new since
    the last run of RUNBOOK. +EXPR adds all inputs, EXPR+ all dependants, 2+EXPR those within two
    steps. Commas separate several.
    """
    if resume is None:
        _only_with_resume(allow_changed, ask_again, force)
    if resume is not None and run_id is not None:
        raise UsageError(
            "--run-id cannot be combined with --resume", hint="omit --run-id: a run keeps its id"
        )
    annotations = Annotations(name or "", tags, remark or "", dict(map(pair, meta))).checked()
    if resume is not None and any(annotations):
        raise UsageError(
            "--name, --tag, --note and --meta are for a new run",
            hint="annotate a recorded run with `wct runs tag RUN`",
        )
    from waivern.runs.locate import find_project, refuse_not_stored
    from waivern.runs.request import RunRequest
    from waivern.runs.selection import Selection

    typed, project = TypedOptions(**more), find_project()
    off = reason_not_stored(typed.store, no_store, project)
    if resume is not None:
        refuse_not_stored(off, "resume")
    store = opened("memory:" if off else typed.store)
    request = RunRequest(
        source=runbook,
        run=resume,
        run_id=run_id,
        params=typed.supplied_params(),
        selection=Selection(select, exclude),
        allow_changed=allow_changed,
        force=force,
        ask_again=ask_again,
        annotations=annotations,
    )

    def begin(options: RunOptions, _display: ProgressDisplay) -> RunResult:
        if resume is None:
            from waivern.runs.start import start

            return start(request, store, options)
        from waivern.runs import resume as resuming

        return resuming.resume(request, store, options)

    def resume_command(run: str) -> list[str]:
        return ["wct", "run", runbook, "--resume", run]

    result, display = carry_out(typed, store, project, begin)
    code = finish(typed, store, result, display, resume_command)
    return exit_with(result, code)


def _only_with_resume(allow_changed: bool, ask_again: bool, force: bool) -> None:
    """Raise UsageError for an option that means nothing for a new run."""
    options = {
        "--allow-changed": allow_changed,
        "--ask-again": ask_again,
        "--force": force,
    }
    if typed := [name for name, is_set in options.items() if is_set]:
        raise UsageError(
            f"{typed[0]} requires --resume",
            hint="name the run, as in --resume @last, or omit the option",
        )
