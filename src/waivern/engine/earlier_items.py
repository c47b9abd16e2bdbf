"""Earlier results, item by item: their index, and their records read from any item on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import NamedTuple, Protocol

from waivern.errors import ComponentError, IntegrityError, WaivernError
from waivern.message import Json, Message, record_line
from waivern.plugins.inputs import InputItem
from waivern.plugins.tally import Coverage, amount
from waivern.record_stream import RecordStream, parsed

MOST_ITEMS = 500_000
"""The items of an earlier result that are looked up; those that follow are produced again."""
MARKED = 64
"""Of so many records, the place of one is noted, once they are not read in their order."""


class IndexedItem(NamedTuple):
    """An item of an earlier result."""

    first: int
    """The number of its first record, from 0."""
    records: int
    coverage: dict[str, Json]


class TakenItem(NamedTuple):
    """The result of an item that was found in an earlier run."""

    records: list[Json]
    lines: bytes
    """The lines that the records are stored as."""
    coverage: dict[str, Json]


class EarlierItems:
    """The records of an earlier result, by the item that they come from.

    `list_name` is the key of their list; without it, items are only counted. Raises IntegrityError
    if the index of the items does not fit the records.
    """

    def __init__(
        self,
        message: Message,
        list_name: str | None,
        origin: dict[str, Json],
        intact: Callable[[], bool],
    ) -> None:
        self.origin = origin
        """`{run, artifact, seq, digest}` of the earlier result."""
        self.intact = intact
        """Returns whether the earlier result is still what its journal recorded."""
        self._lines: _Lines
        total = None
        if message.records is not None:
            self._lines, total = _StreamLines(message.records), len(message.records)
        else:
            records = message.content.get(list_name, [])
            self._lines = _ListLines(records)
            total = None if list_name is None else len(records)
        self._index = _index(message.items or (), total)

    def knows(self, item: InputItem, digest: str) -> bool:
        """Return whether there is a result of an item whose entry has this digest."""
        return self._index.get((item.input, item.name, digest)) is not None

    def take(self, item: InputItem, digest: str) -> TakenItem | None:
        """Return the result of an item whose entry has this digest; None if there is none."""
        known = self._index.get((item.input, item.name, digest))
        if known is None:
            return None
        try:
            lines = [*self._lines.read(known.first, known.records)]
            found = [parsed(line) for line in lines]
        except WaivernError:  # its run was removed or redacted meanwhile
            self._index = {}
            return None
        whole = len(found) == known.records
        return TakenItem(found, b"\n".join([*lines, b""]), known.coverage) if whole else None

    def changed(self, items: Iterable[tuple[str, str, str]]) -> tuple[int, int]:
        """Count, of (input, name, digest) of items, those that are not known, and all."""
        new = count = 0
        for item in items:
            new += self._index.get(item) is None
            count += 1
        return new, count


def _index(
    lines: Iterable[Json] | RecordStream, total: int | None
) -> dict[tuple[str, str, str], IndexedItem | None]:
    """Return the items by input, name and digest: two listed folders may have the same names.

    `total` is the number of all records, if that is known. Raises IntegrityError for an index that
    cannot be one.
    """
    found: dict[tuple[str, str, str], IndexedItem | None] = {}
    first, whole = 0, Coverage()
    for line in islice(lines, MOST_ITEMS):
        place, count, coverage = _checked(line, whole)
        # the results of an item that was worked on twice cannot be distinguished
        again = place in found
        found[place] = None if again else IndexedItem(first, count, coverage)
        first += count
    if total is not None and first > total:
        raise IntegrityError(f"an index of items has {first:,} records, its artifact {total:,}")
    return found


def _checked(line: Json, whole: Coverage) -> tuple[tuple[str, str, str], int, dict[str, Json]]:
    """Return the item of a line of an index, its number of records, and its coverage.

    Adding the coverage to that of all items shows that it is one.
    """
    try:
        place = (line["input"], line["item"], line["digest"])
        count, coverage = amount(line["records"]), line["coverage"]
        whole.add(coverage)
    except (KeyError, TypeError, ValueError, AttributeError, ComponentError) as error:
        raise IntegrityError("an index of items has a line that cannot be one") from error
    if not all(type(text) is str for text in place):
        raise IntegrityError("an index of items has a line that cannot be one")
    return place, count, coverage


def entry_digest(entry: Json) -> str:
    """Return the digest of an entry, which identifies the data of an item."""
    return f"sha256:{sha256(record_line(entry, 1)).hexdigest()}"


def item_digest(entry: str, reader: str) -> str:
    """Return the digest of all that decides what is read of an item.

    `entry` is the digest of its entry, `reader` that of what reads the input that it belongs to.
    """
    return f"sha256:{sha256(f'{entry} {reader}'.encode()).hexdigest()}"


class _Lines(Protocol):
    """The lines of a list of records."""

    def read(self, first: int, count: int) -> Iterable[bytes]:
        """Return the lines of so many records from one on, without their ends."""
        ...


class _ListLines:
    """The lines of a list that is in memory."""

    def __init__(self, records: list[Json]) -> None:
        self._records = records

    def read(self, first: int, count: int) -> Iterator[bytes]:
        for record in self._records[first : first + count]:
            yield record_line(record, 1)[:-1]


class _StreamLines:
    """The lines of a record stream.

    As long as they are asked for in their order, they are read once, one after the other. If they
    are not, the whole is read a second time to note where lines begin, and each item is then read
    from near its place: a connector may list a source in another order each time.
    """

    def __init__(self, stream: RecordStream) -> None:
        self._stream = stream
        self._open = stream.lines()
        self._at = 0
        """The number of the next line of `_open`."""
        self._marks: array[int] | None = None
        """The bytes before each line whose number is a multiple of MARKED."""

    def read(self, first: int, count: int) -> Iterator[bytes]:
        far = self._marks is not None and first - self._at > MARKED
        if far or first < self._at:
            self._jump(first)
        begin, self._at = first - self._at, first + count
        return islice(self._open, begin, begin + count)

    def _jump(self, line: int) -> None:
        if self._marks is None:
            self._marks = self._marked()
        mark = min(line // MARKED, len(self._marks) - 1)
        self._open, self._at = self._stream.lines(self._marks[mark]), mark * MARKED

    def _marked(self) -> array[int]:
        marks, size = array("Q", [0]), 0
        for number, line in enumerate(self._stream.lines(), 1):
            size += len(line) + 1
            if number % MARKED == 0:
                marks.append(size)
        return marks
