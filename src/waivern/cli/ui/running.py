"""The attempt of a run, as every command that runs something carries it out and reports it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import opened
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.typed_options import TypedOptions
from waivern.errors import UsageError, worst
from waivern.record.text_forms import clean, clean_lines, near, short

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.cli.ui.screen import Screen
    from waivern.language.project import Project
    from waivern.message import Json
    from waivern.record.fold import RunRecord
    from waivern.runs.duration_history import DurationHistory
    from waivern.runs.exports import ExportOutcome
    from waivern.runs.result import RunResult
    from waivern.runs.run_options import RunOptions
    from waivern.runs.trust import ForeignRunError
    from waivern.store.base import RunStore

T = TypeVar("T")


def carry_out(
    typed: TypedOptions,
    store: RunStore,
    project: Project | None,
    begin: Callable[[RunOptions, ProgressDisplay], T],
) -> tuple[T, ProgressDisplay]:
    """Call `begin` while its progress is shown; return its result and the display.

    Code of another store's run that was not confirmed is confirmed on a terminal first.
    """
    from waivern.runs.trust import ForeignRunError

    exports = typed.prepared_exports(store, project)  # what is wrong with them is reported first
    try:
        result, display = _shown(typed, store, project, begin)
    except ForeignRunError as error:
        if not _confirmed(error, typed):
            raise
        trusting = typed._replace(trust_run=True)
        result, display = _shown(trusting, store, project, begin, confirmed=True)
    display.exports = exports
    return result, display


def _shown(
    typed: TypedOptions,
    store: RunStore,
    project: Project | None,
    begin: Callable[[RunOptions, ProgressDisplay], T],
    *,
    confirmed: bool = False,
) -> tuple[T, ProgressDisplay]:
    from waivern.cli.ui.progress import ProgressDisplay

    display = ProgressDisplay(
        quiet=typed.quiet,
        verbose=typed.verbose > 0,
        log_format=typed.log_format,
        answer_on_terminal=sys.stdout.isatty(),
    )
    display.history = partial(_history, store)
    at = ["--store", typed.store] if typed.store else []
    if store.folder is not None:
        display.again = lambda run: shlex.join(["wct", "runs", "resume", short(run), *at])
    options = typed.options(display, store, project)
    if confirmed:  # the person has just been shown what the code is
        options = options._replace(on_foreign=lambda _description: None)
    if store.folder and not typed.quiet and not Path(store.folder).is_dir():
        options = options._replace(
            on_start=_announced(store.folder, options.on_start, display.notice)
        )
    with display.shown():
        return begin(options, display), display


def _history(store: RunStore, record: RunRecord) -> DurationHistory:
    from waivern.runs.duration_history import DurationHistory

    run = record.metadata
    return DurationHistory(store, run.runbook_path, run.runbook_name)


def _confirmed(error: ForeignRunError, typed: TypedOptions) -> bool:
    """Ask on a terminal whether code of another store's run may be executed."""
    if typed.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    stderr().print(clean_lines(error.said))
    return click.confirm("Do you trust this run, and want to do that?", err=True)


def finish(
    typed: TypedOptions,
    store: RunStore,
    result: RunResult,
    display: ProgressDisplay,
    resume_command: Callable[[str], list[str]],
    *,
    more: Mapping[str, Json] | None = None,
    last: Callable[[Screen], None] = lambda _out: None,
) -> int:
    """Report the result of a run and return the exit code.

    `resume_command` returns the words that resume a run. `more` is added to the JSON document, and
    `last` writes below the summary.
    """
    from waivern.cli.ui import summary
    from waivern.cli.ui.error_output import explain

    code, restored = int(result.exit_code), display.restored
    if result.nothing_to_do:
        restored = frozenset(name for name, step in result.record.steps.items() if step.completed)
    command = resume_command(short(result.run_id))
    command += ["--force"] if result.status == "cancelled" else []
    command += ["--store", typed.store] if typed.store else []
    ended = summary.EndedAttempt(result, store, restored, command)
    if result.outputs and result.outputs.error:
        explain(result.outputs.error, as_json=False)
    for warning in result.warnings:
        stderr().print(f"warning: {clean(warning)}")
    outcomes = _exported(display, result)
    code = worst(code, *(each.error.exit_code for each in outcomes if each.error))
    if typed.as_json:
        document = {**summary.document(ended), **(more or {}), "exit_code": code}
        if outcomes:
            document["exports"] = [each.document() for each in outcomes]
        print_document("run", document)
    else:
        answered = any(each.path is None for each in outcomes)  # the export is the answer
        out = stderr() if answered else stdout()
        summary.show(out, ended)
        last(out)
    return code


def _exported(display: ProgressDisplay, result: RunResult) -> tuple[ExportOutcome, ...]:
    """Export the run that has ended, whatever its status; report it."""
    if display.exports is None:
        return ()
    from waivern.cli.ui.exporting import show

    outcomes = display.exports.written_after(result)
    show(stderr(), outcomes)
    return outcomes


def exit_with(result: RunResult, code: int) -> int:
    """Return the exit code; end the process here if a blocked thread would keep it alive."""
    if result.stuck:  # the interpreter would wait for the thread
        from waivern.plugins.child_processes import kill_all

        sys.stdout.flush()
        sys.stderr.flush()
        kill_all()
        os._exit(code)
    return code


def store_with_runs(typed: TypedOptions, project: Project | None, verb: str) -> RunStore:
    """Return the store whose run a command continues. Raises RefusedError if it keeps no runs."""
    from waivern.runs.locate import refuse_not_stored, why_not_stored

    refuse_not_stored(why_not_stored(typed.store, os.environ, project), verb)
    return opened(typed.store)


def reason_not_stored(typed: str | None, no_store: bool, project: Project | None) -> str | None:
    """Return the reason why no run is stored on the disk; None if runs are stored."""
    if no_store and typed is not None:
        raise UsageError("--no-store cannot be combined with --store", hint="omit one of the two")
    if no_store:
        return "--no-store"
    from waivern.runs.locate import why_not_stored

    return why_not_stored(typed, os.environ, project)


def _announced(
    folder: str, on_start: Callable[..., None], notice: Callable[[str], None]
) -> Callable[..., None]:
    """Return an `on_start` that first reports that the store in `folder` is new."""

    def start(*started: object) -> None:
        notice(f"new store: {near(folder)} (--store PATH names another)")
        on_start(*started)

    return start
