"""From whatever ends a command to an exit code, and what to type next."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from waivern.errors import Exit, StoreError, UsageError
from waivern.ids import is_text


def guarded(command: click.Command, name: str, args: list[str]) -> int:
    """Carry out a command and return its exit code; nothing is raised."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _carried_out(command, name, args)
        _flush()
    except BrokenPipeError:
        _hush()
        return Exit.BROKEN_PIPE
    except StoreError as error:  # stdout itself: there is nowhere to write a document
        from waivern.cli.ui.error_output import explain

        _hush()
        return explain(error, as_json=False)
    return code


def _carried_out(command: click.Command, name: str, args: list[str]) -> int:
    as_json = "--json" in args  # click may fail before it comes to that option
    try:
        _refuse_bytes(args)
        with command.make_context(name, list(args)) as ctx:
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
    except Exception as error:  # noqa: BLE001 - a defect, too, is told as one
        from waivern.cli.ui.error_output import told

        return told(error, as_json=as_json, whole=_verbosity(args) > 1)


def _refuse_bytes(args: list[str]) -> None:
    """Raise UsageError for what no file of a run could hold; not shown, as it may be a secret."""
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
        raise StoreError(
            f"cannot write the answer: {error.strerror}", hint="see to where stdout leads"
        ) from error
    with suppress(OSError):
        sys.stderr.flush()


def _hush() -> None:
    """Let the interpreter's own flush at exit find somewhere to write to."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
