"""Operations of the API that stream: the events of a run, and its logs as they grow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
from starlette.responses import Response, StreamingResponse

from waivern.runs import queries
from waivern.server.api_operations import ApiCall, Operation, Parameter
from waivern.server.run_feeds import SILENCE_S, RunFeeds, sse
from waivern.server.run_operations import (
    ARTIFACT,
    OFFSET,
    REVEAL,
    RUN,
    log_name,
    log_part,
    record_of,
)
from waivern.server.server_context import ServerContext, context_of
from waivern.store.base import RunStore

_HEADERS = {"x-accel-buffering": "no"}
_SEQ = {"type": "integer", "minimum": 0, "maximum": 10**12}


def stream_operations(feeds: RunFeeds) -> Iterator[Operation]:
    """Yield the operations that stream."""

    async def follow_events(call: ApiCall) -> Response:
        """Stream the events of a run."""
        context = context_of(call.request)
        run_id, live, count = await context.read(_standing, context.store, call.values["run"])
        after = call.values["Last-Event-ID"]
        after = call.values["after"] if after is None else after
        if not live and after >= count:
            return Response(status_code=204)  # a browser then stops asking for more
        feeds.admit()
        return _stream(feeds.follow(run_id, after))

    async def follow_log(call: ApiCall) -> Response:
        """Stream the log of a run or of an artifact."""
        context = context_of(call.request)
        await context.read(log_part, context.store, call.values)  # raises what is wrong
        feeds.admit()
        return _stream(_log(context, feeds, call.values))

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


def _standing(store: RunStore, run: str) -> tuple[str, bool, int]:
    record = record_of(store, run)
    run_id = record.metadata.run_id
    return run_id, store.owner(run_id) is not None, record.count


async def _log(context: ServerContext, feeds: RunFeeds, asked: Any) -> AsyncIterator[bytes]:
    run_id, live, _ = await context.read(_standing, context.store, asked["run"])
    name = await context.read(lambda: log_name(queries.load(context.store, run_id), asked))
    offset, silent = asked["offset"], 0.0
    interval = max(0.2, context.store.watch_s)
    with feeds.counted():
        while not context.closing.is_set():
            live = await context.read(context.store.owner, run_id) is not None
            text = await context.read(context.store.read_log, run_id, name)
            if len(text) > offset:
                part, silent = text[offset : offset + 65536], 0.0
                offset += len(part)
                yield sse({"text": part, "next": offset}, "text")
            elif not live:
                yield sse({"next": offset}, "end")
                return
            else:
                with anyio.move_on_after(interval):
                    await context.closing.wait()
                silent += interval
                if silent >= SILENCE_S:
                    silent = 0.0
                    yield b": open\n\n"
