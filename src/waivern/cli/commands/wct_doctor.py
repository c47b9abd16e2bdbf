"""`wct doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit
from waivern.record.text_forms import clean, counted
from waivern.runs.health_checks import CheckOutcome, HealthCheck, health, ok, warning

CHECKS = Records[HealthCheck](
    Column("verdict", lambda each: str(each.verdict)),
    Column("check", lambda each: each.name),
    Column("found", lambda each: each.found),
    Column("remedy", lambda each: each.remedy),
    document=HealthCheck.document,
)
_LOOKS = {CheckOutcome.OK: "green", CheckOutcome.WARNING: "yellow", CheckOutcome.FAULT: "red"}


@click.command(
    "doctor",
    short_help="Check the installation, the store and the machine.",
    help=f"""Check the installation, the store and the machine, and say what to do.

    A fault keeps runs from working, a warning may: each has the next step. To test locks and
    durable writes, a temporary folder is created beside the runs and removed. Exit 0 without a
    fault.

    {CHECKS.pipe_help}
    """,
    epilog=examples("wct doctor", "wct doctor --store sqlite:///runs.db --json"),
)
@json_option
@store_option
def command(as_json: bool, store: str | None) -> int:
    """Check what a run needs."""
    from waivern.cli.ui.output_redirect import stdout_is_stderr

    out = stdout()
    found: list[HealthCheck] = []
    checks = health(lambda: opened(store))
    while True:
        with stdout_is_stderr():  # a component may print when it is imported
            each = next(checks, None)
        if each is None:
            break
        found.append(each)
        _show(out, [each], as_json)
    more = list(_terminal(out))
    found += more
    _show(out, more, as_json)
    if as_json:
        print_document("doctor", CHECKS.documents(found))
    elif out.tty:
        bad = [each.verdict for each in found]
        faults, warnings = bad.count(CheckOutcome.FAULT), bad.count(CheckOutcome.WARNING)
        out.print(f"\n{counted(faults, 'fault')}, {counted(warnings, 'warning')}")
    return next((each.code for each in found if each.verdict is CheckOutcome.FAULT), Exit.OK)


def _show(out: Screen, checks: list[HealthCheck], as_json: bool) -> None:
    if as_json:
        return
    if not out.tty:
        CHECKS.lines(out, checks)
        return
    for each in checks:
        verdict = out.paint(str(each.verdict).ljust(7), _LOOKS[each.verdict])
        out.print(f"{verdict}  {clean(each.name):<16}  {clean(each.found)}")
        if each.remedy:
            out.print(f"{'':27}{out.paint('= ' + clean(each.remedy), 'dim')}")
    sys.stdout.flush()  # the next check may take a while


def _terminal(out: Screen) -> Iterator[HealthCheck]:
    """Yield what can be shown where the answer goes."""
    encoding = (sys.stdout.encoding or "none").lower()
    if not encoding.startswith("utf"):
        hint = "set a UTF-8 locale, as in `export LC_ALL=C.UTF-8`"
        yield warning("encoding", f"{encoding}: symbols are replaced by ASCII", hint)
    else:
        yield ok("encoding", encoding)
    if not out.tty:
        yield ok("terminal", "none: lines with tabs, and no colours")
    elif not out.live:
        hint = "set TERM, as in `export TERM=xterm-256color`"
        yield warning("terminal", f"TERM={os.environ.get('TERM', '')}: no live progress", hint)
    elif out.width < 60:
        yield warning("terminal", f"{out.width} columns", "widen it: tables drop columns below 60")
    else:
        colours = "colours" if out.colour else "no colours (NO_COLOR)"
        yield ok("terminal", f"{out.width} columns, {colours}")
