"""The process of a server: it listens, serves until a signal arrives, and ends its streams."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from waivern.errors import UsageError
from waivern.server.app import create_app
from waivern.server.server_context import ServerContext
from waivern.server.server_options import ServerOptions, ip_address
from waivern.store.base import RunStore

CONNECTIONS = 2000
"""The connections and requests that are served at a time; further ones are refused with 503."""
HEAD_S = 15.0
"""How long a client may take for the head of its first request."""
IDLE_S = 30
"""How long a connection stays open between requests."""
END_S = 5
"""How long requests may take after a signal."""


def serve(
    store: RunStore, options: ServerOptions, port: int, started: Callable[[str], None]
) -> None:
    """Serve the runs of a store until SIGINT or SIGTERM; `started` receives the address.

    Raises UsageError if the address cannot be listened on.
    """
    with listener(options.host, port) as listening:
        context = ServerContext(store, options)
        config = uvicorn.Config(
            create_app(store, options, context),
            http=ConnectionProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=END_S,
            h11_max_incomplete_event_size=32768,
        )
        server = EndingServer(config, context)
        server.ready = lambda: started(address(options.host, listening.getsockname()[1]))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # at its end uvicorn raises the signal again that ended it: these are its handlers then
            signal.signal(number, server.handle_exit)
        server.run(sockets=[listening])


def listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address. Raises UsageError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(1024)
        except OSError:
            listening.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on {host} port {port}: {reason}",
            hint="choose another address with --host and --port; --port 0 takes a free one",
        ) from None
    return listening


def address(host: str, port: int) -> str:
    """Return the URL of a server."""
    found = ip_address(host)
    if found is not None and found.is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class EndingServer(uvicorn.Server):
    """A server that reports when it listens, and ends its streams before it waits for requests."""

    ready: Callable[[], None]

    def __init__(self, config: uvicorn.Config, context: ServerContext) -> None:
        super().__init__(config)
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.closing.set()
        await super().shutdown(sockets)


class ConnectionProtocol(H11Protocol):
    """A connection that ends if the head of its first request does not arrive in time."""

    def connection_made(self, transport: object) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.loop.call_later(HEAD_S, self._end_if_silent)

    def _end_if_silent(self) -> None:
        if self.scope is None and not self.transport.is_closing():
            self.transport.close()
