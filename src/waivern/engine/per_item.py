"""Results item by item: of an item that has not changed, the records of an earlier run are taken.

Beside its records, an artifact has an index of the items that they come from: for each a digest of
its entry, which has that of its data, and of what reads it, the number of its records and its
coverage. A later run takes what has the same digest, and lets the component work on the rest. There
is no index if the records of the artifact are others than those of its items, one item after the
other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from waivern.engine.earlier_items import EarlierItems, TakenItem, entry_digest, item_digest
from waivern.errors import IntegrityError
from waivern.message import Json, Message, record_line
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem, has_more
from waivern.plugins.tally import PLANTED, UNPROVEN, Coverage, Progress
from waivern.record_stream import RecordStream
from waivern.store.writers import RecordSink

FINDINGS = "findings"
"""The list whose records are counted in the progress."""
_OF_THE_CALL = (PLANTED, UNPROVEN)
REPORT_S = 0.02
"""The least time between two reports of progress, but for the last one."""


class FoundElsewhere(NamedTuple):
    """The result of an item that another process has produced."""

    records: list[Json]
    coverage: dict[str, Json]
    missed: int
    """The parts of the item that could not be read."""


class ItemResults:
    """The results of one call, item by item.

    `earlier` finds the results of an earlier run and `sink` takes the index for later ones; both
    are called once, for the first item with a digest: without one, no result is found again.
    `expected` returns the totals, `name` is the key of the list that the records belong to.
    `readers` has the digest of what reads each input that lists a source: items of others are never
    taken. Nor are those that `changed` names, by input: they are not what was listed.
    """

    def __init__(
        self,
        earlier: Callable[[], EarlierItems | None],
        sink: Callable[[], RecordSink] | None,
        expected: Callable[[], Progress],
        name: str,
        readers: Mapping[str, str] = MappingProxyType({}),
        changed: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._readers = readers
        self._changed = changed
        self._find = earlier
        self._open = sink
        self._expect = expected
        self._report_at = 0.0
        self._earlier: EarlierItems | None = None
        self._looked_up = False
        self._sink: RecordSink | None = None
        self._gap = 0
        """The records since the last item with a digest."""
        self._size = 0
        self._total = 0
        self._taken_count = 0
        self._found = 0
        """The number of records so far."""
        self._records = sha256()
        """Of the lines of all records that were yielded."""

    @cached_property
    def _expected(self) -> Progress:
        return self._expect()

    def each(
        self,
        ctx: Context,
        items: Iterable[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> Iterator[list[Json]]:
        """Yield the records of each item, in order."""
        for item in items:
            yield self.add(ctx, item, work)

    def add(
        self,
        ctx: Context,
        item: InputItem,
        work: Callable[[InputItem], Iterable[Json]],
        found: FoundElsewhere | None = None,
    ) -> list[Json]:
        """Return the records of the next item: found elsewhere, in an earlier run, or made now."""
        digest, missed = self._digest_of(item), ctx.missed
        if found is not None:
            records, coverage, lines = found.records, found.coverage, self._lines_of(found.records)
            ctx.missed += found.missed
            if item.digest and not found.missed:
                ctx.note_delivered(item.listed, item.input)
        elif (taken := self._taken(item, digest)) is not None:
            records, coverage, lines = taken.records, taken.coverage, taken.lines
            ctx.note_delivered(item.listed, item.input)
        else:
            records, coverage = worked(ctx, self._reporting(ctx, item), work)
            lines = self._lines_of(records)
        ctx.coverage.add(coverage)
        # what proves the detector of this call says nothing about that of a later one
        coverage = {name: part for name, part in coverage.items() if name not in _OF_THE_CALL}
        # what could not be read, or not whole, is read again another time
        self._note(item, digest if ctx.missed == missed else "", len(records), lines, coverage)
        self._total += 1
        self._size += item.size
        self._found += len(records)
        self._report(ctx, 0)
        return records

    def knows(self, item: InputItem) -> bool:
        """Return whether the result of an item can be taken from an earlier run."""
        digest = self._digest_of(item)
        return bool(digest and self._earlier and self._earlier.knows(item, digest))

    def _digest_of(self, item: InputItem) -> str:
        """Return the digest of the entry of an item; empty if its result cannot be taken again."""
        reader = self._readers.get(item.input)
        if reader is None or not item.digest or self._open is None:
            return ""
        if item.name in self._changed.get(item.input, ()):
            return ""
        if not self._looked_up:
            self._earlier, self._looked_up = self._find(), True
        return item_digest(entry_digest(item.listed), reader)

    def _taken(self, item: InputItem, digest: str) -> TakenItem | None:
        found = self._earlier.take(item, digest) if digest and self._earlier else None
        self._taken_count += found is not None
        return found

    def _lines_of(self, records: list[Json]) -> bytes:
        """Return the lines of records, now: the component may change them."""
        return b"" if self._open is None else b"".join(record_line(each, 1) for each in records)

    def _note(
        self, item: InputItem, digest: str, records: int, lines: bytes, coverage: dict[str, Json]
    ) -> None:
        """Write an item to the index; those without a digest are written together, as a gap."""
        self._records.update(lines)
        if not digest:
            self._gap += records
            return
        if self._sink is None:
            assert self._open is not None
            self._sink = self._open()
        if self._gap:
            self._sink.write(_indexed("", "", "", self._gap, {}))
            self._gap = 0
        self._sink.write(_indexed(item.input, item.name, digest, records, coverage))

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
        now = time.monotonic()
        _, total, _, total_size, _ = self._expected
        if now < self._report_at and self._total != total:
            return  # to report each of many small items takes longer than to take its result
        self._report_at = now + REPORT_S
        size = self._size + within
        found = self._found if self._name == FINDINGS else None
        ctx.progress(self._total, total, size=size or None, total_size=total_size, found=found)

    def finish(self, content: Json, records: RecordStream | None) -> RecordStream | None:
        """Return the index of an artifact; `records` is the list that is not in `content`.

        None if no item has a digest, or if the records are others than those of the items.
        Raises IntegrityError if the earlier result was removed or redacted while it was read.
        """
        if self._taken_count and self._earlier and not self._earlier.intact():
            raise IntegrityError(
                f"the results of run {self._earlier.origin['run']} changed while they were read",
                hint="run it again: what is not there is produced",
            )
        if self._sink is None:
            return None
        if self._digest(content, records) != f"sha256:{self._records.hexdigest()}":
            self._sink = None
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
        if self._sink is None and not self._taken_count:
            return None
        origin = self._earlier.origin if self._earlier and self._taken_count else None
        return {"total": self._total, "taken": self._taken_count, "origin": origin}


def _indexed(
    name: str, item: str, digest: str, records: int, coverage: dict[str, Json]
) -> dict[str, Json]:
    return {
        "input": name,
        "item": item,
        "digest": digest,
        "records": records,
        "coverage": coverage,
    }


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


def worked(
    ctx: Context, item: InputItem, work: Callable[[InputItem], Iterable[Json]]
) -> tuple[list[Json], dict[str, Json]]:
    """Return what a component makes of an item, with the coverage that it reports meanwhile."""
    whole, ctx.coverage = ctx.coverage, Coverage()
    try:
        records = list(work(item))
        return records, ctx.coverage.snapshot()
    finally:
        ctx.coverage = whole
