"""The access log of a store: the source content that was shown to people, chained by hashes.

Its lines have the form of a journal's. A line is durable before the content is shown; a torn line
at the end is one after which nothing was shown, and the next writer cuts it.
"""

from __future__ import annotations

from functools import partial

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.store import journal
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.os_errors import until_undisturbed
from waivern.store.store_values import Journal

ACCESS = "access.jsonl"
TAIL_BYTES = 1 << 20
"""The part of the log that is read to append a line; a longer line was not written here."""
LOG_BYTES = 1 << 30


def append(root: FolderHandle, record: dict[str, Json]) -> None:
    """Append a line, durably. Raises IntegrityError if the last one was altered."""
    until_undisturbed(partial(_append_locked, root, record, []))


def _append_locked(root: FolderHandle, record: dict[str, Json], tried: list[bytes]) -> None:
    """Append a line, unless one that was `tried` before is there after all."""
    while True:
        with root.open(ACCESS, "append") as file:
            file.lock(exclusive=True, wait=True)
            if not root.same_file(ACCESS, file):  # it was replaced while this process waited
                continue
            size = file.stat().st_size
            _append(file, root.read_tail(ACCESS, TAIL_BYTES), record, tried)
            if not size:
                root.sync()  # its name is new
            return


def _append(file: FileHandle, tail: bytes, record: dict[str, Json], tried: list[bytes]) -> None:
    if any(line in tail for line in tried):  # with its number and its hash: it is that very line
        return
    last, end = journal.last_line(tail)
    if isinstance(last, str):
        raise IntegrityError(f"the last line of {ACCESS} is damaged: {last}", hint=_HINT)
    if end < len(tail):
        if last is None and len(tail) == TAIL_BYTES:
            raise IntegrityError(f"{ACCESS} does not end with lines", hint=_HINT)
        file.cut(file.stat().st_size - (len(tail) - end))
    chain = journal.JournalChain(last.seq, last.hash) if last else journal.JournalChain()
    line = chain.extend([record])
    tried.append(line)
    file.write(line)
    file.sync()


def read(root: FolderHandle) -> Journal:
    """Return the lines, checked; none if there is no log. Raises IntegrityError."""
    data = root.read_if_any(ACCESS, LOG_BYTES)
    return journal.read(data or b"").journal


_HINT = "`wct runs access` reports what is damaged; move the file aside, and keep it"
