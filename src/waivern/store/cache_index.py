"""The index of the cache: from what each artifact was produced. A help, never the truth.

`cache/<two hex>.jsonl` has a line for each entry, appended; the last line of a key counts, and a
line that cannot be read is ignored. An entry names its run; its reader checks it there.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from functools import partial

from waivern.errors import IntegrityError, UsageError
from waivern.message import Json
from waivern.store.backend import FolderHandle
from waivern.store.os_errors import until_undisturbed
from waivern.store.port import identity

SHARD_BYTES = 4 << 20
"""A larger shard is compacted: to the last entry of each key whose run still exists, and of those
to the newest half of this size."""
READ_BYTES = 64 << 20
"""A larger one was not written by this program: it is not read, and replaced."""
KEPT_BYTES = 16 << 20
"""Bytes of shards that stay in memory while a run is held."""
KEY = "key"
KEY_BYTES = 32


def write(
    folder: FolderHandle, entries: Mapping[str, dict[str, Json]], runs: Callable[[], Container[str]]
) -> None:
    """Append entries, with one write for each shard; sweep the leftovers of a crash.

    `runs` returns the ids of the existing runs; it is called only when a shard is too large.
    """
    lines: dict[str, dict[str, bytes]] = defaultdict(dict)
    for key, entry in entries.items():
        line = json.dumps({"key": key, "entry": entry}, ensure_ascii=False)
        lines[_shard(key)][key] = line.encode() + b"\n"
    with folder.shared():
        for name, group in lines.items():
            folder.append(name, b"".join(group.values()), own_line=True)
    # if another process writes to it now, the last of the writers does this
    with suppress(BlockingIOError), folder.alone() as alone:
        if alone:
            _tidy(folder, lines, runs)


def _tidy(
    folder: FolderHandle, lines: Mapping[str, dict[str, bytes]], runs: Callable[[], Container[str]]
) -> None:
    """Compact the shards that `lines` made too large; no other process may be writing.

    Another writer could have a shard open, and would append to the file that was replaced.
    """
    grown = {name: size for name in lines if (size := folder.size(name)) > SHARD_BYTES}
    there = runs() if grown else ()
    for name, size in grown.items():
        kept = lines[name] if size > READ_BYTES else _kept(folder.read(name, READ_BYTES), there)
        folder.replace(name, b"".join(kept.values()), sync=False)
    for name in folder.names():
        if name.startswith(".tmp-"):
            folder.unlink(name)


def _kept(data: bytes, runs: Container[str]) -> dict[str, bytes]:
    """Return the lines to retain, by key, the newest last."""
    newest: dict[str, bytes] = {}
    room, seen = SHARD_BYTES // 2, set[str]()
    for key, entry, line in reversed(list(_lines(data))):
        if key not in seen and str(entry.get("run")) in runs and len(line) <= room:
            newest[key] = line
            room -= len(line)
        seen.add(key)
    return dict(reversed(newest.items()))


class Shards:
    """Shards as they were read, for as long as their files do not change. Thread-safe.

    Each artifact of a run looks for its entry, and a shard has those of many.
    """

    def __init__(self) -> None:
        self._read: dict[str, tuple[tuple[int, ...], bytes]] = {}
        self._room = KEPT_BYTES

    def read(self, folder: FolderHandle, name: str) -> bytes | None:
        """Return the bytes of a shard; None if there is none."""
        found = folder.look(name)
        if found is None:
            return None
        stamp = (*identity(found), found.st_size, found.st_ctime_ns)
        known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        data = folder.read_if_any(name, READ_BYTES)
        if data is not None and len(data) == found.st_size:  # else it has grown meanwhile
            if known is not None:
                self._room += len(known[1])
            if len(data) > self._room:
                self.clear()
            self._room -= len(data)
            self._read[name] = stamp, data
        return data

    def clear(self) -> None:
        """Forget all that was read."""
        self._read.clear()
        self._room = KEPT_BYTES


def read(folder: FolderHandle, key: str, shards: Shards | None = None) -> dict[str, Json] | None:
    """Return the last entry of a key; `shards` are those that were read before."""
    try:
        name = _shard(key)
        data = shards.read(folder, name) if shards else folder.read_if_any(name, READ_BYTES)
    except IntegrityError:  # a link, a device, or a file that this program did not write
        return None
    for line in _backwards(data or b"", key.encode()):
        for other, entry, _ in _lines(line):
            if other == key:
                return entry
    return None


def _backwards(data: bytes, text: bytes) -> Iterator[bytes]:
    """Yield the lines that contain a text, the last first, without parsing the others."""
    end = data.rfind(b"\n") + 1
    while (at := data.rfind(text, 0, end)) >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        yield data[start : data.find(b"\n", at) + 1]
        end = start


def secret(folder: FolderHandle, *, make: bool) -> bytes:
    """Return the secret of the store; the first process that needs it creates it, if it may.

    Raises IntegrityError if it is damaged, FileNotFoundError.
    """
    found = folder.read_if_any(KEY, 1 << 10) if make else folder.read(KEY, 1 << 10)
    if found is None:
        found = until_undisturbed(partial(_make_secret, folder))
    if len(found) != KEY_BYTES:
        raise IntegrityError(f"{folder.name}/{KEY} is damaged", hint="remove the folder 'cache'")
    return found


def _make_secret(folder: FolderHandle) -> bytes:
    with folder.locked():  # of two processes that need it first, the second one reads it
        if (found := folder.read_if_any(KEY, 1 << 10)) is None:
            found = os.urandom(KEY_BYTES)
            folder.replace(KEY, found)
    return found


_DIGEST = re.compile("sha256:[0-9a-f]{64}")


def _shard(key: str) -> str:
    if not _DIGEST.fullmatch(key):  # it becomes the name of a file
        raise UsageError(f"not a key of the cache: {key!r}")
    return f"{key.removeprefix('sha256:')[:2]}.jsonl"


def _lines(data: bytes) -> Iterator[tuple[str, dict[str, Json], bytes]]:
    """Yield (key, entry, line) for each line that can be read."""
    for line in data.splitlines(keepends=True):
        if line.endswith(b"\n"):
            try:
                document = json.loads(line.decode())  # of bytes it guesses the encoding
                yield str(document["key"]), dict(document["entry"]), line
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
