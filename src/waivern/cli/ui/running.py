"""The attempt of a run, as every command that runs something carries it out and reports it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import opened, supplied_params
from waivern.cli.ui.screen import screen, stderr, stdout
from waivern.errors import UsageError
from waivern.record.text_forms import clean, clean_lines, near, short

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.cli.ui.screen import Screen
    from waivern.language.project import Project
    from waivern.message import Json
    from waivern.runs.result import RunResult
    from waivern.runs.run_options import RunOptions
    from waivern.runs.run_params import RequestedParams
    from waivern.runs.trust import ForeignRunError
    from waivern.store.base import RunStore

T = TypeVar("T")


class TypedOptions(NamedTuple):
    """The values of `running_options` on the command line."""

    params: tuple[str, ...]
    params_file: str | None
    output: str | None
    store: str | None
    max_concurrency: int | None
    executor: str | None
    fail_fast: bool
    max_failures: int | None
    fail_on: tuple[str, ...]
    min_coverage: float | None
    min_recall: float | None
    no_cache: bool
    refresh: tuple[str, ...]
    grace: float | None
    as_json: bool
    quiet: bool
    verbose: int
    base: str | None = None
    trust_run: bool = False

    def __repr__(self) -> str:
        return type(self).__name__  # the parameters may be secrets

    def supplied_params(self) -> RequestedParams:
        """Return the parameters. Raises UsageError, InvalidError and NotFoundError."""
        return supplied_params(self.params, self.params_file)

    def options(
        self, display: ProgressDisplay, where: RunStore, project: Project | None
    ) -> RunOptions:
        """Return the options of the attempt."""
        from waivern.runs.run_options import DEFAULT_GRACE_S, RunOptions, fraction

        if self.fail_fast and self.max_failures not in (None, 1):
            raise UsageError("--fail-fast is --max-failures 1", hint="use one of the two")
        return RunOptions(
            environ=dict(os.environ),
            project=project,
            max_concurrency=self.max_concurrency,
            executor=self.executor,
            max_failures=1 if self.fail_fast else self.max_failures,
            cache=False if self.no_cache else None,
            refresh=frozenset(self.refresh),
            min_coverage=None if self.min_coverage is None else fraction(self.min_coverage),
            min_recall=None if self.min_recall is None else Fraction(str(self.min_recall)),
            fail_on=self.fail_on,
            output=self._usable_output(where),
            grace_s=DEFAULT_GRACE_S if self.grace is None else self.grace,
            listen=True,
            observers=display.observers,
            on_progress=display.progress,
            on_stop=display.stopping,
            on_wait=display.waiting,
            on_output=display.output,
            on_log=display.log_to,
            on_secrets=display.redact,
            on_start=partial(display.start, where=near(where.url)),
            base=self.base,
            trust_run=self.trust_run,
            on_foreign=partial(_describe, screen(display.err)),  # sys.stderr is another meanwhile
        )

    def _usable_output(self, where: RunStore) -> str | None:
        if self.output is None:
            return None
        from waivern.runs.output_delivery import usable  # most runs deliver nothing

        return usable(self.output, where)


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

    try:
        return _shown(typed, store, project, begin)
    except ForeignRunError as error:
        if not _confirmed(error, typed):
            raise
    return _shown(typed._replace(trust_run=True), store, project, begin, confirmed=True)


def _shown(
    typed: TypedOptions,
    store: RunStore,
    project: Project | None,
    begin: Callable[[RunOptions, ProgressDisplay], T],
    *,
    confirmed: bool = False,
) -> tuple[T, ProgressDisplay]:
    from waivern.cli.ui.progress import ProgressDisplay

    display = ProgressDisplay(quiet=typed.quiet, verbose=typed.verbose > 0)
    at = ["--store", typed.store] if typed.store else []
    if store.folder is not None:
        display.again = lambda run: shlex.join(["wct", "runs", "resume", short(run), *at])
    options = typed.options(display, store, project)
    if confirmed:  # the person has just been shown what the code is
        options = options._replace(on_foreign=lambda _description: None)
    if store.folder and not typed.quiet and not Path(store.folder).is_dir():
        options = options._replace(
            on_start=_announced(store.folder, options.on_start, screen(display.err))
        )
    with display.shown():
        return begin(options, display), display


def _describe(err: Screen, description: str) -> None:
    err.print(clean_lines(description))


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
    if typed.as_json:
        print_document("run", {**summary.document(ended), **(more or {}), "exit_code": code})
    else:
        summary.show(stdout(), ended)
        last(stdout())
    return code


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


def _announced(folder: str, on_start: Callable[..., None], err: Screen) -> Callable[..., None]:
    """Return an `on_start` that first reports that the store in `folder` is new."""

    def start(*started: object) -> None:
        err.print(f"new store: {clean(near(folder))} (--store PATH names another)")
        on_start(*started)

    return start
