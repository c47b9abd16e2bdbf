"""A store from its URL or path."""

from __future__ import annotations

import os

from waivern.errors import UsageError
from waivern.store.base import RunStore


def open_store(
    url: str | os.PathLike[str],
    *,
    trust: bool = False,
    working_folder: str | os.PathLike[str] = ".",
) -> RunStore:
    """Return the store at a path, a `file:` URL, or `memory:` (a new, empty one in this process).

    Nothing is made or read on the disk yet; `trust` and `working_folder` are those of a
    LocalFilesystemStore. Raises UsageError for a scheme that nobody serves.
    """
    text = os.fspath(url)
    scheme, colon, rest = text.partition(":")
    if text == "memory:":
        from waivern.store.memory import AsyncInMemoryStore

        return AsyncInMemoryStore()
    if colon and scheme.isalnum() and scheme != "file":
        raise UsageError(f"no store for '{scheme}:'", hint="use a path, file: or memory:")
    from waivern.store.local import LocalFilesystemStore

    path = rest.removeprefix("//") if scheme == "file" and colon else text
    return LocalFilesystemStore(path, trust=trust, working_folder=working_folder)
