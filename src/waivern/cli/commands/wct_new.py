"""`wct new`."""

from __future__ import annotations

import keyword
import re
import shlex
from pathlib import Path

import click

from waivern.cli.ui.options import examples, option
from waivern.cli.ui.screen import stdout
from waivern.errors import Exit, UsageError
from waivern.kinds import KINDS
from waivern.record.text_forms import clean

_KINDS = ("connector", "processor", "exporter")


@click.command(
    "new",
    short_help="Write a package for a component of your own.",
    epilog=examples("wct new connector mailboxes", "wct new exporter board --folder ~/board"),
)
@click.argument("kind", type=click.Choice(_KINDS), metavar="KIND")
@click.argument("name")
@option(
    "--folder",
    metavar="DIR",
    help="Write the package to DIR; default: a folder named after the package, here. No file is"
    " overwritten.",
)
def command(kind: str, name: str, folder: str | None) -> int:
    """Write a package with a small component that works, and with tests that pass.

    KIND is connector, processor or exporter; NAME is what runbooks call it. The tests are the
    contract of the kind: change the component, and keep them green.
    """
    from waivern.cli.ui.package_template import package
    from waivern.cli.ui.written_files import create_all
    from waivern.kinds import installed

    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 60:
        raise UsageError(
            f"{name[:80]!r} is no name of a component",
            hint="use small letters, digits and single underscores, as in `mail_boxes`",
        )
    plural = next(each.name for each in KINDS.values() if each.singular == kind)
    if name in installed(plural) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is {'a word of Python' if keyword.iskeyword(name) else 'installed already'}",
            hint=f"choose another name; `wct {plural}` lists those that are installed",
        )
    made = package(kind, name)
    home = Path(folder) if folder is not None else Path(f"waivern-{name.replace('_', '-')}")
    create_all({home / path: text for path, text in made.files.items()})
    out = stdout()
    for path in made.files:
        shown = clean(str(home / path))
        out.print(f"{out.paint('written', 'green')}  {shown}" if out.tty else shown)
    if out.tty:
        out.print(f"  next:   cd {clean(shlex.quote(str(home)))} && {made.install}")
    return Exit.OK
