"""What all commands share that carry out an attempt: their options, the run, its end."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import screen, stderr, stdout
from waivern.cli.ui.text import clean, clean_lines, short
from waivern.errors import UsageError
from waivern.files import current_folder

if TYPE_CHECKING:
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.cli.ui.screen import Screen
    from waivern.language.project import Project
    from waivern.message import Json
    from waivern.runs.attempt import RunOptions
    from waivern.runs.result import RunResult
    from waivern.runs.run_params import GivenParams
    from waivern.runs.trust import ForeignRunError
    from waivern.store.base import RunStore

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def _finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("it must be a number of seconds")
    return value


def _percentage(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Return a number from 0 to 100; the sign behind it may be left out."""
    if value is None:
        return None
    try:
        number = float(value.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise click.BadParameter(f"{value!r} is not a percentage from 0 to 100")
    return number


_OPTIONS = (
    click.option(
        "-p", "--param", "params", metavar="KEY=VALUE", multiple=True, help="Set a parameter."
    ),
    click.option(
        "--params", "params_file", metavar="FILE", help="Read parameters from a YAML or JSON file."
    ),
    click.option(
        "-o", "--output", metavar="DIR", help="Copy the artifacts marked `output: true` to DIR."
    ),
    store_option,
    click.option(
        "--max-concurrency",
        type=click.IntRange(1),
        metavar="N",
        help="Run at most N artifacts at once.",
    ),
    click.option(
        "--fail-fast", is_flag=True, help="Stop starting artifacts after the first failure."
    ),
    click.option(
        "--max-failures",
        type=click.IntRange(1),
        metavar="N",
        help="Stop starting artifacts after N failures.",
    ),
    click.option(
        "--fail-on",
        metavar="CONDITION",
        multiple=True,
        help="Exit with 6 if CONDITION is true at the end, as in \"status.scan == 'skipped'\".",
    ),
    click.option(
        "--min-coverage",
        metavar="PERCENT",
        callback=_percentage,
        help="Exit with 6 if less than PERCENT of any source was examined.",
    ),
    click.option("--no-cache", is_flag=True, help="Ignore cached results."),
    click.option(
        "--refresh",
        metavar="ARTIFACT",
        multiple=True,
        help="Rebuild ARTIFACT, ignoring its cached result.",
    ),
    click.option(
        "--grace",
        type=click.FloatRange(0),
        metavar="SECONDS",
        callback=_finite,
        help="Wait at most SECONDS for running artifacts after a signal.",
    ),
    json_option,
    click.option("-q", "--quiet", is_flag=True, help="Do not show progress."),
    click.option(
        "-v",
        "--verbose",
        count=True,
        help="Show more progress; -vv: also tracebacks of internal errors.",
    ),
)


def given(params: tuple[str, ...], params_file: str | None) -> GivenParams:
    """Return what was typed for parameters. Raises UsageError, InvalidError, NotFoundError."""
    from waivern.language.given_params import read_file, typed
    from waivern.runs.run_params import GivenParams

    values = read_file(params_file) if params_file is not None else {}
    return GivenParams(typed(params), values, params_file)


def running_options(command: F) -> F:
    """Add the options of a Typed."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def kept_options(command: F) -> F:
    """Add the options of commands that run what a run kept."""
    command = trust_option(command)
    text = "Resolve relative paths from DIR, if the project was moved."
    return click.option("--base", metavar="DIR", help=text)(command)


def trust_option(command: F) -> F:
    """Add `--trust-run`."""
    text = "Allow a run of another store to execute code."
    return click.option("--trust-run", is_flag=True, help=text)(command)


@dataclass(frozen=True)
class TypedOptions:
    """What was typed of `running_options`."""

    params: tuple[str, ...] = field(repr=False)
    params_file: str | None
    output: str | None
    store: str | None
    max_concurrency: int | None
    fail_fast: bool
    max_failures: int | None
    fail_on: tuple[str, ...]
    min_coverage: float | None
    no_cache: bool
    refresh: tuple[str, ...]
    grace: float | None
    as_json: bool
    quiet: bool
    verbose: int
    base: str | None = None
    trust_run: bool = False

    def given(self) -> GivenParams:
        """Return the parameters. Raises UsageError, InvalidError, NotFoundError."""
        return given(self.params, self.params_file)

    def options(
        self, eyes: ProgressDisplay, where: RunStore, project: Project | None
    ) -> RunOptions:
        """Return how the attempt is carried out."""
        from waivern.runs.attempt import DEFAULT_GRACE_S, RunOptions, part
        from waivern.runs.output_delivery import usable

        if self.fail_fast and self.max_failures not in (None, 1):
            raise UsageError(
                "--fail-fast is --max-failures 1", hint="give one of the two, not both"
            )
        return RunOptions(
            environ=dict(os.environ),
            project=project,
            max_concurrency=self.max_concurrency,
            max_failures=1 if self.fail_fast else self.max_failures,
            cache=False if self.no_cache else None,
            refresh=frozenset(self.refresh),
            min_coverage=None if self.min_coverage is None else part(self.min_coverage),
            fail_on=self.fail_on,
            output=usable(self.output, where) if self.output is not None else None,
            grace_s=DEFAULT_GRACE_S if self.grace is None else self.grace,
            listen=True,
            observers=eyes.observers,
            on_progress=eyes.progress,
            on_stop=eyes.stopping,
            on_wait=eyes.waiting,
            on_output=eyes.output,
            on_log=eyes.log_to,
            on_secrets=eyes.hide,
            on_start=partial(eyes.start, where=_near(where.url)),
            base=self.base,
            trust_run=self.trust_run,
            on_foreign=partial(_name, screen(eyes.err)),  # sys.stderr is another meanwhile
        )


def carry_out(
    typed: TypedOptions,
    store: RunStore,
    project: Project | None,
    begin: Callable[[RunOptions, ProgressDisplay], T],
) -> tuple[T, ProgressDisplay]:
    """Show what `begin` does; return what it does, and what was seen of it.

    A run of another store, whose code nobody has confirmed, is asked about on a terminal.
    """
    from waivern.runs.trust import ForeignRunError

    try:
        return _shown(typed, store, project, begin)
    except ForeignRunError as error:
        if not _confirmed(error, typed):
            raise
    return _shown(replace(typed, trust_run=True), store, project, begin, named=True)


def _shown(
    typed: TypedOptions,
    store: RunStore,
    project: Project | None,
    begin: Callable[[RunOptions, ProgressDisplay], T],
    *,
    named: bool = False,
) -> tuple[T, ProgressDisplay]:
    from waivern.cli.ui.progress import ProgressDisplay

    eyes = ProgressDisplay(quiet=typed.quiet, verbose=typed.verbose > 0)
    at = ["--store", typed.store] if typed.store else []
    if store.folder is not None:
        eyes.again = lambda run: shlex.join(["wct", "runs", "resume", short(run), *at])
    options = typed.options(eyes, store, project)
    if named:  # the person has just said yes to it
        options = options._replace(on_foreign=lambda _said: None)
    if store.folder and not typed.quiet and not Path(store.folder).is_dir():
        options = options._replace(
            on_start=_announced(store.folder, options.on_start, screen(eyes.err))
        )
    with eyes.shown():
        return begin(options, eyes), eyes


def _name(err: Screen, said: str) -> None:
    err.print(clean_lines(said))


def _confirmed(error: ForeignRunError, typed: TypedOptions) -> bool:
    """Ask on a terminal whether the code of a foreign run may be run."""
    if typed.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    stderr().print(clean_lines(error.said))
    return click.confirm("Do you trust this run, and want to run that?", err=True)


def finish(
    typed: TypedOptions,
    store: RunStore,
    result: RunResult,
    eyes: ProgressDisplay,
    words: Callable[[str], list[str]],
    *,
    more: Mapping[str, Json] | None = None,
    last: Callable[[Screen], None] = lambda _out: None,
) -> int:
    """Report how the run ended; return the exit code.

    `words` makes of a run's id what resumes it. `more` goes into the document, `last` after the
    summary.
    """
    from waivern.cli.ui import summary
    from waivern.cli.ui.error_output import explain

    code, kept = int(result.exit_code), eyes.kept
    if result.nothing_to_do:
        kept = frozenset(name for name, step in result.record.steps.items() if step.completed)
    command = words(short(result.run_id))
    command += ["--force"] if result.status == "cancelled" else []
    command += ["--store", typed.store] if typed.store else []
    ended = summary.EndedAttempt(result, store, kept, command)
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


def leave(result: RunResult | None, code: int) -> int:
    """Return the exit code, if a blocked thread lets the process end; else end it."""
    if result is not None and result.stuck:  # the interpreter would wait for it
        from waivern.plugins.child_processes import kill_all

        sys.stdout.flush()
        sys.stderr.flush()
        kill_all()
        os._exit(code)
    return code


def kept_store(typed: TypedOptions, project: Project | None, verb: str) -> RunStore:
    """Return the store of the run that a command continues. Raises RefusedError if none is kept."""
    from waivern.runs.locate import refuse_unkept, unkept

    refuse_unkept(unkept(typed.store, os.environ, project), verb)
    return opened(typed.store)


def why_unkept(typed: str | None, no_store: bool, project: Project | None) -> str | None:
    """Return why nothing is kept on the disk; None if it is."""
    if no_store and typed is not None:
        raise UsageError("--no-store keeps nothing, --store says where", hint="give one of the two")
    if no_store:
        return "--no-store"
    from waivern.runs.locate import unkept

    return unkept(typed, os.environ, project)


def _announced(folder: str, on_start: Callable[..., None], err: Screen) -> Callable[..., None]:
    """Return an `on_start` that first says that the store in `folder` is new."""

    def start(*started: object) -> None:
        err.print(f"new store: {clean(_near(folder))} (--store PATH names another)")
        on_start(*started)

    return start


def _near(url: str) -> str:
    path, here = Path(url), Path(current_folder())
    return str(path.relative_to(here)) if path.is_relative_to(here) else url
