"""The cache on the disk: which artifact was made of what. A help, never the truth.

`cache/<two hex>.jsonl` has a line for each entry, appended; the last line of a key counts, and a
line that cannot be read is none. Everything found here is checked against the run it speaks of.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store.disk import Folder

SHARD_BYTES = 4 << 20
"""A shard that has grown beyond this is written anew, each key once."""
READ_BYTES = 64 << 20
KEY = "key"
KEY_BYTES = 32


def write(folder: Folder, entries: Mapping[str, dict[str, Json]]) -> None:
    """Append entries, in one write a shard; sweep what a crash left half made."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for key, entry in entries.items():
        line = json.dumps({"key": key, "entry": entry}, ensure_ascii=False)
        lines[_shard(key)].append(line.encode() + b"\n")
    for name, group in lines.items():
        folder.append(name, b"".join(group), own_line=True)
        if folder.size(name) > SHARD_BYTES:
            kept = dict(_lines(folder.read(name, READ_BYTES)))
            with folder.shared():
                folder.replace(name, b"".join(kept.values()), sync=False)
    with folder.alone() as nobody:
        if nobody:
            for name in folder.names():
                if name.startswith(".tmp-"):
                    folder.unlink(name)


def read(folder: Folder, key: str) -> dict[str, Json] | None:
    """Return the last entry of a key."""
    try:
        data = folder.read_if_any(_shard(key), READ_BYTES)
    except IntegrityError:  # a link, a device, a file that nobody here wrote
        return None
    found = None
    for other, line in _lines(data or b"", only=key.encode()):
        if other == key:
            found = line
    entry = json.loads(found)["entry"] if found else None
    return entry if isinstance(entry, dict) else None


def pepper(folder: Folder, *, make: bool) -> bytes:
    """Return the store's own random key; whoever comes first makes it, if it may be made.

    Raises IntegrityError if what lies there is none, FileNotFoundError.
    """
    found = folder.read_if_any(KEY, 1 << 10) if make else folder.read(KEY, 1 << 10)
    if found is None:
        staged = f".tmp-{KEY}-{os.getpid()}-{os.urandom(4).hex()}"
        with folder.shared():
            folder.write_new(staged, os.urandom(KEY_BYTES))
            try:
                folder.link(staged, KEY)
                folder.sync()
            finally:
                folder.unlink(staged)
        found = folder.read(KEY, 1 << 10)
    if len(found) != KEY_BYTES:
        raise IntegrityError(f"{folder.name}/{KEY} is damaged", hint="remove the folder 'cache'")
    return found


def _shard(key: str) -> str:
    return f"{key.removeprefix('sha256:')[:2]}.jsonl"


def _lines(data: bytes, only: bytes = b"") -> Iterator[tuple[str, bytes]]:
    """Yield (key, line) for each line that can be read and has `only` in it."""
    for line in data.splitlines(keepends=True):
        if only in line and line.endswith(b"\n"):
            try:
                document = json.loads(line)
                yield str(document["key"]), line
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
