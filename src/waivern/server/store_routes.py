"""The routes `/api/v1/store`: the server's store for `RemoteHttpStore` on other computers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waivern.server.error_documents import RequestError
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext, user_of
from waivern.server.store_arguments import BadOperationError, checked
from waivern.server.store_sessions import (
    RequestConflictError,
    RequestedWork,
    SessionEndedError,
    StoreSession,
    StoreSessions,
)
from waivern.store.backend_store import BackendStore
from waivern.store.remote.frames import (
    FORM,
    FRAME_BYTES,
    MOST_OPERATIONS,
    PREFIX,
    Frame,
    FrameError,
    unpacked,
)

ANSWER_S = 8.0
"""How long a response waits for its operations; then the client asks again for the same answer, so
that no connection is silent for as long as a slow disk."""
WATCH_S = 3.0
"""How long a request that keeps a session alive lasts: its end shows that the client has died."""


def store_group(context: ServerContext) -> RouteGroup:
    """Return the routes of the store."""
    routes = StoreRoutes(context)
    return RouteGroup(
        PREFIX,
        [
            Route(f"{PREFIX}/sessions", routes.open, methods=["POST"]),
            Route(f"{PREFIX}/sessions/{{key}}", routes.execute, methods=["POST"]),
            Route(f"{PREFIX}/sessions/{{key}}", routes.end, methods=["DELETE"]),
            Route(f"{PREFIX}/sessions/{{key}}/alive", routes.alive, methods=["POST"]),
        ],
        body_bytes=FRAME_BYTES,
        # a read-only server refuses the operations that change something, not the reading ones
        read_methods=frozenset({"GET", "HEAD", "POST", "DELETE"}),
    )


class StoreRoutes:
    """The handlers of the routes of the store."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._sessions: StoreSessions | None = None
        if isinstance(context.store, BackendStore):
            self._sessions = StoreSessions(
                context.store.backend, read_only=context.options.read_only
            )

    async def open(self, request: Request) -> Response:
        """Open a session."""
        if self._sessions is None:
            raise RequestError(501, "the store of this server cannot be used from elsewhere")
        form = _document(await request.body()).head.get("form")
        if form != FORM:
            raise RequestError(
                426,
                f"this server has version {FORM} of the store protocol, and the client {form}",
                "use the same version of waivern on both sides",
            )
        with _refusals():
            session = self._sessions.open(user_of(request))
        return JSONResponse({"session": session.key, "ttl": session.ttl}, 201)

    async def execute(self, request: Request) -> Response:
        """Execute the operations of a request, once, and return their results."""
        frame = _document(await request.body())
        session = self._session(request)
        number, received = frame.head.get("number"), frame.head.get("received")
        if type(number) is not int or type(received) is not int or not 0 <= received < number:
            raise RequestError(400, "'number' and 'received' must number the request")
        with _refusals():
            answer = session.begin(number, received, _work(frame))
        waiting = asyncio.wrap_future(answer)
        done, _ = await asyncio.wait({waiting}, timeout=ANSWER_S)
        if not done:
            return Response(status_code=202)
        with _refusals():
            packed = waiting.result().packed()
        return Response(packed, media_type="application/octet-stream")

    async def alive(self, request: Request) -> Response:
        """Keep a session alive, and watch the connection of its client."""
        session = self._session(request)
        with _refusals():
            session.touch()
        async with _until(WATCH_S, self._context.closing):
            try:
                await request.body()
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            except ClientDisconnect:
                pass
            session.hurry()
        return Response(status_code=204)

    async def end(self, request: Request) -> Response:
        """End a session."""
        session = self._session(request)
        assert self._sessions is not None
        await self._context.read(self._sessions.end, session)
        return Response(status_code=204)

    def _session(self, request: Request) -> StoreSession:
        with _refusals():
            if self._sessions is None:
                raise SessionEndedError
            return self._sessions.find(request.path_params["key"], user_of(request))


def _document(data: bytes) -> Frame:
    """Return the frame in the body of a request."""
    try:
        return unpacked(data)
    except FrameError as error:
        raise RequestError(400, f"the body is not a frame: {error}") from error


def _work(frame: Frame) -> RequestedWork:
    """Return the operations of a frame, all of them checked before the first is executed."""
    operations = frame.head.get("operations")
    if not isinstance(operations, list) or not 0 < len(operations) <= MOST_OPERATIONS:
        raise RequestError(400, f"'operations' must be a list of 1 to {MOST_OPERATIONS}")
    try:
        return RequestedWork([checked(each, len(frame.blobs)) for each in operations], frame.blobs)
    except BadOperationError as error:
        raise RequestError(400, str(error)) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a session refuses into responses."""
    try:
        yield
    except SessionEndedError:
        raise RequestError(
            410, "the server does not have this client session, or has ended it"
        ) from None
    except RequestConflictError as error:
        raise RequestError(429, str(error)) from error


@asynccontextmanager
async def _until(seconds: float, event: anyio.Event) -> AsyncIterator[None]:
    """Cancel the block after a time, or when the event is set."""
    async with anyio.create_task_group() as group:
        group.cancel_scope.deadline = anyio.current_time() + seconds

        async def watch() -> None:
            await event.wait()
            group.cancel_scope.cancel()

        group.start_soon(watch)
        yield
        group.cancel_scope.cancel()
