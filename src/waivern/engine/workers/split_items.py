"""The items of one artifact, distributed among several workers; the results stay in order.

    leader     each_item ── need part 7 ──▶ coordinator ── work on part 9 ──▶ follower
               takes the results   ◀── part 7 ──         ◀── part 7 ──       each_item

The component runs in all of these workers, with the same inputs. In the leader, `each_item` yields
the results of all items, in order, and the component continues with them. In a follower it works on
the parts that the coordinator assigns, stages the results of each part like an artifact, and yields
nothing; when the coordinator releases it, the call ends without a result.

A part is some consecutive items of one `each_item`, of which a component may have several: the
first is pass 0. A part whose follower fails or ends is worked on by the leader: what fails again
then fails the artifact, and what a follower cannot do costs that part only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from waivern.engine.calls import Call
from waivern.engine.earlier_items import EarlierItems
from waivern.engine.per_item import FoundElsewhere, ItemResults, worked
from waivern.engine.workers.call_documents import receipt_of
from waivern.engine.workers.channel import Channel, Document
from waivern.message import Json, Message
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem
from waivern.plugins.tally import Progress
from waivern.record_stream import RECORDS, RecordStream
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef
from waivern.store.writers import RecordSink

ALONE_S = 0.2
"""How long a leader works alone: to have followers costs about as much."""
PART_BYTES = 2 << 20
"""The size of the sources of one part, if it is known."""
PARTS = 64
"""The number of parts otherwise."""
MOST_IN_PART = 500
"""Items of one part."""


class ReleasedError(BaseException):
    """The follower is not needed any more. A component must not catch it as its own error."""


class WorkerItems(NamedTuple):
    """The store, the call and the channel of a worker."""

    store: RunStore
    call: Call
    channel: Channel


class ItemReport(NamedTuple):
    """The report of a follower on one item, without its records."""

    records: int
    coverage: dict[str, Json]
    missed: int
    """What could not be read of it."""
    item: list[str]
    """The input, name and digest of the item."""
    known: bool = False
    """Whether the leader can take the result of an earlier run; there are no records then."""


class SharedItems(ItemResults):
    """The results of a call that several workers share."""

    def __init__(
        self,
        shared: WorkerItems,
        earlier: Callable[[], EarlierItems | None],
        sink: Callable[[], RecordSink] | None,
        expected: Callable[[], Progress],
        name: str,
        readers: Mapping[str, str] = MappingProxyType({}),
        changed: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        super().__init__(earlier, sink, expected, name, readers, changed)
        self._store, self._call, self._channel = shared
        self._pass = -1
        """The number of the `each_item` that is under way."""


class DistributedItems(SharedItems):
    """The results of a call, of which followers produce a part."""

    def each(
        self,
        ctx: Context,
        items: Iterable[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> Iterator[list[Json]]:
        self._pass = this_pass = self._pass + 1
        rest = iter(items)
        alone = 0
        began = time.monotonic()
        for item in rest:
            alone += 1
            yield self.add(ctx, item, work)
            if time.monotonic() - began >= ALONE_S:
                break
        else:
            return
        size, number = _items_of_part(self._expected), 0
        self._channel.send({"split": this_pass, "size": size, "first": alone})
        count = size
        while count == size:
            count, followed = 0, self._followed(self._part(this_pass, number))
            for count, item in enumerate(islice(rest, size), 1):  # noqa: B007 - used below
                found = None
                # other items if it has results of earlier ones decide which come next
                if (known := next(followed, None)) and known[0] == _identity(item):
                    found = known[1]
                yield self.add(ctx, item, work, found)
            number += 1

    def _part(self, number: int, part: int) -> Document:
        """Return what is known of a part; it says so if the leader has to work on it."""
        self._channel.send({"need": part, "pass": number})
        while True:
            document = self._channel.receive()
            if (document.get("pass"), document.get("part")) == (number, part):
                return document

    def _followed(self, part: Document) -> Iterator[tuple[list[str], FoundElsewhere | None]]:
        """Yield each item, and what a follower has staged of it; None: an earlier run has it."""
        if part["receipt"] is None:
            return
        receipt, run_id = receipt_of(part["receipt"]), self._call.run_id
        if part["data"] is not None:
            self._store.accept(run_id, receipt.staged, part["data"].encode())
        ref = ArtifactRef(receipt.key, receipt.digest, receipt.content_digest, receipt.staged)
        message = self._store.fetch(run_id, ref)
        records = iter(message.records or message.content.get(RECORDS, ()))
        for values in message.content["items"]:
            report = ItemReport(*values)
            found = [*islice(records, report.records)]
            result = FoundElsewhere(found, report.coverage, report.missed)
            yield report.item, None if report.known else result


class FollowedItems(SharedItems):
    """The parts that a follower works on."""

    _next: Document | None = None
    """What the coordinator has sent and a later pass is to work on."""

    def each(
        self,
        ctx: Context,
        items: Iterable[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> Iterator[list[Json]]:
        """Work on the parts of this pass; yield nothing."""
        self._pass += 1
        rest, at = iter(items), 0
        while (asked := self._asked()) is not None:
            first, size = asked["first"], asked["size"]
            part = islice(rest, first - at, first - at + size)
            self._send(asked["part"], ctx, part, work)
            for _ in part:  # after an error: the next part begins where this one ends
                pass
            at = first + size
        yield from ()

    def _asked(self) -> Document | None:
        """Return the next part to work on; None if it belongs to a later pass."""
        if self._next is None:
            self._next = self._channel.receive()
        if "release" in self._next:
            raise ReleasedError
        if self._next["pass"] != self._pass:
            return None
        asked, self._next = self._next, None
        return asked

    def _send(
        self,
        number: int,
        ctx: Context,
        items: Iterator[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> None:
        sent: Document = {"pass": self._pass, "part": number, "receipt": None, "data": None}
        # after an error the leader works on the part, and then it is the error of the call
        with suppress(Exception):
            message = self._message(ctx, items, work)
            sent["items"] = len(message.content["items"])
            receipt = self._store.stage(self._call.run_id, self._call.artifact, message)
            data = self._store.export(self._call.run_id, receipt.staged)
            sent |= {"receipt": receipt, "data": None if data is None else data.decode()}
        self._channel.send(sent)

    def _message(
        self,
        ctx: Context,
        items: Iterator[InputItem],
        work: Callable[[InputItem], Iterable[Json]],
    ) -> Message:
        call, results = self._call, []
        sink = self._store.sink(call.run_id, call.artifact, RECORDS)
        for item in items:
            if self.knows(item):
                results.append(ItemReport(0, {}, 0, _identity(item), known=True))
                continue
            missed = ctx.missed
            records, coverage = worked(ctx, item, work)
            for record in records:
                sink.write(record)
            missed = ctx.missed - missed
            results.append(ItemReport(len(records), coverage, missed, _identity(item)))
        records_of_part = sink.finish()
        content: dict[str, Json] = {"items": results}
        if isinstance(records_of_part, RecordStream):
            return Message(call.artifact, content, run_id=call.run_id, records=records_of_part)
        return Message(call.artifact, {**content, RECORDS: records_of_part}, run_id=call.run_id)


def _identity(item: InputItem) -> list[str]:
    return [item.input, item.name, item.digest]


def _items_of_part(expected: Progress) -> int:
    """Return the number of items of a part."""
    total, size = expected.total or 1, expected.total_size
    wanted = total * PART_BYTES // size if size else total // PARTS
    return max(1, min(MOST_IN_PART, wanted))
