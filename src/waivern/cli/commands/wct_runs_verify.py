"""`wct runs verify`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.errors import Exit, RunLockedError, RunNotFoundError, UsageError
from waivern.record.text_forms import clean
from waivern.runs.run_references import find
from waivern.runs.verify import Verification, VerifyFault, verify


@click.command(
    "verify",
    short_help="Check runs against their journals.",
    epilog=examples("wct runs verify @last", "wct runs verify --all"),
)
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Verify every run in the store.")
@click.option(
    "--expect", metavar="HEAD", help="Compare with a journal head recorded elsewhere; for one RUN."
)
@json_option
@store_option
def command(
    runs: tuple[str, ...], every: bool, expect: str | None, as_json: bool, store: str | None
) -> int:
    """Check that runs are as their journals recorded them. Exit 9 if anything differs.

    The journal's hash chain, every artifact, the recorded runbooks, run.json and state.json are
    checked. --expect compares with the head that `wct run` printed: a user with write access could
    rewrite the whole folder, but not a head that you recorded elsewhere. The first 16 digits of
    HEAD are enough. --all skips runs that are running, and exits with 4 if there are no runs.
    """
    where = opened(store)
    if every and runs:
        raise UsageError("--all cannot be combined with RUN", hint="omit one of the two")
    if not every and not runs:
        raise UsageError("no RUN is named", hint="name one, as in `wct runs verify @last`")
    if expect is not None and len(runs) != 1:
        raise UsageError(
            "--expect requires exactly one RUN",
            hint="use it as in `wct runs verify @last --expect HEAD`",
        )
    ids = where.runs() if every else [find(where, run) for run in runs]
    if not ids:
        raise RunNotFoundError(
            f"there are no runs in {where.url}",
            hint="`wct config show` shows why this store is used",
        )
    found: list[Verification] = []
    for run_id in ids:
        try:
            found.append(verify(where, run_id, expect))
        except (RunLockedError, RunNotFoundError) as error:  # it runs, or was removed meanwhile
            if not every:
                raise
            stderr().print(f"skipped: {clean(error.message)}")
    if as_json:
        print_document("verify", [each.document() for each in found])
    else:
        out = stdout()
        for each in found:
            _show(out, each)
    return _code(found)


def _code(found: list[Verification]) -> int:
    if all(each.vouched and not each.faults for each in found):
        return Exit.OK
    if any(each.faults for each in found):
        stderr().print(f"  = help: {_help([fault for each in found for fault in each.faults])}")
    return Exit.INTEGRITY


def _help(faults: list[VerifyFault]) -> str:
    if all(fault.renewable for fault in faults):
        return "`wct runs resume RUN` rebuilds the artifacts that were altered"
    return "restore the run folder from a backup, or repeat the run with `wct runs replay RUN`"


def _show(out: Screen, found: Verification) -> None:
    if not found.vouched:
        out.print(f"{out.mark('failed')} {found.run_id}  NOT VERIFIABLE  it has no journal")
    elif found.faults:
        out.print(f"{out.mark('failed')} {found.run_id}  {out.paint('ALTERED', 'failed')}")
    else:
        what = f"{found.lines:,} journal lines, {found.artifacts:,} artifacts"
        out.print(f"{out.mark('completed')} {found.run_id}  intact  {what}")
        out.print(f"  head  {found.head}")
    for name, facts in found.redacted.items():
        said = f"its {facts['destroyed']} was destroyed on {facts['at']} by {facts['by']}"
        out.print(f"  redacted  {clean(name)}: {clean(said)}")
    for fault in found.faults:
        out.print(f"  {clean(fault.path)}: {clean(fault.what)}")
    for note in found.notes:
        out.print(f"  note: {clean(note)}")
