"""`wct runs access`."""

from __future__ import annotations

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit
from waivern.record.text_forms import clean, counted, short
from waivern.store.store_values import JournalLine


def _text(line: JournalLine, name: str) -> str | None:
    value = line.record.get(name)
    return None if value is None else str(value)


ACCESSES = Records[JournalLine](
    Column("number", lambda line: line.seq, "#"),
    Column("at", lambda line: _text(line, "at"), "AT"),
    Column("by", lambda line: _text(line, "by"), "BY"),
    Column(
        "run",
        lambda line: _text(line, "run_id"),
        "RUN",
        shown=lambda line: short(_text(line, "run_id") or ""),
    ),
    Column("artifact", lambda line: _text(line, "artifact"), "ARTIFACT"),
    Column("item", lambda line: _text(line, "item"), "ITEM", flexible=True, keep_end=True),
    Column("export", lambda line: _text(line, "format"), "EXPORT"),
    Column("digest", lambda line: _text(line, "digest")),
    Column("hash", lambda line: line.hash),
)


@click.command(
    "access",
    short_help="List who was shown source content, or exported a run.",
    help=f"""List who was shown source content by `wct inspect`, or exported a run to a file.

    The oldest is the first. EXPORT is the format of an export, and ITEM is then its file.

    The chain of the log is checked: the exit code is 9 if a line was altered. Record the last hash
    elsewhere: it shows whether lines were cut off. {ACCESSES.pipe_help}
    """,
    epilog=examples("wct runs access", "wct runs access --json"),
)
@json_option
@store_option
def command(as_json: bool, store: str | None) -> int:
    """List who was shown source content, or exported a run."""
    where = opened(store)
    found = where.read_access()
    if as_json:
        print_document("access", ACCESSES.documents(found.lines))
        return Exit.OK
    ACCESSES.show(stdout(), found.lines)
    if found.lines:
        stderr().print(f"{counted(len(found.lines), 'line')}, intact, head {found.lines[-1].hash}")
    else:
        stderr().print(f"nothing was shown or exported from {clean(where.url)}")
    return Exit.OK
