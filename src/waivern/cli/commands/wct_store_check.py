"""`wct store check`."""

from __future__ import annotations

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit
from waivern.record.text_forms import short
from waivern.runs.store_check import CheckedPart, check_store

PARTS = Records[CheckedPart](
    Column("part", lambda each: each.part, "PART", shown=lambda each: short(each.part)),
    Column("state", lambda each: each.state, "STATE"),
    Column("detail", lambda each: each.detail, "DETAIL", flexible=True, whole=True),
    document=CheckedPart.document,
)


@click.command(
    "check",
    short_help="Check everything in a store.",
    help=f"""Check a store: its id, its history, its access log, and every run as `wct runs verify`.

    STORE is a path or a URL; without it, the store that other commands use. Nothing is changed.
    Exit 9 if something was altered or a run has no journal that vouches for it. Runs that are
    running are named and not checked.

    {PARTS.pipe_help}
    """,
    epilog=examples("wct store check", "wct store check sqlite:///.waivern/runs.db --json"),
)
@click.argument("store", required=False)
@json_option
def command(store: str | None, as_json: bool) -> int:
    """Check a store."""
    found: list[CheckedPart] = []
    for each in check_store(opened(store)):
        found.append(each)
        if not as_json and not stdout().tty:
            PARTS.lines(stdout(), [each])
    if as_json:
        print_document("store-check", PARTS.documents(found))
    elif stdout().tty:
        PARTS.table(stdout(), found)
    if not any(each.state in ("altered", "unverifiable") for each in found):
        return Exit.OK
    stderr().print(
        "  = help: restore what was altered from a backup; `wct runs verify RUN` says more"
    )
    return Exit.INTEGRITY
