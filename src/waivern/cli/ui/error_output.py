"""Error messages: for people on stderr, for programs on stdout, always with the next step."""

from __future__ import annotations

import errno
import os
import shlex
import sys

import click

from waivern.cli.ui.closed_stdout import STDOUT_HINT, discard_stdout
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.screen import stderr
from waivern.diagnostics import Diagnostic, InvalidError
from waivern.errors import (
    OPEN_FILES_HINT,
    ArtifactNotFoundError,
    Exit,
    StoreError,
    WaivernError,
)
from waivern.message import Json
from waivern.record.text_forms import clean, clean_lines, counted


def report(error: Exception, *, as_json: bool, traceback: bool, runbook: str | None = None) -> int:
    """Report the error that ended a command and return the exit code.

    `traceback` shows that of an internal error. `runbook` is the file that the command names.
    """
    match error:
        case InvalidError(hint=None) if runbook is not None:
            error.hint = f"correct it, then check it with `wct validate {shlex.quote(runbook)}`"
            return explain(error, as_json=as_json)
        case WaivernError():
            return explain(error, as_json=as_json)
        case click.ClickException():
            return report_usage(error, as_json=as_json)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            what = "a file" if error.filename is None else repr(error.filename)
            text = f"cannot open {what}: {error.strerror}"
            return explain(StoreError(text, hint=OPEN_FILES_HINT), as_json=as_json)
        case OSError(filename=None):  # no file but stdout is used without its name
            text = f"cannot write to stdout: {error.strerror or type(error).__name__}"
            discard_stdout()
            return explain(StoreError(text, hint=STDOUT_HINT), as_json=False)
        case OSError():
            why = error.strerror or type(error).__name__
            text = f"cannot read or write {error.filename!r}: {why}"
            return explain(StoreError(text), as_json=as_json)
        case _:
            return report_internal(error, as_json=as_json, show=traceback)


def explain(error: WaivernError, *, as_json: bool) -> int:
    """Report an error of the package and return its exit code."""
    hint = error.hint or error.exit_code.next_step
    if isinstance(error, ArtifactNotFoundError):
        hint = error.hint or "`wct inspect RUN` and `wct plan RUNBOOK` list the artifacts"
    if isinstance(error, InvalidError):
        _write(problems_text(error), f"{hint}; {_more(error)}", prefix="")
    else:
        _write(error.message, hint)
    if as_json:
        _document(error.exit_code, type(error).__name__, error.message, hint, _problems(error))
    return error.exit_code


def problems_text(error: InvalidError) -> str:
    """Return the problems in the form of a compiler's, and their number."""
    files = {problem.position.file for problem in error.problems if problem.position}
    where = f" in {clean(files.pop())}" if len(files) == 1 else ""
    return f"{error.message}\n\n{counted(len(error.problems), 'error')}{where}"


def _more(error: InvalidError) -> str:
    """Return where the code of the first problem is explained."""
    return f"`wct explain {error.problems[0].code}` says more"


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


def report_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Report an invalid command line."""
    ctx = getattr(error, "ctx", None)
    message = _number(error) or error.format_message() or "no command was given"
    message = message[0].lower() + message[1:].rstrip(".")
    hint = f"`{ctx.command_path if ctx else 'wct'} --help` shows the usage"
    _write(message, hint)
    if as_json:
        _document(Exit.USAGE, "UsageError", message, hint, [])
    return Exit.USAGE


def _number(error: click.ClickException) -> str | None:
    """Return the requirement on a number, for a value that does not meet it."""
    if not isinstance(error, click.BadParameter) or error.param is None or error.ctx is None:
        return None
    kind = error.param.type
    if not isinstance(kind, click.IntRange | click.FloatRange) or kind.min is None:
        return None
    what = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    return f"{error.param.get_error_hint(error.ctx)} requires {what} of at least {kind.min:g}"


def report_internal(error: Exception, *, as_json: bool, show: bool) -> int:
    """Report a bug; `show` adds the traceback. Values of environment variables are redacted."""
    import traceback

    from waivern.language.secrets import Secrets

    redact = Secrets(os.environ, os.environ).hide
    if show:
        stderr().print(clean_lines(redact("".join(traceback.format_exception(error)))))
    last = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - no path to resolve
    message = redact(f"{type(error).__name__} at {at}: {str(error)[:500]}")
    hint = "this is a bug in wct" if show else Exit.INTERNAL.next_step
    _write(message, hint, prefix="internal error: ")
    if as_json:
        _document(Exit.INTERNAL, type(error).__name__, message, hint, [])
    return Exit.INTERNAL


def _problems(error: WaivernError) -> list[Json]:
    problems = error.problems if isinstance(error, InvalidError) else ()
    return [problem_document(problem) for problem in problems]


def _document(code: int, kind: str, message: str, hint: str | None, problems: list[Json]) -> None:
    data = {"exit_code": int(code), "kind": kind, "message": message, "hint": hint}
    print_document("error", {**data, "problems": problems})


def _write(message: str, hint: str | None, *, prefix: str = "error: ") -> None:
    err = stderr()
    sys.stdout.flush()  # keeps the order of answer and message
    err.print(err.paint(prefix, "red") + clean_lines(message))
    if hint:
        err.print(f"  = help: {clean_lines(hint)}")
