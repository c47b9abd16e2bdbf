"""Results item by item: of an item that has not changed, the records of an earlier run are taken.

Beside its records, an artifact has an index of the items that they come from: for each a digest of
its entry, which has that of its data, and of what reads it, the number of its records and its
coverage. A later run
reads index and records in the same order, takes what has the same digest, and lets the component
work on the rest. There is no index if the records of the artifact are others than those of its
items, one item after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from waivern.errors import IntegrityError, WaivernError
from waivern.message import Json, Message, record_line
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem, has_more
from waivern.plugins.tally import Coverage, Progress
from waivern.record_stream import RecordStream
from waivern.store.base import RecordSink

MOST_ITEMS = 500_000
"""The items of an earlier result that are looked up; those that follow are produced again."""


class IndexedItem(NamedTuple):
    """An item of an earlier result."""

    first: int
    """The number of its first record, from 0."""
    records: int
    coverage: dict[str, Json]


class EarlierItems:
    """The records of an earlier result, by the item that they come from."""

    def __init__(
        self,
        message: Message,
        list_name: str,
        origin: dict[str, Json],
        intact: Callable[[], bool],
    ) -> None:
        self.origin = origin
        """`{run, artifact, seq, digest}` of the earlier result."""
        self.intact = intact
        """Returns whether the earlier result is still what its journal recorded."""
        self._records: Iterable[Json] = message.records or message.content.get(list_name, ())
        self._open: Iterator[Json] = iter(())
        self._at = -1
        self._index = _index(message.items or ())

    def take(self, item: InputItem, digest: str) -> tuple[list[Json], dict[str, Json]] | None:
        """Return the records and the coverage of an item with a digest; None if unknown."""
        known = self._index.get((item.input, item.name, digest)) if digest else None
        if known is None:
            return None
        try:
            found = self._read(known)
        except WaivernError:  # its run was removed or redacted meanwhile
            self._index = {}
            return None
        return (found, known.coverage) if len(found) == known.records else None

    def _read(self, known: IndexedItem) -> list[Json]:
        if not 0 <= self._at <= known.first:  # read anew: the order of the items has changed
            self._open, self._at = iter(self._records), 0
        first = known.first - self._at
        self._at = known.first + known.records
        return [*islice(self._open, first, first + known.records)]

    def changed(self, items: Iterable[tuple[str, str, str]]) -> tuple[int, int]:
        """Count, of (input, name, digest) of items, those that are not known, and all."""
        new = count = 0
        for item in items:
            new += self._index.get(item) is None
            count += 1
        return new, count


def _index(lines: Iterable[Json] | RecordStream) -> dict[tuple[str, str, str], IndexedItem | None]:
    """Return the items by input, name and digest: two listed folders may have the same names."""
    found: dict[tuple[str, str, str], IndexedItem | None] = {}
    first = 0
    for line in islice(lines, MOST_ITEMS):
        count = line["records"]
        place = (line["input"], line["item"], line["digest"])
        # the results of an item that was worked on twice cannot be distinguished
        again = place in found
        found[place] = None if again else IndexedItem(first, count, line["coverage"])
        first += count
    return found


def entry_digest(entry: Json) -> str:
    """Return the digest of an entry, which identifies the data of an item."""
    return f"sha256:{sha256(record_line(entry, 1)).hexdigest()}"


def item_digest(entry: str, reader: str) -> str:
    """Return the digest of all that decides what is read of an item.

    `entry` is the digest of its entry, `reader` that of what reads the input that it belongs to.
    """
    return f"sha256:{sha256(f'{entry} {reader}'.encode()).hexdigest()}"


class ItemResults:
    """The results of one call, item by item.

    `earlier` finds the results of an earlier run and `sink` takes the index for later ones; both
    are called once, when the component begins to go through the items. `expected` has the totals,
    `name` is the key of the list that the records belong to. `readers` has the digest of what reads
    each input that lists a source: items of others are never taken.
    """

    def __init__(
        self,
        earlier: Callable[[], EarlierItems | None],
        sink: Callable[[], RecordSink] | None,
        expected: Progress,
        name: str,
        readers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._readers = readers
        self._find = earlier
        self._sink_of = sink
        self._expected = expected
        self._earlier: EarlierItems | None = None
        self._sink: RecordSink | None = None
        self._size = 0
        self._total = 0
        self._taken_count = 0
        self._records = sha256()
        """Of the lines of all records that were yielded."""

    def each(
        self,
        ctx: Context,
        items: Iterable[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> Iterator[list[Json]]:
        """Yield the records of each item, in order."""
        if self._sink is None and self._sink_of is not None:
            self._earlier, self._sink = self._find(), self._sink_of()
        for item in items:
            missed = ctx.missed
            digest = self._identified(item)
            found = self._taken(item, digest)
            records, coverage = found or _worked(ctx, self._reporting(ctx, item), work)
            ctx.coverage.add(coverage)
            # what could not be read, or not whole, is read again another time
            self._note(item, digest if ctx.missed == missed else "", records, coverage)
            self._total += 1
            self._size += item.size
            self._report(ctx, 0)
            yield records

    def _note(
        self, item: InputItem, digest: str, records: list[Json], coverage: dict[str, Json]
    ) -> None:
        if self._sink is not None:
            for record in records:  # now: the component may change them
                self._records.update(record_line(record, 1))
            self._sink.write(
                {
                    "input": item.input,
                    "item": item.name,
                    "digest": digest,
                    "records": len(records),
                    "coverage": coverage,
                }
            )

    def _reporting(self, ctx: Context, item: InputItem) -> InputItem:
        """Return the same item; progress is reported with each part that is read of it."""

        def read() -> Iterator[Json]:
            passed = 0
            for part in item.read():
                yield part
                passed += len(part["text"]) if has_more(part) and "text" in part else 0
                if passed:
                    self._report(ctx, min(passed, item.size))

        return InputItem(item.name, item.digest, item.listed, read, item.input)

    def _report(self, ctx: Context, within: int) -> None:
        """Report the items that are done, and the bytes of the one that is being read."""
        _, total, _, total_size = self._expected
        size = self._size + within
        ctx.progress(self._total, total, size=size or None, total_size=total_size)

    def finish(self, content: Json, records: RecordStream | None) -> RecordStream | None:
        """Return the index of an artifact; `records` is the list that is not in `content`.

        None if the component did not go item by item, or if it has other records than its items.
        Raises IntegrityError if the earlier result was removed or redacted while it was read.
        """
        if self._sink is None:
            return None
        if self._taken_count and self._earlier and not self._earlier.intact():
            raise IntegrityError(
                f"the results of run {self._earlier.origin['run']} changed while they were read",
                hint="run it again: what is not there is produced",
            )
        if self._digest(content, records) != f"sha256:{self._records.hexdigest()}":
            self.discard()
            return None
        index = self._sink.finish()
        return index if isinstance(index, RecordStream) else None

    def _digest(self, content: Json, records: RecordStream | None) -> str:
        if records is not None:
            return records.digest if records.name == self._name else ""
        listed = content.get(self._name) if isinstance(content, dict) else None
        if not isinstance(listed, list):
            return ""
        found = sha256()
        for record in listed:
            found.update(record_line(record, 1))
        return f"sha256:{found.hexdigest()}"

    def document(self) -> dict[str, Json] | None:
        """Return the number of items and of those whose results were taken, for the journal."""
        if self._sink is None:
            return None
        origin = self._earlier.origin if self._earlier and self._taken_count else None
        return {"total": self._total, "taken": self._taken_count, "origin": origin}

    def discard(self) -> None:
        """Remove what was written of the index."""
        if self._sink is not None:
            self._sink.discard()
            self._sink = None

    def _identified(self, item: InputItem) -> str:
        """Return the digest of an item; empty if nothing identifies what is read of it."""
        reader = self._readers.get(item.input)
        if reader is None or not item.digest:
            return ""
        return item_digest(entry_digest(item.listed), reader)

    def _taken(self, item: InputItem, digest: str) -> tuple[list[Json], dict[str, Json]] | None:
        found = None if self._earlier is None else self._earlier.take(item, digest)
        self._taken_count += found is not None
        return found


def expected(inputs: Iterable[Message]) -> Progress:
    """Return the number of items that inputs have, and of the bytes of their sources."""
    count = size = 0
    for message in inputs:
        if message.records is not None:
            count += len(message.records)
        elif isinstance(message.content, dict):
            count += sum(len(each) for each in message.content.values() if isinstance(each, list))
        coverage = message.extensions.get("coverage") or {}
        size += coverage.get("units", {}).get("bytes", {}).get("examined", 0)
    return Progress(0, count or None, 0, size or None)


def _worked(
    ctx: Context, item: InputItem, work: Callable[[InputItem], Iterable[Json]]
) -> tuple[list[Json], dict[str, Json]]:
    """Return what a component makes of an item, with the coverage that it reports meanwhile."""
    whole, ctx.coverage = ctx.coverage, Coverage()
    try:
        records = list(work(item))
        return records, ctx.coverage.snapshot()
    finally:
        ctx.coverage = whole
