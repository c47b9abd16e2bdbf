"""The context of a request: the store and the options that it is answered from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from starlette.requests import Request

from waivern.runs.listing_cache import ListingCache
from waivern.runs.record_cache import RecordCache
from waivern.server.authentication import Authenticator
from waivern.server.child_commands import ChildCommands
from waivern.server.server_options import ServerOptions
from waivern.store.base import RunStore

T = TypeVar("T")

READERS = 8
"""The number of threads that read the store for requests."""
ACTORS = 8
"""The number of threads that carry out what clients ask for."""


class ServerContext:
    """The store and the options of a server, with the threads that read the store.

    A handler never calls the store itself: that would stop all other requests meanwhile.
    """

    def __init__(self, store: RunStore, options: ServerOptions) -> None:
        self.store = store
        self.options = options
        self.authenticator = Authenticator(options)
        self.listings = ListingCache(store)
        self.records = RecordCache(store)
        self.commands = ChildCommands(store, options)
        self.closing = anyio.Event()
        """Set when the server ends: whatever streams to a client returns then."""
        self._readers = anyio.CapacityLimiter(READERS)
        self._actors = anyio.CapacityLimiter(ACTORS)

    async def read(self, function: Callable[..., T], *args: Any, **keywords: Any) -> T:
        """Call a function that reads the store on a thread, and return its result."""
        call = partial(function, *args, **keywords)
        return await to_thread.run_sync(call, limiter=self._readers)

    async def carry_out(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that may wait for seconds on a thread, and return its result."""
        return await to_thread.run_sync(partial(function, *args), limiter=self._actors)


def context_of(request: Request) -> ServerContext:
    """Return the context of the server that received a request."""
    context: ServerContext = request.scope["waivern.context"]
    return context


def user_of(request: Request) -> str:
    """Return the person who made a request: the holder of the token, else the server's user."""
    name: str = request.scope["waivern.user"]
    return name
