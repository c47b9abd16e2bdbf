"""`wct runs approve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from waivern.cli.commands.wct_runs_resume import resumed_by
from waivern.cli.ui.data_values import read_data
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    by_option,
    data_option,
    examples,
    note_option,
    recorded_options,
    running_options,
)
from waivern.cli.ui.running import carry_out, exit_with, finish, store_with_runs
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.typed_options import TypedOptions
from waivern.cli.ui.user import user_name
from waivern.errors import Exit, UsageError
from waivern.record.text_forms import clean, short

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.message import Json
    from waivern.record.journal_events import GateDecidedRecord
    from waivern.runs.resume import Decided
    from waivern.runs.run_options import RunOptions


@click.command(
    "approve",
    short_help="Record a decision at a gate, then resume the run.",
    epilog=examples(
        "wct runs approve @last --note 'checked by legal'",
        "wct runs approve @last/publish --reject --by ann",
    ),
)
@click.argument("run", metavar="RUN[/GATE]")
@click.option(
    "--reject", is_flag=True, help="Reject: the gate fails, and its dependants are skipped."
)
@by_option
@note_option
@data_option("Pass a value to the artifacts behind the gate.")
@click.option(
    "--shown",
    metavar="ARTIFACT=DIGEST",
    multiple=True,
    help="Refuse unless the gate shows exactly these artifacts.  [default: not checked]",
)
@click.option("--no-resume", is_flag=True, help="Record the decision only.")
@recorded_options
@running_options
def command(
    run: str,
    reject: bool,
    by: str | None,
    note: str | None,
    data: tuple[str, ...],
    shown: tuple[str, ...],
    no_resume: bool,
    **more: Any,
) -> int:
    """Record a decision at a gate of RUN, then resume the run.

    RUN is enough if a single gate is waiting. The decision is durable before the run is resumed: it
    records the person, the time and the digest of each artifact shown. It is refused with exit 9 if
    one of these artifacts has changed since the question was asked.

    The exit code is that of the resumed run, 7 if more people have to approve, or 0 with
    --no-resume.
    """
    from waivern.runs.decisions import Decision
    from waivern.runs.locate import find_project
    from waivern.runs.request import RunRequest
    from waivern.runs.resume import approve

    typed, project = TypedOptions(**more), find_project()
    decision = Decision(
        not reject, user_name() if by is None else by, note, read_data(data), _digests(shown)
    )
    store, params = store_with_runs(typed, project, "decide on"), typed.supplied_params()
    if no_resume and typed.output is not None:
        raise UsageError("--no-resume cannot be combined with -o", hint="omit one of the two")

    def begin(options: RunOptions, display: ProgressDisplay) -> Decided:
        def on_decided(event: GateDecidedRecord) -> None:
            if not no_resume:
                display.notice(_described(event))

        request = RunRequest(run=run, params=params)
        return approve(
            request, decision, store, options, resume=not no_resume, on_decided=on_decided
        )

    decided, display = carry_out(typed, store, project, begin)
    document = {"decision": _document(decided)}
    if decided.result is not None:
        result = decided.result
        code = finish(typed, store, result, display, resumed_by, more=document)
        return exit_with(result, code)
    if typed.as_json:
        print_document("approve", document["decision"])
    else:
        stdout().print(f"{decided.run_id}/{clean(_described(decided.event))}")
        _print_next(decided, typed.store)
    return Exit.OK if no_resume else Exit.SUSPENDED


def _digests(typed: tuple[str, ...]) -> dict[str, str] | None:
    """Return the digests of --shown by artifact; None if there are none. Raises UsageError."""
    found = {}
    for each in typed:
        name, equals, digest = each.partition("=")
        if not equals:
            raise UsageError(f"--shown {each[:200]!r} has no digest", hint="write ARTIFACT=DIGEST")
        found[name] = digest
    return found or None


def _described(event: GateDecidedRecord) -> str:
    word = "approved" if event.approved else "rejected"
    note = f": {event.note}" if event.note else ""
    return f"{event.artifact}  {word} by {event.by}{note}"


def _print_next(decided: Decided, store: str | None) -> None:
    run, more = short(decided.run_id), f" --store {store}" if store else ""
    if decided.missing:
        people = (
            "1 more person has" if decided.missing == 1 else f"{decided.missing} more people have"
        )
        text = f"{people} to approve it:  wct runs approve {run}/{decided.event.artifact} --by WHO"
    else:
        text = f"next:  wct runs resume {run}"
    stderr().print(clean(text + more))


def _document(decided: Decided) -> dict[str, Json]:
    event = decided.event
    return {
        "run_id": decided.run_id,
        "gate": event.artifact,
        "approved": event.approved,
        "by": event.by,
        "at": event.at,
        "note": event.note,
        "data": event.data,
        "shown": event.shown,
        "missing": decided.missing,
    }
