"""The history of a store: `runs.jsonl`, one line for each attempt that has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator

from waivern.message import Json
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.layout import HISTORY, RECORD_BYTES
from waivern.store.os_errors import until_undisturbed


def append(root: FolderHandle, line: dict[str, Json]) -> None:
    """Append a line, durably."""
    text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
    until_undisturbed(lambda: root.append(HISTORY, text, own_line=True, sync=True))


def read(root: FolderHandle, run_id: str | None) -> list[dict[str, Json]]:
    """Return the lines that name a run; without an id all, and of one that is no object {}.

    Raises FileNotFoundError if there are none.
    """
    with root.open(HISTORY, "read") as file:
        lines = _lines(file, RECORD_BYTES)
        if run_id is None:
            return [_object(line) or {} for line in lines if line.strip()]
        named = (line for line in lines if run_id.encode() in line)
        found = [line for line in map(_object, named) if line]
    return [line for line in found if line.get("run_id") == run_id]


def _lines(file: FileHandle, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is longer than that, only its end."""
    at, rest = 0, b""
    while chunk := file.read(1 << 20, at):
        at += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        rest = rest[-longest:]
    if rest:
        yield rest


def _object(line: bytes) -> dict[str, Json] | None:
    """Return the JSON object on a line; None if there is none."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
