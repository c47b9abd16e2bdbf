"""`wct config show`."""

from __future__ import annotations

import json
import os

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import json_option, store_option
from waivern.cli.ui.screen import stderr, stdout, tab_separated, table
from waivern.cli.ui.text import clean
from waivern.errors import UsageError
from waivern.message import Json
from waivern.runs.locate import find_project
from waivern.runs.settings import Setting, everything, resolve


@click.command("show")
@click.argument("runbook", required=False)
@click.option(
    "-p", "--param", "params", metavar="KEY=VALUE", multiple=True, help="Set a parameter."
)
@click.option(
    "--params", "params_file", metavar="FILE", help="Read parameters from a YAML or JSON file."
)
@json_option
@store_option
def command(
    runbook: str | None,
    params: tuple[str, ...],
    params_file: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Show every setting and its source; with RUNBOOK, those of a run of it.

    The command line overrides the environment, which overrides the runbook's `config`, then
    waivern.yaml, then the defaults. Variables are shown by name, never their values.

    To a pipe, a line is: name, value as JSON, source; between tabs.
    """
    project = find_project()
    loaded, typed = None, bool(params) or params_file is not None
    if typed and runbook is None:
        raise UsageError(
            "parameters require a RUNBOOK",
            hint="name it, as in `wct config show RUNBOOK -p NAME=VALUE`",
        )
    if runbook is not None:
        from waivern.cli.ui.running import given
        from waivern.language.loader import load
        from waivern.language.params import defaults

        values = given(params, params_file).bound if typed else defaults
        loaded = load(runbook, os.environ, values)
    settings = list(everything(resolve(project, loaded, store=store), project, loaded))
    out = stdout()
    file = project.document.path if project else None
    if as_json:
        documents = [_document(setting) for setting in settings]
        print_document("config", {"project": file, "runbook": runbook, "settings": documents})
    elif out.tty:
        table(out, ("NAME", "VALUE", "SOURCE"), [_cells(one) for one in settings], flex=1)
    else:
        tab_separated(out, [_fields(one) for one in settings])
    if file is None:
        stderr().print("no waivern.yaml in this folder or above it")


def _document(setting: Setting[Json]) -> dict[str, Json]:
    source = setting.source
    return {
        "name": setting.name,
        "value": setting.value,
        "source": {"kind": source.kind, "name": source.name, "line": source.line},
    }


def _fields(setting: Setting[Json]) -> list[str]:
    return [clean(setting.name), clean(_json(setting.value)), clean(str(setting.source))]


def _cells(setting: Setting[Json]) -> list[str]:
    name, value, source = _fields(setting)
    if setting.value is None:
        value = "-"
    elif isinstance(setting.value, str):
        value = clean(setting.value)
    return [name, value, source]


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
