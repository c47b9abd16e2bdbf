"""What went wrong, for people on stderr and for programs on stdout; always with what to do next."""

from __future__ import annotations

import os
import sys

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.screen import stderr
from waivern.cli.ui.text import clean, clean_lines, counted
from waivern.diagnostics import Diagnostic, InvalidError
from waivern.errors import ArtifactNotFoundError, Exit, StoreError, WaivernError
from waivern.message import Json


def told(error: Exception, *, as_json: bool, whole: bool) -> int:
    """Tell of whatever ended a command and return the exit code; `whole`: a defect's traceback."""
    match error:
        case WaivernError():
            return explain(error, as_json=as_json)
        case click.ClickException():
            return usage(error, as_json=as_json)
        case OSError():  # a full disk behind stdout, a folder that cannot be made
            where = f": {error.filename!r}" if error.filename else ""
            text = f"cannot read or write{where}: {error.strerror or type(error).__name__}"
            return explain(StoreError(text), as_json=as_json and bool(where))
        case _:
            return internal(error, as_json=as_json, whole=whole)


def explain(error: WaivernError, *, as_json: bool) -> int:
    """Tell of an error and return its exit code."""
    hint = error.hint or error.exit_code.next_step
    if isinstance(error, ArtifactNotFoundError):
        hint = error.hint or "`wct inspect RUN` and `wct plan RUNBOOK` list the artifacts"
    if isinstance(error, InvalidError):
        _say(problems_text(error), hint, prefix="")
    else:
        _say(error.message, hint)
    if as_json:
        _document(error.exit_code, type(error).__name__, error.message, hint, _problems(error))
    return error.exit_code


def problems_text(error: InvalidError) -> str:
    """Return the problems as a compiler would, and how many there are."""
    files = {problem.position.file for problem in error.problems if problem.position}
    where = f" in {clean(files.pop())}" if len(files) == 1 else ""
    return f"{error.message}\n\n{counted(len(error.problems), 'error')}{where}"


def problem_document(problem: Diagnostic) -> dict[str, Json]:
    """Return a problem for programs; lines and columns count from 1, `end_column` is past it."""
    at = problem.position
    return {
        "code": problem.code,
        "message": problem.message,
        "artifact": problem.artifact,
        "file": at.file if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
        "end_column": at.column + at.length if at else None,
        "hint": problem.hint,
    }


def usage(error: click.ClickException, *, as_json: bool) -> int:
    """Tell of a command line that cannot be understood."""
    ctx = getattr(error, "ctx", None)
    message = _number(error) or error.format_message() or "no command was given"
    message = message[0].lower() + message[1:].rstrip(".")
    hint = f"`{ctx.command_path if ctx else 'wct'} --help` shows how it is used"
    _say(message, hint)
    if as_json:
        _document(Exit.USAGE, "UsageError", message, hint, [])
    return Exit.USAGE


def _number(error: click.ClickException) -> str | None:
    """Return what a number has to be, for a value that is not one or not in its range."""
    if not isinstance(error, click.BadParameter) or error.param is None or error.ctx is None:
        return None
    kind = error.param.type
    if not isinstance(kind, click.IntRange | click.FloatRange) or kind.min is None:
        return None
    what = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    return f"{error.param.get_error_hint(error.ctx)} requires {what} of at least {kind.min:g}"


def internal(error: Exception, *, as_json: bool, whole: bool) -> int:
    """Tell of a defect; `whole` shows the traceback. No value of the environment is shown."""
    import traceback

    from waivern.language.secrets import Secrets

    hide = Secrets(os.environ, os.environ).hide
    if whole:
        stderr().print(clean_lines(hide("".join(traceback.format_exception(error)))))
    last = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - no path to resolve
    message = hide(f"{type(error).__name__} at {at}: {str(error)[:500]}")
    hint = "this is a bug in wct" if whole else Exit.INTERNAL.next_step
    _say(message, hint, prefix="internal error: ")
    if as_json:
        _document(Exit.INTERNAL, type(error).__name__, message, hint, [])
    return Exit.INTERNAL


def _problems(error: WaivernError) -> list[Json]:
    problems = error.problems if isinstance(error, InvalidError) else ()
    return [problem_document(problem) for problem in problems]


def _document(code: int, kind: str, message: str, hint: str | None, problems: list[Json]) -> None:
    data = {"exit_code": int(code), "kind": kind, "message": message, "hint": hint}
    print_document("error", {**data, "problems": problems})


def _say(message: str, hint: str | None, *, prefix: str = "error: ") -> None:
    err = stderr()
    sys.stdout.flush()  # what was answered before comes before
    err.print(err.paint(prefix, "red") + clean_lines(message))
    if hint:
        err.print(f"  = help: {clean_lines(hint)}")
