"""Feeds of runs: the durable events of a run, read once for all clients that follow it.

A feed retains the last events in a ring. A client has a place in it and no queue of its own, so
that a slow one costs nothing: if the ring has moved beyond its place, it reads the journal itself
until it has caught up.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

import anyio

from waivern.errors import ArtifactNotFoundError, WaivernError
from waivern.message import Json
from waivern.runs.record_cache import RecordCache
from waivern.server.error_documents import RequestError, document_of
from waivern.server.server_context import ServerContext
from waivern.store.journal_tail import JournalTail
from waivern.store.store_values import JournalLine

RING_BYTES = 4 << 20
"""The events of a run that are retained."""
PIECE_BYTES = 64 << 10
"""The events that are sent at once."""
STREAMS = 1000
"""The streams that are served at a time."""
LOOK_S = 0.1
"""The shortest interval at which a run is looked at."""
ALIVE_S = 1.0
"""The interval at which the holder of a run is looked for."""
SILENCE_S = 15.0
"""The time after which a comment shows the client that the stream is open."""
_LEFT_OUT = frozenset({"identity", "code", "statuses", "project", "processors", "sources"})
"""Fields of events that only a resume or the cache needs."""


def sse(data: Json, event: str, seq: int | None = None) -> bytes:
    """Return a server-sent event; JSON has no line ends, so that `data` is one line."""
    head = f"event: {event}\n" if seq is None else f"id: {seq}\nevent: {event}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode(errors="replace")


def event_document(line: JournalLine) -> dict[str, Json]:
    """Return an event of a run for clients: `seq`, and the fields of the journal that they need."""
    known = {key: value for key, value in line.record.items() if key not in _LEFT_OUT}
    return {"seq": line.seq, **known}


def _rendered(line: JournalLine) -> bytes:
    kind = str(line.record.get("type", "event"))
    name = kind if kind.isascii() and kind.isidentifier() else "event"
    return sse(event_document(line), name, line.seq)


class _Look(NamedTuple):
    """The news of a run."""

    lines: list[tuple[int, bytes]]
    progress: bytes | None
    end: bytes | None


class _Reader:
    """The reader of one run, called on a thread."""

    def __init__(self, records: RecordCache, run_id: str) -> None:
        store = records.store
        self._records = records
        self._store = store
        self._run_id = run_id
        self._tail: JournalTail = store.tail(run_id)
        self._looks_until_alive = 0
        self._attempt_ended = False
        self._progress: dict[str, Json] | None = None

    def look(self, per_second: float) -> _Look:
        """Return the news since the last call."""
        live = True
        if self._looks_until_alive <= 0:
            # before the journal: a run may end between the two looks
            live = self._store.owner(self._run_id) is not None
            self._looks_until_alive = int(ALIVE_S * per_second)
        self._looks_until_alive -= 1
        lines = self._tail.read()
        if lines:
            self._attempt_ended = lines[-1].record.get("type") == "attempt_ended"
        if self._attempt_ended or not live:
            self._looks_until_alive = 0
        found = [(line.seq, _rendered(line)) for line in lines]
        end = None if live or lines else self._end()
        return _Look(found, self._news_of_progress() if live else None, end)

    def _news_of_progress(self) -> bytes | None:
        try:
            found = self._store.read_json(self._run_id, "progress")
        except ArtifactNotFoundError:
            found = {}
        except WaivernError:
            return None
        if found == (self._progress or {}):
            return None
        self._progress = found
        return sse(found, "progress")

    def _end(self) -> bytes:
        status = self._records.load(self._run_id).metadata.status
        return sse({"run_id": self._run_id, "status": str(status)}, "end")


class RunFeed:
    """The events of one run, as long as a client follows it."""

    def __init__(self, context: ServerContext, run_id: str) -> None:
        self.run_id = run_id
        self.clients = 0
        self.progress: bytes | None = None
        self.progress_count = 0
        """The number of the last progress."""
        self.end: bytes | None = None
        """The last event of all; None while the run is live."""
        self.changed = anyio.Event()
        """Set, and replaced, when there is news."""
        self._context = context
        self._ring: deque[bytes] = deque()
        self._ring_bytes = 0
        self._first = 1
        """The number of the first event in the ring."""

    async def read_on(self) -> None:
        """Read the events until the run ends, the server ends, or no client follows any more."""
        interval = max(LOOK_S, self._context.store.watch_s / 2)
        try:
            reader = await self._context.read(_Reader, self._context.records, self.run_id)
            while self.end is None and self.clients and not self._context.closing.is_set():
                news = await self._context.read(reader.look, 1 / interval)
                self._add(news)
                if not news.lines:
                    with anyio.move_on_after(interval):
                        await self._context.closing.wait()
        except Exception as error:  # noqa: BLE001 - the clients receive it
            found = document_of(error)
            self.end = sse({"message": found.message, "hint": found.hint}, "failure")
        finally:
            self._notify()

    def _add(self, news: _Look) -> None:
        for _, event in news.lines:
            self._ring.append(event)
            self._ring_bytes += len(event)
        while self._ring_bytes > RING_BYTES and len(self._ring) > 1:
            self._ring_bytes -= len(self._ring.popleft())
            self._first += 1
        if news.progress is not None:
            self.progress = news.progress
            self.progress_count += 1
        self.end = news.end
        if news.lines or news.progress or news.end:
            self._notify()

    def _notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def has(self, seq: int) -> bool:
        """Return whether event `seq` is in the ring, or is still to come."""
        return seq >= self._first

    def piece(self, after: int) -> tuple[bytes, int]:
        """Return some events that follow `after`, and the number of the last of them."""
        found, size, seq = [], 0, after
        last = self._first + len(self._ring) - 1
        while seq < last and size < PIECE_BYTES:
            event = self._ring[seq + 1 - self._first]
            found.append(event)
            size += len(event)
            seq += 1
        return b"".join(found), seq


class RunFeeds:
    """The feeds of a server."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._feeds: dict[str, RunFeed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams = 0

    def admit(self) -> None:
        """Raise RequestError if too many streams are open."""
        if self._streams >= STREAMS:
            raise RequestError(
                429, f"{STREAMS:,} streams are open already", None, {"retry-after": "10"}
            )

    async def follow(self, run_id: str, after: int) -> AsyncIterator[bytes]:
        """Yield the events of a run that follow event `after`, until it ends."""
        feed = self._feed(run_id)
        feed.clients += 1
        try:
            async for piece in self.counted(self._events(feed, after)):
                yield piece
        finally:
            feed.clients -= 1

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of a stream, which counts as open meanwhile."""
        self._streams += 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._streams -= 1

    def _feed(self, run_id: str) -> RunFeed:
        feed = self._feeds.get(run_id)
        if feed is None or feed.end is not None:
            feed = self._feeds[run_id] = RunFeed(self._context, run_id)
            task = asyncio.create_task(self._serve(feed))
            self._tasks.add(task)  # the event loop itself does not retain a task
            task.add_done_callback(self._tasks.discard)
            feed.clients += 1  # until the reader has begun
        return feed

    async def _serve(self, feed: RunFeed) -> None:
        feed.clients -= 1
        try:
            await feed.read_on()
        finally:
            if self._feeds.get(feed.run_id) is feed:
                del self._feeds[feed.run_id]

    async def _events(self, feed: RunFeed, after: int) -> AsyncIterator[bytes]:
        closing, progress = self._context.closing, 0
        yield b"retry: 1000\n\n"
        while not closing.is_set():
            changed = feed.changed  # before looking: what comes meanwhile sets it
            if not feed.has(after + 1):
                async for piece, seq in self._catch_up(feed, after):
                    yield piece
                    after = seq
                continue
            piece, after = feed.piece(after)
            if piece:
                yield piece
                continue
            if feed.progress_count != progress and feed.progress is not None:
                progress = feed.progress_count
                yield feed.progress
                continue
            if feed.end is not None:
                yield feed.end
                return
            with anyio.move_on_after(SILENCE_S):
                await changed.wait()
                continue
            yield b": open\n\n"

    async def _catch_up(self, feed: RunFeed, after: int) -> AsyncIterator[tuple[bytes, int]]:
        """Yield events that the ring has no more, read from the journal for this client alone."""
        read, store = self._context.read, self._context.store
        tail = await read(store.tail, feed.run_id, after)
        while not feed.has(after + 1):
            lines = await read(tail.read)
            if not lines:
                return
            for line in lines:
                after = line.seq
                yield _rendered(line), after
