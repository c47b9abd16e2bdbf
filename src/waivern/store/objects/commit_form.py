"""The form of the objects of a log: commits, and snapshots of the tree after one.

Both are a JSON document on the first line and bytes after it, to which extents of files refer:

    {"form": "waivern-commit/1", "number": 7, "nonce": …, "at_ns": …, "epoch": 2, "claim": …,
     "operations": [...], "contents": [[file, kept bytes, [extent, ...]], ...]}

An extent is `[size, key, offset]`; an empty key is that of the object itself, whose bytes begin
after its first line. A snapshot has `nodes`, all files and folders, in place of operations.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store.objects.object_tree import Extent

FORM = "waivern-commit/1"


class Commit(NamedTuple):
    """An object of a log, without its bytes."""

    head: dict[str, Any]
    start: int
    """Where its bytes begin."""


def encode(head: dict[str, Json], body: bytes) -> tuple[bytes, int]:
    """Return an object, and where its bytes begin in it."""
    text = json.dumps({"form": FORM, **head}, separators=(",", ":"), ensure_ascii=False)
    line = text.encode("utf-8", "surrogatepass") + b"\n"
    return line + body, len(line)


def decode(data: bytes, key: str) -> Commit:
    """Return an object of a log. Raises IntegrityError if it is none."""
    line, end, _ = data.partition(b"\n")
    try:
        head = json.loads(line.decode("utf-8", "surrogatepass"))
        if end and head["form"] == FORM:
            return Commit(head, len(line) + 1)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise IntegrityError(
        f"the object {key} is damaged: it is no commit",
        hint="restore it from a copy of the bucket",
    )


def document(extents: list[Extent]) -> list[Json]:
    """Return extents as a document has them."""
    return [[each.size, each.key, each.offset] for each in extents]


def listed(head: dict[str, Any], key: str, name: str) -> list[Any]:
    """Return a list in the document of an object. Raises IntegrityError if there is none."""
    found = head.get(name, [])
    if not isinstance(found, list):
        raise IntegrityError(f"the object {key} is damaged: its {name} are no list")
    return found
