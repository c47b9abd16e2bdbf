"""The guard around a command, which turns every exception into an exit code and a message."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import click

from waivern.errors import OPEN_FILES_HINT, Exit, StoreError, UsageError
from waivern.ids import is_text


def guarded(command: click.Command, name: str, args: list[str]) -> int:
    """Carry out a command and return its exit code. Nothing is raised."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _carried_out(command, name, args)
        _flush()
    except BrokenPipeError:
        from waivern.cli.ui.closed_stdout import discard_stdout

        discard_stdout()
        return Exit.BROKEN_PIPE
    except StoreError as error:  # of stdout itself, so that no document can be written
        from waivern.cli.ui.closed_stdout import discard_stdout
        from waivern.cli.ui.error_output import explain

        discard_stdout()
        return explain(error, as_json=False)
    return code


def _carried_out(command: click.Command, name: str, args: list[str]) -> int:
    meta: dict[str, Any] = {}
    as_json = "--json" in args  # click may fail before it parses that option
    try:
        _refuse_bytes(args)
        with command.make_context(name, list(args)) as ctx:
            meta = ctx.meta
            code: int | None = command.invoke(ctx)
            return code or Exit.OK
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.ctx.get_help() if bare.ctx else bare.message)
        return Exit.OK
    except click.exceptions.Exit as left:  # --help and --version
        return left.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("interrupted before anything was started\n")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - an internal error is reported, too
        try:
            from waivern.cli.ui.error_output import report
            from waivern.cli.ui.options import RUNBOOK
        except OSError as want:  # too few descriptors, say, to read even these modules
            sys.stderr.write(f"error: cannot read a file of the program: {want.strerror}\n")
            sys.stderr.write(f"  = help: {OPEN_FILES_HINT}\n")
            return Exit.STORE

        runbook = meta.get(RUNBOOK)
        return report(error, as_json=as_json, traceback=_verbosity(args) > 1, runbook=runbook)


def _refuse_bytes(args: list[str]) -> None:
    """Raise UsageError for an argument that no file of a run could hold.

    The argument is not shown, as it may be a secret.
    """
    for number, arg in enumerate(args, 1):
        if not is_text(arg):
            raise UsageError(
                f"argument {number} is not UTF-8", hint="type it as text; rename a file so named"
            )


def _verbosity(args: list[str]) -> int:
    return sum(arg.count("v") for arg in args if arg[:1] == "-" and set(arg[1:]) == {"v"})


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        from waivern.cli.ui.closed_stdout import STDOUT_HINT

        raise StoreError(f"cannot write to stdout: {error.strerror}", hint=STDOUT_HINT) from error
    with suppress(OSError):
        sys.stderr.flush()
