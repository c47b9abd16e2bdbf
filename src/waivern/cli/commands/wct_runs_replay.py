"""`wct runs replay`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from waivern.cli.commands.wct_runs_resume import resumed_by
from waivern.cli.ui.options import (
    examples,
    recorded_options,
    run_id_option,
    running_options,
)
from waivern.cli.ui.running import carry_out, exit_with, finish, store_with_runs
from waivern.cli.ui.screen import Screen
from waivern.cli.ui.typed_options import TypedOptions
from waivern.errors import Exit, worst
from waivern.record.text_forms import clean, counted, short

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.runs.compare import Pair
    from waivern.runs.result import RunResult
    from waivern.runs.run_options import RunOptions

WORDS = {"equal": "equal", "different": "DIFFERENT", "status": "DIFFERENT END", "open": "open"}


LOOKS = {"equal": "completed", "open": "not_started"}


@click.command(
    "replay",
    short_help="Repeat a run as a new run.",
    epilog=examples("wct runs replay @last --compare"),
)
@click.argument("run", metavar="RUN")
@click.option("--compare", is_flag=True, help="Report for each artifact whether it is equal.")
@run_id_option
@recorded_options
@running_options
def command(run: str, compare: bool, run_id: str | None, **more: Any) -> int:
    """Repeat RUN as a new run, with the runbook, children and parameters that RUN recorded.

    Every artifact is produced again, from the sources as they are now. Relative paths are resolved
    from the folder of the project. Artifacts that RUN reused from other runs are reused from the
    same runs. Secret parameters have to be set again.

    The exit code is that of a run. With --compare, a run that would exit with 0 exits with 6 if an
    artifact or its status is different.
    """
    from waivern.runs import queries
    from waivern.runs.compare import compare as compared
    from waivern.runs.locate import find_project
    from waivern.runs.replay import replay
    from waivern.runs.request import RunRequest
    from waivern.runs.run_references import find

    typed, project = TypedOptions(**more), find_project()
    store, params = store_with_runs(typed, project, "replay"), typed.supplied_params()
    before = find(store, run)

    def begin(options: RunOptions, _display: ProgressDisplay) -> RunResult:
        return replay(RunRequest(run=before, run_id=run_id, params=params), store, options)

    result, display = carry_out(typed, store, project, begin)
    pairs = compared(queries.load(store, before), result.record, store) if compare else []
    if any(pair.outcome in ("different", "status") for pair in pairs):
        result = replace(result, exit_code=worst(result.exit_code, Exit.POLICY))
    code = finish(
        typed,
        store,
        result,
        display,
        resumed_by,
        more={"comparison": [pair.document() for pair in pairs]} if compare else {},
        last=lambda out: _show(out, pairs, before),
    )
    return exit_with(result, code)


def _show(out: Screen, pairs: list[Pair], before: str) -> None:
    if not pairs:
        return
    equal = sum(pair.outcome == "equal" for pair in pairs)
    out.print(
        f"\ncompared with {short(before)}:  {equal:,} of {counted(len(pairs), 'artifact')} equal"
    )
    width = max(len(pair.artifact) for pair in pairs)
    for pair in pairs:
        text = f"{pair.artifact:{width}}  {WORDS[pair.outcome]}"
        if pair.outcome in ("status", "open"):
            text += f"  {pair.before or 'not there'} → {pair.after or 'not there'}"
        if pair.redacted:
            text += f"  (redacted in {short(before)})"
        sign = out.mark(LOOKS.get(pair.outcome, "failed"))
        out.print(f"  {sign} {clean(text)}")
