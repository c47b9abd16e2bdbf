"""The chain of journal lines, and the meaning of a damaged journal.

A line is one JSON object ending in its own hash:

    {"seq":2,"synced":1,"prev":"<hash of line 1>","event":{...},"hash":"<hex>"}

The hash is the SHA-256 of the line's bytes before `,"hash":`, which include the previous hash, so
an auditor can check a line with `head -c -76 | sha256sum` (75 bytes of suffix and the newline).
`synced` is the last seq that was known to be durable when the line was written.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.message import Json, sha256
from waivern.store.store_values import Journal, JournalLine

ROOT = "0" * 64
"""The hash that the first line has as its previous one."""
LINE_BYTES = 64 << 20
"""A longer line was not written by this program."""
_BEGINNING = b'{"seq":'
_SUFFIX = len(',"hash":"') + 64 + len('"}')


def _hash(body: bytes) -> str:
    return sha256(body).removeprefix("sha256:")


class JournalChain:
    """The end of a journal, from which the next lines are made."""

    __slots__ = ("count", "durable", "head")

    def __init__(self, count: int = 0, head: str = ROOT) -> None:
        self.count = count
        self.head = head
        self.durable = count
        """The number of lines that are known to be on the disk."""

    def extend(self, records: Iterable[dict[str, Json]]) -> bytes:
        """Return the bytes of the next lines; the chain continues after them."""
        from pydantic_core import to_json  # who only reads can do without

        lines, count, head = [], self.count, self.head
        for record in records:
            count += 1
            here = (count, self.durable, head.encode(), to_json(record))
            body = b'{"seq":%d,"synced":%d,"prev":"%b","event":%b' % here
            head = _hash(body)
            lines.append(b'%b,"hash":"%b"}\n' % (body, head.encode()))
        self.count, self.head = count, head
        return b"".join(lines)

    def mark_durable(self) -> None:
        """Record that all lines so far are on the disk."""
        self.durable = self.count


class JournalReading(NamedTuple):
    """The valid lines of a journal, where they end, and why there."""

    lines: tuple[JournalLine, ...]
    valid_bytes: int
    fault: str | None
    """The fault of the line after the last valid one; None if nothing follows."""

    @property
    def journal(self) -> Journal:
        """The journal for readers."""
        return Journal(self.lines, torn=self.fault is not None)


class JournalAnchor(NamedTuple):
    """The journal as a synced `run.json` records it: the number of `lines`, the last hash."""

    lines: int = 0
    head: str = ROOT


NOTHING_KNOWN = JournalAnchor()


def read(data: bytes, anchor: JournalAnchor = NOTHING_KNOWN) -> JournalReading:
    """Read a journal that is known to have reached `anchor` on the disk.

    A bad region at the end is a torn tail, unless it had been durable, as a valid later line or
    the anchor shows: then IntegrityError names the line.
    """
    lines: list[JournalLine] = []
    position, head, durable = 0, ROOT, anchor.lines
    fault: str | None = None
    while position < len(data):
        end = data.find(b"\n", position, position + LINE_BYTES)
        found = parsed(data[position:end], len(lines) + 1, head) if end >= 0 else "it has no end"
        if isinstance(found, str):
            fault = found
            break
        head = found.hash
        durable = max(durable, found.synced)
        lines.append(JournalLine(found.seq, found.record, found.hash))
        position = end + 1
    if fault:
        durable = max(durable, _durable_beyond(data, position))
    if len(lines) < durable:
        witness = "run.json" if durable == anchor.lines else "a later line"
        raise IntegrityError(
            f"journal line {len(lines) + 1} is damaged: {fault or 'it is missing'}; "
            f"it was known to be on the disk ({durable} lines were, says {witness})",
            hint="the run cannot be trusted any more: start a new one, or restore the file",
        )
    if anchor.lines and lines[anchor.lines - 1].hash != anchor.head:
        raise IntegrityError(
            f"journal line {anchor.lines} is not the one that run.json recorded",
            hint="the journal was rewritten, or run.json was: compare with a copy kept elsewhere",
        )
    return JournalReading(tuple(lines), position, fault)


class ParsedLine(NamedTuple):
    """A line whose own hash is right."""

    seq: int
    synced: int
    """The number of lines that were known to be durable when it was written."""
    prev: str
    record: dict[str, Json]
    hash: str


def parsed(raw: bytes, expected: int, head: str) -> ParsedLine | str:
    """Return the line that follows one with the hash `head`, or the fault of it."""
    found = _line(raw)
    return found if isinstance(found, str) else _misplaced(found, expected, head) or found


def _line(raw: bytes) -> ParsedLine | str:
    """Return a line whose own hash is right, or the fault of it."""
    body, suffix = raw[:-_SUFFIX], raw[-_SUFFIX:]
    own = _hash(body)
    if suffix != b',"hash":"%b"}' % own.encode():
        return "its hash does not fit its bytes"
    try:
        document = json.loads((body + b"}").decode())  # of bytes it guesses the encoding
        return ParsedLine(
            int(document["seq"]),
            int(document["synced"]),
            str(document["prev"]),
            dict(document["event"]),
            own,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it is not a journal line"


def _misplaced(line: ParsedLine, expected: int, head: str) -> str | None:
    if line.seq != expected:
        return f"it says it is line {line.seq}"
    if line.prev != head:
        return "it does not follow the line before it"
    return None


def _durable_beyond(data: bytes, position: int) -> int:
    """Return how many lines the valid lines in the bad region from `position` say were durable."""
    durable = 0
    while (start := data.find(_BEGINNING, position)) >= 0:
        end = data.find(b"\n", start, start + LINE_BYTES)
        found = _line(data[start:end]) if end >= 0 else None
        if isinstance(found, ParsedLine):
            durable = max(durable, found.synced)
        position = end if isinstance(found, ParsedLine) else start + 1
    return durable


def last_line(data: bytes) -> tuple[JournalLine | str | None, int]:
    """Return the last whole line in the tail end of a log, and where it ends.

    The fault of the line if its own hash is wrong; None if there is no whole line.
    """
    end = data.rfind(b"\n") + 1
    if not end:
        return None, 0
    found = _line(data[data.rfind(b"\n", 0, end - 1) + 1 : end - 1])
    return (
        found if isinstance(found, str) else JournalLine(found.seq, found.record, found.hash)
    ), end


def last(data: bytes) -> dict[str, Json] | None:
    """Return the record of the last line in the tail end of a journal; None if it is torn.

    Its hash is not checked: this is for lists of runs, which show a status, not whether it can be
    trusted.
    """
    if not data.endswith(b"\n"):
        return None
    start = data.rfind(b"\n", 0, -1) + 1
    try:
        record = json.loads(data[start:-1])["event"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
