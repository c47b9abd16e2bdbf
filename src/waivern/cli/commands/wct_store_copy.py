"""`wct store copy`."""

from __future__ import annotations

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit, RunNotFoundError
from waivern.record.text_forms import counted, short
from waivern.runs.run_references import find
from waivern.runs.store_copy import CopiedRun, copy_runs

COPIES = Records[CopiedRun](
    Column("run_id", lambda run: run.run_id, "RUN", shown=lambda run: short(run.run_id)),
    Column("outcome", lambda run: run.outcome, "OUTCOME"),
    Column("artifacts", lambda run: run.artifacts, "ARTIFACTS", drop=1),
    Column("reason", lambda run: run.reason, "REASON", flexible=True, whole=True),
    document=CopiedRun.document,
)


@click.command(
    "copy",
    short_help="Copy runs to another store, and verify them there.",
    help=f"""Copy runs from the store FROM to the store TO; without RUN, all of them.

    Each is a path or a URL. Artifacts, journal, logs, pins and the history are copied byte by byte,
    and each copy is verified against its journal: one that differs is removed again (exit 9).
    Outcomes are copied, present (TO has it already), refused (it is running, or TO has another run
    of its id; exit 5) and faulty. The runs in FROM stay; the cache is not copied. A new store takes
    over the id of FROM, so that its runs count as its own.

    {COPIES.pipe_help}
    """,
    epilog=examples(
        "wct store copy .waivern sqlite:///.waivern/runs.db",
        "wct store copy s3://bucket/runs .waivern @last",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@json_option
def command(source: str, target: str, runs: tuple[str, ...], as_json: bool) -> int:
    """Copy runs."""
    here, there = opened(source), opened(target)
    run_ids = [find(here, run) for run in runs] if runs else here.runs()
    if not run_ids:
        raise RunNotFoundError(
            f"there are no runs in {here.url}", hint="`wct runs --store FROM` lists the runs there"
        )
    done: list[CopiedRun] = []
    for each in copy_runs(here, there, dict.fromkeys(run_ids)):
        done.append(each)
        if not as_json and not stdout().tty:
            COPIES.lines(stdout(), [each])
    if as_json:
        print_document("store-copy", COPIES.documents(done))
    elif stdout().tty:
        COPIES.table(stdout(), done)
    outcomes = [each.outcome for each in done]
    copied, present = outcomes.count("copied"), outcomes.count("present")
    stderr().print(
        f"copied {counted(copied, 'run')} to {there.url}; {present:,} were there already"
    )
    return _code(done)


def _code(done: list[CopiedRun]) -> int:
    outcomes = {each.outcome for each in done}
    if "faulty" in outcomes:
        stderr().print("  = help: `wct runs verify RUN --store FROM` shows what is wrong with it")
        return Exit.INTEGRITY
    return Exit.REFUSED if "refused" in outcomes else Exit.OK
