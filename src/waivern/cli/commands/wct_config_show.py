"""`wct config show`."""

from __future__ import annotations

import json
import os

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    examples,
    json_option,
    params_options,
    store_option,
    supplied_params,
)
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import UsageError
from waivern.message import Json
from waivern.runs.locate import find_project
from waivern.runs.settings import Setting, everything, resolve


def _shown(setting: Setting[Json]) -> str:
    match setting.value:
        case None:
            return "-"
        case str():
            return setting.value
        case _:
            return _json(setting)


def _json(setting: Setting[Json]) -> str:
    return json.dumps(setting.value, ensure_ascii=False)


def _source(setting: Setting[Json]) -> Json:
    source = setting.source
    return {"kind": source.kind, "name": source.name, "line": source.line}


SETTINGS = Records[Setting[Json]](
    Column("name", lambda setting: setting.name, "NAME"),
    Column("value", lambda setting: setting.value, "VALUE", _json, _shown, flexible=True),
    Column("source", _source, "SOURCE", lambda setting: str(setting.source)),
)


@click.command(
    "show",
    help=f"""Show every setting and its source; with RUNBOOK, those of a run of it.

    The command line overrides the environment, which overrides the runbook's `config`, then
    waivern.yaml, then the defaults. Variables are shown by name, never by value.

    {SETTINGS.pipe_help} The value is JSON.
    """,
    epilog=examples("wct config show", "wct config show analysis.yaml -p region=eu"),
)
@click.argument("runbook", required=False)
@params_options
@json_option
@store_option
def command(
    runbook: str | None,
    params: tuple[str, ...],
    params_file: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Show every setting."""
    project = find_project()
    loaded, typed = None, bool(params) or params_file is not None
    if typed and runbook is None:
        raise UsageError(
            "parameters require a RUNBOOK",
            hint="name it, as in `wct config show RUNBOOK -p NAME=VALUE`",
        )
    if runbook is not None:
        from waivern.language.loader import load
        from waivern.language.params import defaults

        values = supplied_params(params, params_file).bound if typed else defaults
        loaded = load(runbook, os.environ, values)
    settings = list(everything(resolve(project, loaded, store=store), project, loaded))
    file = project.document.path if project else None
    if as_json:
        documents = SETTINGS.documents(settings)
        print_document("config", {"project": file, "runbook": runbook, "settings": documents})
    else:
        SETTINGS.show(stdout(), settings)
    if file is None:
        stderr().print("no waivern.yaml in this folder or above it")
