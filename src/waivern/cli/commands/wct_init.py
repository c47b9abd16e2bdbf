"""`wct init`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from waivern.cli.ui.options import examples, option
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit, NotFoundError, UsageError
from waivern.record.text_forms import clean, counted
from waivern.runs.folder_survey import FolderSurvey


@click.command(
    "init",
    short_help="Write a first runbook for a folder.",
    epilog=examples("wct init", "wct init ~/exports --file review.yaml"),
)
@click.argument("folder", default=".")
@option(
    "--file",
    "file_name",
    metavar="NAME",
    default="scan.yaml",
    help="Write this file in FOLDER; default: scan.yaml. A file that exists is not overwritten.",
)
def command(folder: str, file_name: str) -> int:
    """Look at FOLDER and write a runbook that searches it for personal data.

    The current folder is the default. Text files, tables, source code and SQLite databases are
    recognised by their names and first bytes. The runbook runs as it is, and has comments.

    To a pipe, a line has these fields, separated by tabs: runbook, number of text files, of files
    of source code, of databases.
    """
    from waivern.cli.ui.written_files import create_all
    from waivern.runs.first_runbook import first_runbook
    from waivern.runs.folder_survey import survey

    root = Path(folder)
    if not root.is_dir():
        raise NotFoundError(f"{folder!r} is not a folder", hint="name the folder to search")
    if (
        Path(file_name).name != file_name
        or not file_name.endswith((".yaml", ".yml"))
        or not file_name.isprintable()
    ):
        raise UsageError(
            f"{file_name!r} is not the name of a YAML file",
            hint="write a name such as --file scan.yaml",
        )
    path = root / file_name
    if os.path.lexists(path):
        create_all({path: ""})  # is refused before the folder is searched
    found = survey(root)
    text = first_runbook(found, clean(root.resolve().name) or "/", file_name)
    create_all({path: text})
    _show(stdout(), path, found)
    return Exit.OK


def _show(out: Screen, path: Path, found: FolderSurvey) -> None:
    code = found.source.total()
    if not out.tty:
        out.print(f"{clean(str(path))}\t{found.text}\t{code}\t{len(found.databases)}")
        return
    parts = [counted(found.text, "text file")] if found.text else []
    parts += [f"{counted(code, 'file')} of source code"] if code else []
    parts += [counted(len(found.databases), "database")] if found.databases else []
    out.print(f"{out.paint('written', 'green')}  {clean(str(path))}")
    out.print(f"  reads   {', '.join(parts) or 'nothing yet: the folder has nothing to read'}")
    if found.trees:
        out.print(f"  leaves  {', '.join(found.trees)}")
    if found.unread:
        total = counted(found.unread.total(), "file")
        out.print(f"  skips   {total} without text, such as {clean(next(iter(found.unread)))}")
    if not found.complete:
        out.print("  the folder has more files than were looked at; the run reads all of them")
    out.print(f"  next:   wct run {clean(shlex.quote(str(path)))}")
