"""The connection to a server: its address, the token, and one attempt at a request."""

from __future__ import annotations

import ipaddress
import logging
import os
import stat
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from weakref import finalize

from waivern.errors import RefusedError, UsageError

if TYPE_CHECKING:
    import ssl

    import httpx2

TOKEN = "WAIVERN_STORE_TOKEN"  # noqa: S105 - names of variables
TOKEN_FILE = "WAIVERN_STORE_TOKEN_FILE"  # noqa: S105
PLAIN = "WAIVERN_STORE_PLAIN_HTTP"
"""Set to 1, it allows `http://` to another computer: the network can read token and data."""
CA_FILE = "WAIVERN_STORE_CA_FILE"
"""The certificates of the authorities that are trusted, in place of those of the system."""
ANSWER_S = 20.0
"""How long one attempt waits for an answer; a server sends one after 8 s at the latest."""
CONNECT_S = 5.0
CONNECTIONS = 32
_EXTRA = "install the extra: `pip install 'waivern[http]'`"


def checked_url(url: str) -> str:
    """Return the URL of a server without a '/' at its end. Raises UsageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused_url("is not valid") from None
    if parts.username is not None or parts.password is not None:
        raise _refused_url(f"has a user or a password: give the token in {TOKEN}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _refused_url("does not name a server")
    if parts.query or parts.fragment:
        raise _refused_url("has a query or a fragment")
    if port == 0:
        raise _refused_url("has no port that can be reached")
    return url.rstrip("/")


def _refused_url(why: str) -> UsageError:
    return UsageError(
        f"the URL of the store {why}",
        hint="write https://HOST, or http://127.0.0.1:PORT as `wct serve` prints it",
    )


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this computer's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_plain(url: str) -> None:
    """Raise RefusedError for plain HTTP to another computer, unless it is allowed."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    if plain and os.environ.get(PLAIN) != "1":
        raise RefusedError(
            f"{url} is not encrypted: the network can read the token and the data",
            hint=f"use https://, or set {PLAIN}=1 if the network is trusted",
        )


def token_of_environment() -> str | None:
    """Return the token that the environment names. Raises UsageError if it cannot be read."""
    if path := os.environ.get(TOKEN_FILE):
        return _token_in(path)
    return os.environ.get(TOKEN) or None


def _token_in(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="ascii") as file:
            found = os.fstat(file.fileno())
            text = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise UsageError(
            f"the file that {TOKEN_FILE} names cannot be read: {why}",
            hint="give it the token, alone on its first line",
        ) from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(
            f"other accounts can read the file that {TOKEN_FILE} names",
            hint=f"`chmod 600 {path}`, and choose another token",
        )
    if not text:
        raise UsageError(f"the file that {TOKEN_FILE} names has no token on its first line")
    return text


def _authorities() -> ssl.SSLContext | bool:
    """Return the authorities that the environment names. Raises UsageError."""
    if not (path := os.environ.get(CA_FILE)):
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=os.path.expanduser(path))
    except OSError as error:
        raise UsageError(
            f"the file that {CA_FILE} names has no certificates: {error.strerror or error}",
            hint="give it the certificate of the authority, in PEM",
        ) from error


class Answer(NamedTuple):
    """The response of a server to one attempt."""

    status: int
    body: bytes
    location: str | None
    message: str
    """The fact that an error document states; empty without one."""


class AwayError(Exception):
    """An attempt without a response; its text says why."""


class ServerConnection:
    """The way to one server. Thread-safe; a forked child renews it.

    It follows no redirect: the token would go to another server.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._token = token
        self._client: httpx2.Client | None = None

    def renew(self) -> None:
        """Forget the open connections: a forked child shares them with its parent."""
        self._client = None

    def close(self) -> None:
        """Close the open connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def send(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Send a request, once. Raises AwayError if there is no response."""
        client = self._opened()
        import httpx2

        _quiet.on = True
        try:
            response = client.request(method, self.url + path, content=body)
        except httpx2.TransportError as error:
            raise AwayError(_reason(error)) from error
        except RuntimeError as error:  # closed by another thread meanwhile
            raise AwayError("the connection was closed") from error
        finally:
            _quiet.on = False
        location = response.headers.get("location") if response.is_redirect else None
        return Answer(response.status_code, response.content, location, _message(response))

    def _opened(self) -> httpx2.Client:
        if (client := self._client) is None:
            client = self._client = self._new_client()
            # a store that is not used any more need not be closed
            finalize(self, client.close).atexit = False
        return client

    def _new_client(self) -> httpx2.Client:
        try:
            import httpx2
        except ImportError as error:
            raise UsageError("a store behind a server needs httpx2", hint=_EXTRA) from error

        _silence()
        headers = {"content-type": "application/octet-stream", "user-agent": "waivern"}
        if (token := self._token or token_of_environment()) is not None:
            headers["authorization"] = f"Bearer {token}"
        local = is_loopback(urlsplit(self.url).hostname or "")
        return httpx2.Client(
            headers=headers,
            verify=_authorities(),
            timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S, pool=None),
            limits=httpx2.Limits(max_connections=CONNECTIONS, keepalive_expiry=4.0),
            trust_env=not local,  # a proxy is for the way out of this computer
            follow_redirects=False,
        )


class _Quiet(threading.local):
    """The mark of a thread that sends a request of a store."""

    on = False

    def filter(self, _record: logging.LogRecord) -> bool:
        """Return whether a log record of httpx2 is written."""
        return not self.on


_quiet = _Quiet()
_PARTS = ("connection", "http11", "http2", "proxy", "socks")
_LOGGERS = ("httpx2", *(f"httpcore2.{part}" for part in _PARTS))


def _silence() -> None:
    """Keep requests of stores out of logs.

    The log of an artifact is written with such requests: each record would cause the next one.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _quiet not in logger.filters:
            logger.addFilter(_quiet)


def _reason(error: Exception) -> str:
    """Return why there was no response, without what a proxy or a URL may contain."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _message(response: httpx2.Response) -> str:
    if response.is_success or "json" not in response.headers.get("content-type", ""):
        return ""
    try:
        return str(response.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return ""
