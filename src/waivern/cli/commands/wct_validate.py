"""`wct validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.error_output import explain, problem_document
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    examples,
    json_option,
    opened,
    params_options,
    store_option,
    supplied_params,
)
from waivern.cli.ui.screen import Screen, stdout
from waivern.diagnostics import Diagnostic, InvalidError
from waivern.errors import Exit, NotFoundError
from waivern.message import Json
from waivern.record.text_forms import clean, clean_lines, clip, counted, listed
from waivern.runs.locate import find_project
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.language.validation import BindParams


@click.command(
    "validate",
    short_help="Check runbooks without running them.",
    epilog=examples("wct validate analysis.yaml", "wct validate runbooks/*.yaml"),
)
@click.argument("runbooks", nargs=-1, required=True, metavar="RUNBOOK...")
@params_options
@json_option
@store_option
def command(
    runbooks: tuple[str, ...],
    params: tuple[str, ...],
    params_file: str | None,
    as_json: bool,
    store: str | None,
) -> int:
    """Check runbooks without running them, and report all problems in all of them.

    Parameters that are not set have their defaults. Whatever depends on a parameter without a value
    is not checked.

    A warning reports what is likely to fail: a file, function or command that does not exist,
    arguments that a function does not accept, an invalid ruleset. It does not change the exit code.

    To a pipe, a line has these fields, separated by tabs: ok, runbook, number of artifacts.
    """

    where, out, project = opened(store, recorded=False), stdout(), find_project()
    values = (
        supplied_params(params, params_file).bound if params or params_file is not None else None
    )
    results = [_checked(out, path, where, project, values, as_json) for path in runbooks]
    if as_json:
        print_document("validate", [document for _, document in results])
    codes = {code for code, _ in results}
    return next((code for code in _WORST if code in codes), Exit.OK)


_WORST = (Exit.INVALID, Exit.NOT_FOUND, Exit.USAGE)


def _checked(
    out: Screen,
    path: str,
    store: RunStore,
    project: Project | None,
    values: BindParams | None,
    as_json: bool,
) -> tuple[Exit, dict[str, Json]]:
    from waivern.cli.ui.output_redirect import stdout_is_stderr
    from waivern.language.keys import texts_for_people
    from waivern.runs.prepare import check

    document: dict[str, Json] = {"runbook": path, "valid": False, "artifacts": None}
    document |= {"problems": [], "warnings": []}
    warnings: list[Diagnostic] = []
    try:
        with stdout_is_stderr():
            plan = check(
                path, store, os.environ, bind_params=values, project=project, warnings=warnings
            )
    except InvalidError as error:
        explain(error, as_json=False)
        problems = [problem_document(problem) for problem in error.problems]
        return error.exit_code, document | {"problems": problems}
    except NotFoundError as error:
        explain(error, as_json=False)
        missing = {"code": None, "message": error.message, "file": path, "hint": error.hint}
        return error.exit_code, document | {"problems": [missing]}
    for warning in warnings:
        sys.stderr.write(clean_lines(f"{warning}\n".replace("error[", "warning[", 1)) + "\n")
    own = {**vars(plan.runbook), "name": None, "version": None}
    texts = texts_for_people(type(plan.runbook), own)
    keep = {str(node.id): node.keep for node in plan.nodes.values() if node.keep}
    if not as_json:
        _fine(out, path, len(plan.nodes), texts | _kept(keep))
    document |= {"valid": True, "artifacts": len(plan.nodes), "texts": texts, "keep": keep}
    return Exit.OK, document | {"warnings": [problem_document(each) for each in warnings]}


def _kept(keep: Mapping[str, str]) -> dict[str, str]:
    """Return which sources are stored, in words."""
    stored = [name for name, how in keep.items() if how == "content"]
    read = [name for name, how in keep.items() if how == "reference"]
    parts = [f"{listed(read)} by reference"] if read else []
    parts += [f"{listed(stored)} as content"] if stored else []
    return {"keep": "; ".join(parts)} if parts else {}


def _fine(out: Screen, path: str, count: int, texts: dict[str, str]) -> None:
    if out.tty:
        out.print(f"{out.paint('ok', 'green')}  {clean(path)}  {counted(count, 'artifact')}")
        for key, text in texts.items():
            out.print(out.paint(f"    {key}: {clip(clean(text), 1000)}", "dim"))
    else:
        out.print(f"ok\t{clean(path)}\t{count}")
    sys.stdout.flush()  # in step with the errors of other files
