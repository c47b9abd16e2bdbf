"""Which store is meant: what was typed, else what was set, else what lies nearest.

Without pathlib, whose import costs a tenth of what `wct runs` takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from waivern.errors import UsageError

VARIABLE = "WAIVERN_STORE"
FOLDER = ".waivern"


def locate(
    typed: str | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: str | None = None,
) -> str:
    """Return the path or URL of the store; `folder` is the current one unless given.

    It need not be there yet. Raises UsageError if something other than a folder is in its place.
    """
    for source, text in (("--store", typed), (VARIABLE, environ.get(VARIABLE))):
        if text is not None and (text or source == "--store"):
            return _usable(text, source)
    return _nearest(folder or os.getcwd())


def _nearest(folder: str) -> str:
    at, above = folder, os.path.dirname(folder)
    while not os.path.isdir(os.path.join(at, FOLDER)):
        if at == above:
            return os.path.join(folder, FOLDER)
        at, above = above, os.path.dirname(above)
    return os.path.join(at, FOLDER)


def _usable(text: str, source: str) -> str:
    if not text or "\0" in text:
        raise UsageError(f"{source} does not name a folder", hint="give a path, file: or memory:")
    path = text.removeprefix("file:")
    if ":" not in path and os.path.exists(path) and not os.path.isdir(path):
        raise UsageError(
            f"{source} is {text!r}, which is not a folder",
            hint=f"a store is a folder such as '{FOLDER}'; it is made when it is needed",
        )
    return text
