"""A journal that is read again and again by one reader: each time only what was appended.

Unlike a tail it returns every valid line, durable or not, as `read_journal` does. So a line that
was returned can be replaced by another, after a power loss; the reader then reads all again.
"""

from typing import NamedTuple

from waivern.store import journal
from waivern.store.backend import FileHandle
from waivern.store.store_values import JournalLine, Stamp


class JournalPlace(NamedTuple):
    """The end of what was read of a journal."""

    seq: int
    """The number of the line before it."""
    head: str
    """The hash of that line."""
    position: int = 0
    """The bytes before it, for a store that reads from there."""
    file: Stamp = ()
    """The file, its size and the time of its last change, when it was read."""


class GrownJournal(NamedTuple):
    """The lines that follow a place, and the place after them."""

    lines: tuple[JournalLine, ...]
    place: JournalPlace


def grown(lines: tuple[JournalLine, ...], place: JournalPlace | None) -> GrownJournal | None:
    """Return the part of a whole journal that follows a place; None if the place is not in it."""
    count = place.seq if place else 0
    if place and (len(lines) < count or lines[count - 1].hash != place.head):
        return None
    return GrownJournal(lines[count:], JournalPlace(len(lines), lines[-1].hash if lines else ""))


def grown_file(
    file: FileHandle, place: JournalPlace, anchor: journal.JournalAnchor
) -> GrownJournal | None:
    """Return the lines that follow a place in a file; None if the whole is to be read again.

    `anchor` is what `run.json` recorded before the file was opened.
    """
    data = file.read_all(place.position)
    now = stamp_of(file)
    if now[:2] != place.file[:2] or now[2] < place.position:
        return None
    if not data and now != place.file:  # bytes before the place may have changed
        return None
    lines: list[JournalLine] = []
    start, count, head = 0, place.seq, place.head
    while (end := data.find(b"\n", start)) >= 0:
        found = journal.parsed(data[start:end], count + 1, head)
        if isinstance(found, str):
            return None
        lines.append(JournalLine(found.seq, found.record, found.hash))
        count, head, start = found.seq, found.hash, end + 1
        if count == anchor.lines and head != anchor.head:
            return None
    if count < anchor.lines:
        return None
    return GrownJournal(tuple(lines), JournalPlace(count, head, place.position + start, now))


def stamp_of(file: FileHandle) -> Stamp:
    """Return what changes with a file: which one it is, its size, and when it was changed."""
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns
