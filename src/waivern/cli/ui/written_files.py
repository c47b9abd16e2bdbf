"""Files that a command writes into the user's own folders, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from waivern.errors import RefusedError, StoreError


def create_all(files: Mapping[Path, str]) -> None:
    """Create several files, with their folders. Raises RefusedError if one of them exists.

    If one cannot be written, those that were are removed again.
    """
    for path in files:
        if os.path.lexists(path):
            raise RefusedError(
                f"{str(path)!r} exists, and is not overwritten",
                hint="rename it, or choose another name",
            )
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as out:
                written.append(path)
                out.write(text)
    except FileExistsError as error:
        _remove(written)
        raise RefusedError(f"{error.filename!r} exists, and is not overwritten") from error
    except OSError as error:
        _remove(written)
        raise _unwritable(error) from error


def replace(path: Path, text: str) -> None:
    """Write a file in place of what is there, with the mode of the earlier one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        descriptor, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(text)
            Path(staged).chmod(mode)
            Path(staged).replace(path)
        except BaseException:
            _remove([Path(staged)])
            raise
    except OSError as error:
        raise _unwritable(error) from error


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _unwritable(error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {str(error.filename)!r}: {error.strerror}",
        hint="check the permissions of the folder and the space on the disk",
    )
