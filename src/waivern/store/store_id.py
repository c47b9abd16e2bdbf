"""The id of a store: random, created once, recorded by each attempt of a run in it."""

from __future__ import annotations

import re
import uuid
from functools import partial

from waivern.errors import IntegrityError
from waivern.store.backend import FolderHandle
from waivern.store.os_errors import until_undisturbed

ID = "id"
_PART = re.compile(rb"[0-9a-f-]{0,36}")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")


def read(root: FolderHandle) -> str | None:
    """Return the id of the store in this folder; None if it has none yet.

    Raises IntegrityError if it is damaged.
    """
    data = root.read_if_any(ID, 1 << 10)
    if data is None or _PART.fullmatch(data):  # an incomplete one was never recorded
        return None
    text = data.decode(errors="replace")
    if _ID.fullmatch(text) is None:
        raise IntegrityError(
            f"{root.name}/{ID} is damaged: it does not hold the id of a store",
            hint="restore it from a copy; without it, each earlier run of the store is foreign",
        )
    return text.strip()


def make(root: FolderHandle, given: str | None = None) -> str:
    """Return the id of the store in this folder; the first process that needs one creates it.

    A new one is `given`, that of a store whose runs are copied, or random. It is written in place,
    under a lock, and returned when it is durable. A crash leaves at most a part of it, which the
    next process replaces: no run has recorded it.
    """
    return read(root) or until_undisturbed(partial(_make, root, given))


def _make(root: FolderHandle, given: str | None) -> str:
    with root.locked():
        if (found := read(root)) is not None:
            return found
        root.unlink(ID)
        found = given or str(uuid.uuid4())
        root.write_new(ID, f"{found}\n".encode())
        root.sync()
    return found
