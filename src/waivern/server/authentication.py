"""The token of a request: as a bearer token, or in the cookie that the login form sets.

The cookie names its holder and its end, and is signed with the token: the server records no
sessions, so that a browser stays logged in when the server is started again.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict

from starlette.requests import Request

from waivern.server.error_documents import RequestError
from waivern.server.server_options import AccessToken, ServerOptions, is_loopback

SESSION_S = 12 * 3600
"""How long a login is valid."""
FAILURES = 10
"""The failed logins of one address that are answered at once."""
FAILURE_S = 6.0
"""The time after which one more failure is allowed."""
ADDRESSES = 1000
"""The number of addresses whose failures are remembered."""


class Authenticator:
    """The check of tokens and cookies, with a limit on failures."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._failures = FailureLimit()

    def user(self, request: Request) -> str:
        """Return the person who makes a request. Raises RequestError without a valid token."""
        if not self._options.tokens:
            return self._options.user
        header = request.headers.get("authorization")
        if header is not None:
            scheme, _, secret = header.partition(" ")
            if scheme.lower() != "bearer":
                raise self._refused("the Authorization header has no bearer token")
            return self._name(self.login(request, secret.strip()))
        cookie = request.cookies.get(cookie_name(request))
        if cookie is None:
            raise self._refused("a token is required")
        for token in self._options.tokens:
            if is_valid(cookie, token, time.time()):
                return self._name(token)
        raise self._refused("the login has ended")

    def login(self, request: Request, secret: str) -> AccessToken:
        """Return the token with this secret. Raises RequestError; too many failures are delayed."""
        peer = peer_of(request)
        if wait := self._failures.wait(peer, time.monotonic()):
            raise RequestError(
                429, "too many failed logins", None, {"retry-after": str(int(wait) + 1)}
            )
        found = None
        for token in self._options.tokens:  # all of them, so that time shows nothing
            if hmac.compare_digest(_digest(secret), _digest(token.secret)):
                found = token
        if found is None:
            self._failures.add(peer, time.monotonic())
            raise self._refused("the token is not valid")
        return found

    def _name(self, token: AccessToken) -> str:
        return token.name or self._options.user

    def _refused(self, message: str) -> RequestError:
        return RequestError(
            401,
            message,
            "send the token of --token-file: Authorization: Bearer TOKEN",
            {"www-authenticate": 'Bearer realm="waivern"'},
        )


class FailureLimit:
    """The failed logins of each address; they are forgotten at a fixed rate."""

    def __init__(self) -> None:
        self._debts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Return the seconds until an address may try again; 0 if it may now."""
        return max(0.0, (self._debt(peer, now) - FAILURES + 1) * FAILURE_S)

    def add(self, peer: str, now: float) -> None:
        """Record a failure."""
        self._debts[peer] = (self._debt(peer, now) + 1, now)
        self._debts.move_to_end(peer)
        while len(self._debts) > ADDRESSES:
            self._debts.popitem(last=False)

    def _debt(self, peer: str, now: float) -> float:
        count, since = self._debts.get(peer, (0.0, now))
        return max(0.0, count - (now - since) / FAILURE_S)


def peer_of(request: Request) -> str:
    """Return the address that failures are counted for.

    All clients of a proxy on this computer have its address, and one of them could keep the others
    out. The last address that such a proxy sends is the one that it saw; those before it, and the
    whole header without a proxy, are the client's own words.
    """
    peer = request.client.host if request.client else ""
    if not is_loopback(peer):
        return peer
    sent = ",".join(request.headers.getlist("x-forwarded-for"))
    return sent.rpartition(",")[2].strip()[:100] or peer


def cookie_name(request: Request) -> str:
    """Return the name of the cookie; servers on other ports of a host have other ones."""
    server = request.scope.get("server") or ("", 0)
    return f"waivern-{server[1]}"


def cookie_value(token: AccessToken, now: float) -> str:
    """Return a cookie that proves a login until it ends."""
    end = str(int(now) + SESSION_S)
    return f"{end}.{_signature(token, end)}"


def is_valid(cookie: str, token: AccessToken, now: float) -> bool:
    """Return whether a cookie was made with a token, and has not ended."""
    end, _, signature = cookie.partition(".")
    if not (end.isascii() and end.isdigit() and len(end) < 16):
        return False
    expected = _signature(token, end)
    return hmac.compare_digest(signature.encode(), expected.encode()) and int(end) > now


def _signature(token: AccessToken, end: str) -> str:
    return hmac.new(_digest("cookie " + token.secret), end.encode(), hashlib.sha256).hexdigest()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()
