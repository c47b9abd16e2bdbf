"""The list of what is about to be redacted, and of what is left."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.screen import Screen, stderr
from waivern.record.text_forms import clean, counted, short, size
from waivern.runs.redact import RedactionItem

REDACTIONS = Records[RedactionItem](
    Column("run", lambda item: item.run_id, "RUN", shown=lambda item: short(item.run_id)),
    Column("artifact", lambda item: item.artifact, "ARTIFACT", flexible=True, keep_end=True),
    Column("destroys", lambda item: item.destroys, "DESTROYS"),
    Column("size", lambda item: size(item.size), "SIZE"),
    Column(
        "copy_of",
        lambda item: None if item.copy_of is None else "/".join(item.copy_of),
        "COPY OF",
        shown=lambda item: f"{short(item.copy_of[0])}/{item.copy_of[1]}" if item.copy_of else "",
        drop=1,
    ),
    document=RedactionItem.document,
)


def show_items(out: Screen, items: Sequence[RedactionItem], verb: str) -> None:
    """Write a table to a terminal; to a pipe, lines that begin with `verb`."""
    if out.tty:
        REDACTIONS.table(out, items)
        return
    for item in items:
        out.stream.write(f"{verb} ")
        REDACTIONS.lines(out, [item])


def show_rest(left: Mapping[str, str], outside: Sequence[str]) -> None:
    """Name what is left as it is, and the copies outside the store."""
    err = stderr()
    for name, reason in left.items():
        err.print(f"not redacted {clean(name)}: {clean(reason)}")
    for path in outside:
        err.print(f"not redacted {clean(path)}: it is outside the store; remove it by hand")


def confirmed(items: Sequence[RedactionItem]) -> bool:
    """Ask the person at the terminal; false if there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    total = size(sum(item.size for item in items))
    what = f"{counted(len(items), 'artifact')}, {total}"
    try:
        return click.confirm(f"Redact {what}? It cannot be undone.", default=False, err=True)
    except click.Abort:
        stderr().print()
        return False
