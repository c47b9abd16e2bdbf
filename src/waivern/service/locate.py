"""Which store is meant: what was typed, else what was set, else what lies nearest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from waivern.errors import UsageError

VARIABLE = "WAIVERN_STORE"
FOLDER = ".waivern"


def locate(
    typed: str | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> str:
    """Return the path or URL of the store; `folder` is the current one unless given.

    It need not be there yet. Raises UsageError if something other than a folder is in its place.
    """
    for source, text in (("--store", typed), (VARIABLE, environ.get(VARIABLE))):
        if text is not None and (text or source == "--store"):
            return _usable(text, source)
    return str(_nearest(folder or Path.cwd()))


def _nearest(folder: Path) -> Path:
    for parent in (folder, *folder.parents):
        if (parent / FOLDER).is_dir():
            return parent / FOLDER
    return folder / FOLDER


def _usable(text: str, source: str) -> str:
    if not text or "\0" in text:
        raise UsageError(f"{source} does not name a folder", hint="give a path, file: or memory:")
    path = Path(text.removeprefix("file:"))
    if ":" not in str(path) and path.exists() and not path.is_dir():
        raise UsageError(
            f"{source} is {text!r}, which is not a folder",
            hint=f"a store is a folder such as '{FOLDER}'; it is made when it is needed",
        )
    return text
