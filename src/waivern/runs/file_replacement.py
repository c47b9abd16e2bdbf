"""Files outside the store that appear whole or not at all, readable by their owner only.

The new file is written beside its place under a hidden name, synced, and renamed. What a killed
process left under such a name is removed by the next one that writes the same file: a lock on it
shows whether a process still writes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import IO

from waivern.errors import StoreError, UsageError

_ENDING = ".waivern-part"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open the file that takes the place of `path` when the block ends without an error.

    Folders above it are created. A link is followed. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(path)
    staged = path.parent / f".{path.name[:100]}.{secrets.token_hex(8)}{_ENDING}"
    try:
        with _locked(staged) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            staged.rename(path)
    except BaseException:
        with suppress(OSError):
            staged.unlink()
        raise
    _sync_folder(path.parent)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an operating system error into a StoreError that names the file."""
    try:
        yield
    except OSError as error:
        hint = "free some space, then export again" if error.errno in _FULL else None
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; there is no new file",
            hint=hint or "choose another path that you can write to",
        ) from error


def checked(text: str) -> Path:
    """Return the absolute path of a file to be written. Raises UsageError if it cannot be one."""
    from waivern.files import absolute, destination

    if not text or "\0" in text or text.endswith("/"):
        raise UsageError(f"{text!r} is not the path of a file", hint="give the path of a file")
    path = Path(os.path.normpath(absolute(destination(text))))
    if path.is_dir():
        raise UsageError(f"{text!r} is a folder", hint=f"name a file in it, such as {text}/export")
    return path


_FULL = (28, 122)
"""No space on the device, and quota exceeded."""


def _locked(staged: Path) -> BufferedRandom:
    """Create a file and lock it; create it again if it was swept before it was locked."""
    while True:
        file = _created(staged)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def _created(staged: Path) -> BufferedRandom:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(staged, flags, 0o600), "w+b")


def is_special(path: Path) -> bool:
    """Return whether a path leads to a device or a pipe, which cannot be replaced."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _sweep(path: Path) -> None:
    """Remove what killed processes left of the same file."""
    beginning = f".{path.name[:100]}."
    for name in os.listdir(path.parent):  # noqa: PTH208 - a pattern would have to be escaped
        if not (name.startswith(beginning) and name.endswith(_ENDING)):
            continue
        with suppress(OSError):
            found = os.open(path.parent / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (path.parent / name).unlink()
            finally:
                os.close(found)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot; the file itself is durable
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
