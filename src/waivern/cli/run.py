"""`wct run`."""

from __future__ import annotations

import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.documents import print_document
from waivern.cli.ui.options import json_option, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.text import clean, short
from waivern.errors import Exit

if TYPE_CHECKING:
    from waivern.cli.ui.progress import Progress
    from waivern.service.act import Options, RunResult
    from waivern.store.base import RunStore


def _finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("it must be a number of seconds")
    return value


@click.command("run")
@click.argument("runbook")
@click.option(
    "--resume", metavar="RUN", help="Continue that run: keep what is done, make the rest."
)
@click.option(
    "-o", "--output", metavar="DIR", help="Copy the artifacts marked `output: true` there."
)
@store_option
@click.option("--max-concurrency", type=click.IntRange(1), metavar="N", help="How much at once.")
@click.option("--allow-changed", is_flag=True, help="Resume although the runbook has changed.")
@click.option("--force", is_flag=True, help="Resume although the run was cancelled.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    metavar="SECONDS",
    callback=_finite,
    help="How long running work may go on after a signal.",
)
@click.option("--run-id", metavar="ID", help="The id of the new run, in place of a random one.")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", count=True, help="More progress; -vv: tracebacks of defects.")
def command(
    runbook: str,
    resume: str | None,
    output: str | None,
    store: str | None,
    max_concurrency: int | None,
    allow_changed: bool,
    force: bool,
    grace: float | None,
    run_id: str | None,
    as_json: bool,
    quiet: bool,
    verbose: int,
) -> int:
    """Run RUNBOOK, or resume a run of it.

    Ctrl-C lets running work finish, saves the state and leaves with 130; a second one leaves at
    once. The run can be resumed either way, and after any crash.
    """
    if resume is None and (allow_changed or force):
        raise click.UsageError("--allow-changed and --force go with --resume")
    if resume is not None and run_id is not None:
        raise click.UsageError("--run-id is for a new run, --resume for one that has its id")
    from waivern.cli.ui.outputs import usable
    from waivern.cli.ui.progress import progress
    from waivern.service import act

    folder = usable(output) if output is not None else None
    where = opened(store)
    eyes = progress(quiet=quiet, verbose=verbose > 0)
    options = act.Options(
        max_concurrency=max_concurrency,
        grace_s=act.DEFAULT_GRACE_S if grace is None else grace,
        listen=True,
        observers=(eyes.observe,),
        on_progress=eyes.progress,
        on_stop=eyes.stopping,
        on_start=partial(eyes.start, where=_near(where.url)),
    )
    result = _carry_out(runbook, resume, where, options, eyes, run_id, allow_changed, force)
    code = _tell(result, runbook, store, where, eyes.kept, folder, as_json=as_json)
    if result.stuck:  # a thread that nobody can stop: the interpreter would wait for it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _carry_out(
    runbook: str,
    resume: str | None,
    store: RunStore,
    options: Options,
    eyes: Progress,
    run_id: str | None,
    allow_changed: bool,
    force: bool,
) -> RunResult:
    from waivern.service import act

    with eyes.shown():
        if resume is None:
            return act.start(runbook, store, options, run_id=run_id)
        return act.resume(
            runbook, resume, store, options, allow_changed=allow_changed, force=force
        )


def _tell(
    result: RunResult,
    runbook: str,
    typed_store: str | None,
    store: RunStore,
    kept: frozenset[str],
    folder: Path | None,
    *,
    as_json: bool,
) -> int:
    """Copy the outputs, then say how the run ended; return the exit code."""
    from waivern.cli.ui import summary
    from waivern.cli.ui.errors import explain
    from waivern.cli.ui.outputs import copy_outputs
    from waivern.errors import WaivernError

    code, copied = result.exit_code, []
    if result.nothing_to_do:
        kept = frozenset(name for name, step in result.record.steps.items() if step.completed)
    if folder is not None:
        try:
            copied = copy_outputs(store, result.plan, result.record, folder)
        except WaivernError as error:
            code = error.exit_code if code != Exit.INTEGRITY else code
            explain(error, as_json=False)
        if not result.plan.outputs:
            stderr().print("nothing was copied: no artifact of the runbook has `output: true`")
    words = ["wct", "run", runbook, "--resume", short(result.run_id)]
    words += ["--force"] if result.status == "cancelled" else []
    words += ["--store", typed_store] if typed_store else []
    ended = summary.Ended(result, store, kept, copied, words)
    for warning in result.warnings:
        stderr().print(f"warning: {clean(warning)}")
    if as_json:
        print_document("run", summary.document(ended))
    else:
        summary.show(stdout(), ended)
    return code


def _near(url: str) -> str:
    path, here = Path(url), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else url
