"""The process of a server: it listens, serves until a signal arrives, and ends its streams."""

from __future__ import annotations

import resource
import signal
import socket
from collections.abc import Callable

import uvicorn

from waivern.errors import UsageError
from waivern.server.app import create_app
from waivern.server.connection_protocol import ConnectionProtocol, OwnUserProtocol, can_name_users
from waivern.server.server_context import ServerContext
from waivern.server.server_options import ServerOptions, ip_address
from waivern.store.base import RunStore

CONNECTIONS = 2000
"""The connections and requests that are served at a time; further ones are refused with 503."""
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
    _allow_connections()
    with listener(options.host, port) as listening:
        server = prepared(store, options, listening, started)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # at its end uvicorn raises the signal again that ended it: these are its handlers then
            signal.signal(number, server.handle_exit)
        server.run(sockets=[listening])


def prepared(
    store: RunStore,
    options: ServerOptions,
    listening: socket.socket,
    started: Callable[[str], None],
) -> EndingServer:
    """Return a server for a socket that listens; `run` serves until `should_exit` is set."""
    context = ServerContext(store, options)
    for_others = bool(options.tokens) or not can_name_users()
    config = uvicorn.Config(
        create_app(store, options, context),
        http=ConnectionProtocol if for_others else OwnUserProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # anyone can make it log; the guard reports what is ours
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
    return server


def _allow_connections() -> None:
    """Raise the limit of open files: each connection needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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
