"""The guard before all routes: what a request must be before any of them sees it.

It stands here, once, and not in the routes, so that a new route cannot forget a check.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from itertools import chain
from urllib.parse import quote, urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waivern.server.error_documents import RequestError, document_of
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext
from waivern.server.server_options import ServerOptions, ip_address, is_loopback

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send forms with `Origin: null`
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""The headers of every response; a route may set its own `cache-control`."""
TARGET_BYTES = 8192
"""The longest path with its query."""
HEAD_BYTES = 32768
BODY_S = 30.0
"""How long a client may take for a body, beyond what its size needs."""
SLOWEST_BYTES_S = 20_000
"""The slowest transfer of a body that is waited for."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class RequestGuard:
    """The application that checks every request, and hands on those that pass."""

    def __init__(self, app: ASGIApp, context: ServerContext, groups: Sequence[RouteGroup]) -> None:
        self._app = app
        self._context = context
        self._options = options = context.options
        self._groups = sorted(groups, key=lambda group: len(group.prefix), reverse=True)
        self._names = host_names(options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: nothing here speaks that
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        group = self._group(scope["path"])
        response = GuardedResponse(send)
        request = Request(scope)
        # without an application, the router answers a wrong method itself, and not with an error
        scope["app"] = self
        scope["waivern.context"] = self._context
        try:
            self._check(request, group)
            body = BoundedBody(receive, group.body_bytes, request.headers)
            await self._app(scope, body, response)
        except Exception as error:  # noqa: BLE001 - an internal error is reported, too
            if not isinstance(error, RequestError):
                _report(error, request)
            if not response.started:
                await self._refusal(error, request, group)(scope, receive, response)

    def _check(self, request: Request, group: RouteGroup) -> None:
        """Raise RequestError unless the request may be carried out."""
        target = request.scope["path"] + request.scope["query_string"].decode("latin-1")
        if len(target) > TARGET_BYTES:
            raise RequestError(414, f"the path is longer than {TARGET_BYTES} bytes")
        if sum(map(len, chain.from_iterable(request.headers.raw))) > HEAD_BYTES:
            raise RequestError(431, f"the headers have more than {HEAD_BYTES:,} bytes")
        if _CONTROL.search(request.scope["path"]):
            raise RequestError(400, "the path has a control character")
        self._check_host(request)
        changes = request.method not in group.read_methods
        self._check_origin(request, posts=request.method not in ("GET", "HEAD"))
        if group.public:
            request.scope["waivern.user"] = self._options.user
        else:
            request.scope["waivern.user"] = self._context.authenticator.user(request)
        if changes and self._options.read_only:
            raise RequestError(
                403, "this server is read-only", "start `wct serve` without --read-only"
            )

    def _check_host(self, request: Request) -> None:
        """Refuse other names than the server's.

        A foreign page can let its own name resolve to this address, and then reads as if it were
        of the same origin (DNS rebinding); the name is what distinguishes its requests.
        """
        hosts = request.headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            raise RequestError(400, "the Host header is not valid")
        if not self._is_own(name):
            raise RequestError(
                421,
                f"this server has no such name: {name[:200]!r}",
                "use the address that `wct serve` printed, or start it with --name",
            )

    def _is_own(self, name: str) -> bool:
        address = ip_address(name)
        if address is None:
            return name in self._names
        # a page that resolves a name to an address sends that name, so an address is safe
        return not self._options.is_local or is_loopback(name)

    def _check_origin(self, request: Request, *, posts: bool) -> None:
        """Refuse requests that another site's page makes a browser send."""
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is not None and posts:
            if urlsplit(origin).netloc != request.headers["host"]:
                raise RequestError(403, "a page of another site made this request")
        elif site is not None:
            opened = request.headers.get("sec-fetch-mode") == "navigate" and not posts
            if not (site in ("same-origin", "none") or opened):
                raise RequestError(403, "a page of another site made this request")
        elif posts and _is_form(request):
            # only a browser sends a form, and it says from where; other programs send JSON
            raise RequestError(403, "the Origin header is missing", "send JSON, or the header")

    def _refusal(self, error: Exception, request: Request, group: RouteGroup) -> Response:
        """Return the response for a request that failed."""
        found = document_of(error)
        if found.status == 401 and group.is_page and request.method == "GET":
            url = request.url
            back = url.path + ("?" + url.query if url.query else "")
            return RedirectResponse(f"/login?next={quote(back, safe='')}", 303)
        return group.error_page(request, found) if group.error_page else found.json()

    def _group(self, path: str) -> RouteGroup:
        return next((group for group in self._groups if group.fits(path)), RouteGroup("/", ()))


def host_names(options: ServerOptions) -> frozenset[str]:
    """Return the names, other than addresses, that requests may be addressed to."""
    import socket

    own = {"localhost", options.host.lower(), *(name.lower() for name in options.names)}
    if not options.is_local:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(own)


def host_name(header: str) -> str | None:
    """Return the name in a Host header without the port, in small letters; None if it is wrong."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", header)
    return found[1].lower() if found else None


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    return kind in _FORM_TYPES


def _report(error: Exception, request: Request) -> None:
    """Write where an unexpected error happened, but not its text, which may hold a secret."""
    if document_of(error).status != 500 or isinstance(error, OSError):
        return
    frame, last = error.__traceback__, None
    while frame is not None:
        last, frame = frame, frame.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else "?"
    path = request.scope["path"][:200]
    sys.stderr.write(f"error: {request.method} {path!r}: {type(error).__name__} at {where}\n")


class GuardedResponse:
    """The way back to a client, which adds the headers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


class BoundedBody:
    """The body of a request, up to a size, and no slower than is reasonable."""

    def __init__(self, receive: Receive, limit: int, headers: Headers) -> None:
        self._receive = receive
        self._limit = limit
        self._count = 0
        self._complete = False
        self._end: float | None = None
        length = headers.get("content-length", "0")
        if "content-length" in headers and "transfer-encoding" in headers:
            # a proxy may read one and the server the other: the rest would be another request
            raise RequestError(400, "the body has two lengths")
        if not length.isascii() or not length.isdigit():
            raise RequestError(400, "the Content-Length header is not valid")
        if len(length) > 18 or int(length) > limit:
            raise self._too_large()

    async def __call__(self) -> Message:
        if self._complete:  # nothing follows but the end of the connection
            return await self._receive()
        if self._end is None:
            self._end = time.monotonic() + BODY_S
        allowed = self._end + self._count / SLOWEST_BYTES_S - time.monotonic()
        try:
            with anyio.fail_after(max(0.0, allowed)):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, "the body arrived too slowly") from None
        self._count += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._count > self._limit:
            raise self._too_large()
        return message

    def _too_large(self) -> RequestError:
        return RequestError(413, f"the body is larger than {self._limit:,} bytes")
