"""Servers of stores on this computer, for tests: many stores behind one socket."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from waivern.server.app import create_app
from waivern.server.server_options import AccessToken, ServerOptions
from waivern.store.base import RunStore

TOKEN = "a-token-of-the-tests"


class Stores:
    """An application that serves each store below a path of its own."""

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self.requests: list[tuple[str, str]] = []
        """The method and the path of every request."""
        self._numbers = itertools.count(1)

    def add(self, store: RunStore, **options: Any) -> str:
        """Serve a store; return its path."""
        path = f"/{next(self._numbers)}"
        tokens = (AccessToken(TOKEN, "ann"),)
        self.apps[path] = create_app(store, ServerOptions(tokens=tokens, user="ann", **options))
        return path

    @property
    def sent(self) -> int:
        """The number of requests that are not only signs of life."""
        return len([path for _, path in self.requests if not path.endswith("/alive")])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, name, rest = scope["path"].split("/", 2)
        self.requests.append((scope["method"], f"/{rest}"))
        await self.apps[f"/{name}"]({**scope, "path": f"/{rest}"}, receive, send)


class Server:
    """A server on a thread."""

    def __init__(self, port: int = 0) -> None:
        self.stores = Stores()
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio lets Nagle wait
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.stores, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def serve(self, store: RunStore, **options: Any) -> str:
        """Serve a store; return its URL."""
        return self.address + self.stores.add(store, **options)

    def end(self) -> None:
        """End the server, and every connection with it."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()


@contextmanager
def server() -> Iterator[Server]:
    """Run a server."""
    running = Server()
    try:
        yield running
    finally:
        running.end()
