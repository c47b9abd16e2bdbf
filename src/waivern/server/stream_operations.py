"""Operations of the API that stream: the events of a run, and its logs as they grow."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
from starlette.responses import Response, StreamingResponse

from waivern.runs.record_cache import RecordCache
from waivern.server.api_operations import ApiCall, Operation, Parameter
from waivern.server.log_operations import log_name
from waivern.server.operation_parameters import (
    ARTIFACT,
    OFFSET,
    REVEAL,
    RUN,
    found_run,
    record_of,
)
from waivern.server.run_feeds import LOOK_S, SILENCE_S, RunFeeds, sse
from waivern.server.server_context import ServerContext, context_of
from waivern.store.base import RunStore

PIECE_CHARACTERS = 65536
"""The part of a log that is sent at once."""
_HEADERS = {"x-accel-buffering": "no"}
_SEQ = {"type": "integer", "minimum": 0, "maximum": 10**12}


def stream_operations(context: ServerContext, feeds: RunFeeds) -> Iterator[Operation]:
    """Yield the operations that stream."""
    texts = LogTexts(context)

    async def follow_events(call: ApiCall) -> Response:
        """Stream the events of a run."""
        context = context_of(call.request)
        run_id = await context.read(found_run, context.store, call.values["run"])
        after = call.values["Last-Event-ID"]
        after = call.values["after"] if after is None else after
        if after and await context.read(_is_over, context.store, run_id, after):
            return Response(status_code=204)  # a browser then stops asking for more
        feeds.admit()
        return _stream(feeds.follow(run_id, after))

    async def follow_log(call: ApiCall) -> Response:
        """Stream the log of a run or of an artifact."""
        context = context_of(call.request)
        run_id, name = await context.read(_named_log, context.records, call.values)
        feeds.admit()
        offset = call.values["offset"]
        return _stream(feeds.counted(_log(context, texts, run_id, name, offset)))

    yield Operation(
        "GET",
        "/api/v1/runs/{run}/events",
        "Stream the durable events of a run as server-sent events, and `progress` of a live one.",
        follow_events,
        (
            RUN,
            Parameter("after", "Begin after the event with this number.", {**_SEQ, "default": 0}),
            Parameter("Last-Event-ID", "The same, as browsers send it.", _SEQ, "header"),
        ),
        returns="Events with their number in the journal as `id`; last of all `end`.",
        media_type="text/event-stream",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/log/follow",
        "Stream the log of a run as it grows, until the run ends.",
        follow_log,
        (RUN, OFFSET),
        returns="Events `text` with `text` and `next`; last of all `end`.",
        media_type="text/event-stream",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/follow/{artifact:path}",
        "Stream the log of an artifact as it grows, until the run ends.",
        follow_log,
        (RUN, ARTIFACT, OFFSET, REVEAL),
        returns="Events `text` with `text` and `next`; last of all `end`.",
        media_type="text/event-stream",
    )


def _stream(pieces: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(pieces, media_type="text/event-stream", headers=_HEADERS)


def _is_over(store: RunStore, run_id: str, after: int) -> bool:
    """Return whether a run has ended and has no event that follows `after`."""
    if store.owner(run_id) is not None:
        return False
    head = store.read_json(run_id, "run").get("journal")
    return isinstance(head, dict) and after >= int(head.get("count", 0))


def _named_log(records: RecordCache, asked: Any) -> tuple[str, str | None]:
    """Return the run and the artifact whose log is meant. Raises RefusedError."""
    record = record_of(records, asked["run"])
    return record.metadata.run_id, log_name(record, asked)


class LogTexts:
    """The logs that clients follow, each read once for all of them."""

    def __init__(self, context: ServerContext) -> None:
        self.interval = max(LOOK_S, context.store.watch_s)
        self._context = context
        self._lock = anyio.Lock()
        self._last: dict[tuple[str, str | None], tuple[float, str, bool]] = {}

    async def read(self, run_id: str, artifact: str | None) -> tuple[str, bool]:
        """Return a log as it was an interval ago at most, and whether its run was live then."""
        key = (run_id, artifact)
        async with self._lock:
            self._forget_old()
            if key not in self._last:
                store, read = self._context.store, self._context.read
                live = await read(store.owner, run_id) is not None  # before the text, which grows
                text = await read(store.read_log, run_id, artifact)
                self._last[key] = (time.monotonic(), text, live)
            _, text, live = self._last[key]
        return text, live

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self.interval
        self._last = {key: found for key, found in self._last.items() if found[0] > oldest}


async def _log(
    context: ServerContext, texts: LogTexts, run_id: str, name: str | None, offset: int
) -> AsyncIterator[bytes]:
    silent = 0.0
    while not context.closing.is_set():
        text, live = await texts.read(run_id, name)
        if len(text) > offset:
            part, silent = text[offset : offset + PIECE_CHARACTERS], 0.0
            offset += len(part)
            yield sse({"text": part, "next": offset}, "text")
        elif not live:
            yield sse({"next": offset}, "end")
            return
        else:
            with anyio.move_on_after(texts.interval):
                await context.closing.wait()
            silent += texts.interval
            if silent >= SILENCE_S:
                silent = 0.0
                yield b": open\n\n"
