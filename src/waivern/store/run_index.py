"""The index of runs on the disk: what lists of runs need of each. A help, never the truth.

`index.jsonl` may be deleted at any time. Its first line has the digest of the second, which has an
entry for each run, with the stamp that the records of the run had when they were read: inode, size
and time of last change of each. The kernel sets that time, so no edit, no copy and no restored
backup keeps it; an entry with another stamp is none.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from waivern.errors import IntegrityError
from waivern.message import Json, sha256
from waivern.store.backend import FolderHandle
from waivern.store.store_values import RunIndex, Stamp

if TYPE_CHECKING:
    from waivern.store.port import FileStatus

NAME = "index.jsonl"
FORM = "waivern-run-index/1"
READ_BYTES = 256 << 20
TICK_NS = 20_000_000
"""The clock of a file system moves in ticks of at most 10 ms; a record that changed a moment ago
may change again within the same tick, and its stamp would not."""
SECOND_NS = 1_000_000_000


def stamps(
    runs: FolderHandle, names: Iterable[str], records: Iterable[str]
) -> dict[str, Stamp | None]:
    """Return the stamp of each run; None of a run whose records cannot be looked at."""
    records = tuple(records)
    names = tuple(names)
    found = iter(runs.look_at(f"{name}/{record}" for name in names for record in records))
    return {name: _stamp(islice(found, len(records))) for name in names}


def _stamp(looked: Iterator[FileStatus | OSError | None]) -> Stamp | None:
    found: list[int] = []
    for status in [*looked]:
        if isinstance(status, OSError) and not isinstance(status, NotADirectoryError):
            return None
        if status is None or isinstance(status, OSError):
            found += (0, 0, 0)
        else:
            found += (status.st_ino, status.st_size, status.st_ctime_ns)
    return tuple(found)


def settled(stamp: Stamp, moment: int) -> bool:
    """Report whether any change after `moment`, when the stamp was taken, gives another stamp."""
    for changed in stamp[2::3]:
        coarse = changed % SECOND_NS == 0  # a file system that knows no fractions of a second
        if changed > moment - (3 * SECOND_NS if coarse else TICK_NS):
            return False
    return True


def write(root: FolderHandle, seen: RunIndex, entries: Mapping[str, list[Json]]) -> None:
    """Replace the index by `entries` of runs that were read after `seen`, and what held then."""
    runs = {run: [seen.stamps[run], entry] for run, entry in seen.entries.items()}
    for run, entry in entries.items():
        stamp = seen.stamps.get(run)
        if stamp is not None and settled(stamp, seen.moment):
            runs[run] = [stamp, entry]
    for name in root.names():
        if name.startswith(f".tmp-{NAME}-"):  # of a process that was killed
            root.unlink(name)
    body = json.dumps(runs, separators=(",", ":")).encode()
    head = json.dumps({"form": FORM, "sha256": sha256(body)}).encode()
    root.replace(NAME, b"%b\n%b\n" % (head, body), sync=False)


def read(root: FolderHandle, known: Mapping[str, Stamp | None]) -> dict[str, list[Json]]:
    """Return the entries of the runs whose stamps are still those of the index."""
    try:
        head, _, body = _read(root).partition(b"\n")
        body = body.removesuffix(b"\n")
        if json.loads(head) != {"form": FORM, "sha256": sha256(body)}:
            return {}
        runs = json.loads(body).items()
        pairs = ((run, stamp, entry) for run, (stamp, entry) in runs if isinstance(entry, list))
        return {run: entry for run, stamp, entry in pairs if _same(known.get(run), stamp)}
    except (IntegrityError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # damaged, or of another version


def _same(known: Stamp | None, stamp: Json) -> bool:
    return known is not None and isinstance(stamp, list) and list(known) == stamp


def _read(root: FolderHandle) -> bytes:
    """Return the file's bytes, if only its owner may write to it, who must own the store too."""
    try:
        with root.open(NAME, "read") as file:
            found, store = file.stat(), root.stat()
            foreign = found.st_uid != store.st_uid or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return b"" if foreign else root.read(NAME, READ_BYTES)
    except FileNotFoundError:
        return b""
