"""`wct schema`."""

from __future__ import annotations

import click

from waivern.cli.ui.json_output import json_text
from waivern.cli.ui.options import examples, option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit
from waivern.record.text_forms import clean


@click.command(
    "schema",
    short_help="Print the JSON Schema of runbooks, for editors.",
    epilog=examples("wct schema > runbook.schema.json", "wct schema --install vscode"),
)
@option(
    "--install",
    "editor",
    type=click.Choice(["vscode"]),
    metavar="EDITOR",
    help="Write the schema to .vscode, and to the settings there which files have it."
    " EDITOR is: vscode; default: print the schema.",
)
def command(editor: str | None) -> int:
    """Print the JSON Schema of runbooks: their keys, and the properties of each component.

    It has the components that are installed now. Print or install it again after installing others.
    Editors that use the YAML language server complete and check a runbook with it.
    """
    from waivern.runs.locate import find_project
    from waivern.runs.prepare import catalogue_of
    from waivern.runs.runbook_schema import runbook_schema

    project = find_project()
    found = runbook_schema(catalogue_of(project), project)
    text = json_text(found.document) + "\n"
    if editor is None:
        stdout().print(text.rstrip())
    else:
        from waivern.cli.ui.editor_settings import install

        done = install(text)
        stdout().print(f"{clean(done.schema)} is for {clean(', '.join(done.patterns))}")
        stderr().print("  = help: install the extension `redhat.vscode-yaml`, if it is missing")
    err = stderr()
    for error in found.faults:
        err.print(f"{err.paint('warning:', 'yellow')} {clean(error.message)}")
        err.print(f"  = help: {clean(error.hint or 'reinstall it')}")
    return Exit.OK
