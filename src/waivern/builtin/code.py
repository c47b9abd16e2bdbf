"""Digests of the user's own code, taken without running any of it."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from waivern.builtin.properties import located
from waivern.errors import ComponentError
from waivern.files import open_file
from waivern.message import sha256
from waivern.plugins.context import Context, Memo

_NO_FILE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO}
)


class Source(NamedTuple):
    """A file of Python as an attempt first found it."""

    path: Path
    data: bytes
    digest: str


def source(where: str, ctx: Context) -> Source:
    """Return a file of Python, read once an attempt: what runs is what its digest was taken of.

    Raises ComponentError if it cannot be read.
    """

    def read() -> Source:
        path = located(ctx, where)
        with _regular(path) as file:
            if file is None:
                raise ComponentError(f"{where!r} cannot be read: it is no regular file")
            data = file.read()
        return Source(path, data, sha256(data))

    return ctx.once(("python", ctx.base, where), read)


def of_call(call: str, ctx: Context) -> str | None:
    """Return the digest of the file that 'module:function' or 'path.py:function' names.

    What the file imports is not seen. None for a module without a file, or none at all; raises
    ComponentError if a file cannot be read.
    """
    where = call.rpartition(":")[0]
    return source(where, ctx).digest if where.endswith(".py") else of_module(where)


_modules = Memo()


def of_module(name: str) -> str | None:
    """Return the digest of a module's file as it was when this process first had to do with it.

    None if it has none. A module is imported once in a process, whatever becomes of its file.
    """

    def read() -> str | None:
        path = _module_file(name)
        return _of_file(path) if path else None

    return _modules.get(name, read)


def of_command(argv: Sequence[str], ctx: Context) -> str | None:
    """Return the digest of the files that a command line names.

    Those are an executable with a '/' in it, and every argument that is a file where the command
    runs: of `python3 report.py` the script. A program on PATH, and a file within an argument
    (`--rules=x.yaml`), are not seen. None if no file is named; raises ComponentError if one cannot
    be read.
    """
    program = [executable(argv[0], ctx)] if "/" in argv[0] else []
    digests = [_of_file(ctx.base / name) for name in (*program, *argv[1:])]
    return sha256(json.dumps(digests).encode()) if any(digests) else None


def executable(command: str, ctx: Context) -> str:
    """Return what to start: a path from the runbook's folder if it has a '/', or a name on PATH."""
    return str(ctx.path(command).absolute()) if "/" in command else command


def _of_file(path: Path) -> str | None:
    """Return the digest of a regular file's bytes; None if it is no such file."""
    with _regular(path) as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest() if file else None


@contextmanager
def _regular(path: Path) -> Iterator[BufferedReader | None]:
    """Open a regular file; None if it is no such file."""
    with ExitStack() as stack:
        file = None
        try:
            file = stack.enter_context(open_file(path))
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise ComponentError(f"{path.name!r} cannot be read: {error.strerror}") from error
        yield file


def _module_file(module: str) -> Path | None:
    """Return where a module would be imported from; importlib's own search imports its parents."""
    name, folders, origin = "", None, None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        found = (finder.find_spec(name, folders) for finder in sys.meta_path)
        spec = next((spec for spec in found if spec), None)
        if spec is None:
            return None
        folders = spec.submodule_search_locations
        origin = spec.origin if spec.has_location else None
    return Path(origin) if origin else None
