"""Digests of the user's own code, computed without running any of it."""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from types import ModuleType

from waivern.builtin.common_properties import located
from waivern.errors import ComponentError
from waivern.files import open_file
from waivern.message import sha256
from waivern.plugins.context import Context
from waivern.plugins.fingerprint import Fingerprints, UncertainError
from waivern.plugins.installed_code import importing
from waivern.plugins.module_folders import ModuleFolder

_NO_FILE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO}
)


def imported(where: str, ctx: Context) -> ModuleType:
    """Return the module 'package.module' or 'path.py', which is run if it has not been.

    A file is read once an attempt: what runs is what its digest is computed from. Raises
    ComponentError if it cannot be read, and what the module raises.
    """
    if where.endswith(".py"):
        folder, file = _place(where, ctx)
        return folder.load(file)
    return importing(where, lambda: importlib.import_module(where))


def of_call(call: str, ctx: Context) -> str:
    """Return the digest of the code that 'module:function' or 'path.py:function' names.

    Raises ComponentError if a file cannot be read, or if it is not certain that its code is what
    runs.
    """
    where = call.rpartition(":")[0]
    fingerprints = ctx.once(("python", "fingerprints"), Fingerprints)
    try:
        if where.endswith(".py"):
            return fingerprints.of_file(*_place(where, ctx))
        return fingerprints.of_module(where)
    except UncertainError as error:
        raise UncertainError(
            f"the code of {call!r} cannot be fingerprinted: {error.message}"
        ) from error
    except OSError as error:
        raise ComponentError(f"{where!r} cannot be read: {error.strerror}") from error


def _place(where: str, ctx: Context) -> tuple[ModuleFolder, Path]:
    """Return the folder of modules that a Python file belongs to, and the file."""

    def find() -> tuple[ModuleFolder, Path]:
        file = located(ctx, where).resolve()
        folder = ctx.imports.folder(file.parent)
        try:
            folder.source(file)
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise ComponentError(f"{where!r} cannot be read: {what}") from error
        return folder, file

    return ctx.once(("python", "file", ctx.base, where), find)


def of_command(argv: Sequence[str], ctx: Context) -> str:
    """Return the digest of the files that a command line names.

    Those are an executable with a '/' in it, and every argument that is a file where the command
    runs: of `python3 report.py` the script. A program on PATH, and a file within an argument
    (`--rules=x.yaml`), are not seen. Raises ComponentError if a file cannot be read.
    """
    program = [executable(argv[0], ctx)] if "/" in argv[0] else []
    digests = [_of_file(ctx.base / name) for name in (*program, *argv[1:])]
    return sha256(json.dumps(digests).encode()) if any(digests) else "no file"


def executable(command: str, ctx: Context) -> str:
    """Return a path from the runbook's folder for a command with a '/', else a name on PATH."""
    return str(ctx.path(command).absolute()) if "/" in command else command


def _of_file(path: Path) -> str | None:
    """Return the digest of a regular file's bytes; None if it is not a regular file."""
    with _regular(path) as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest() if file else None


@contextmanager
def _regular(path: Path) -> Iterator[BufferedReader | None]:
    """Open a regular file; None if it is not a regular file."""
    with ExitStack() as stack:
        file = None
        try:
            file = stack.enter_context(open_file(path))
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise ComponentError(f"{path.name!r} cannot be read: {error.strerror}") from error
        yield file
