"""The tail of a journal: its durable lines, read while another process appends more.

Readers of a live run see lines before they are on the disk. A power loss takes such lines back,
and the next holder of the run gives their numbers to other events: nothing that was reported may
depend on them. So a tail returns a line only when it is known to be durable. What comes after is
read again the next time, since it may be other bytes by then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from waivern.errors import IntegrityError
from waivern.store import journal
from waivern.store.store_values import Journal, JournalLine

PIECE_BYTES = 1 << 20
"""The part of a journal that is read at once; a line that is longer is read whole."""


class JournalTail(ABC):
    """The durable lines of a run's journal, in order. One thread at a time reads."""

    @abstractmethod
    def read(self) -> tuple[JournalLine, ...]:
        """Return lines that became durable since the last call; empty if there are none now.

        There may be more at once than are returned. Raises IntegrityError if a durable line is bad,
        RunNotFoundError if the run was removed, StoreError.
        """


class WholeJournalTail(JournalTail):
    """A tail for a store that reads a journal only whole, and whose lines are all durable."""

    def __init__(self, read: Callable[[int], Journal], after: int) -> None:
        self._read = read
        self._after = after

    def read(self) -> tuple[JournalLine, ...]:
        lines = self._read(self._after).lines
        self._after += len(lines)
        return lines


class JournalCursor:
    """A place in a journal: after a durable line, whose hash the next one continues."""

    def __init__(self) -> None:
        self.position = 0
        self._count = 0
        self._head = journal.ROOT
        self._durable = 0

    def advance(self, data: bytes, durable: int, after: int = 0) -> tuple[JournalLine, ...]:
        """Return the durable lines at the beginning of `data`, the bytes from `position` on.

        `durable` is the number of lines that `run.json` reports to be on the disk. Lines up to
        `after` are checked, and not returned. Raises IntegrityError if a durable line is bad.
        """
        self._durable = max(self._durable, durable)
        waiting: list[tuple[JournalLine, int]] = []
        start, count, head, fault = 0, self._count, self._head, None
        while (end := data.find(b"\n", start)) >= 0:
            parsed = journal.parsed(data[start:end], count + 1, head)
            if isinstance(parsed, str):
                fault = parsed
                break
            count, head, start = parsed.seq, parsed.hash, end + 1
            self._durable = max(self._durable, parsed.synced)
            waiting.append((JournalLine(parsed.seq, parsed.record, parsed.hash), start))
        if fault and self._durable > count:
            raise IntegrityError(
                f"journal line {count + 1} is damaged: {fault}; it was known to be on the disk"
            )
        ready = [each for each in waiting if each[0].seq <= self._durable]
        if ready:
            line, length = ready[-1]
            self._count, self._head = line.seq, line.hash
            self.position += length
        return tuple(line for line, _ in ready if line.seq > after)
