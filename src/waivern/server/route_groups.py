"""Groups of routes: a prefix of paths, with what its requests may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from waivern.server.error_documents import ErrorDocument

BODY_BYTES = 1 << 20
"""The largest body of a request, unless its group allows more."""

ErrorPage: TypeAlias = Callable[[Request, ErrorDocument], Response]


class RouteGroup(NamedTuple):
    """Routes whose paths begin with a prefix; a request belongs to the longest one that fits."""

    prefix: str
    routes: Sequence[BaseRoute]
    body_bytes: int = BODY_BYTES
    public: bool = False
    """Whether requests need no token, as for the form that asks for it."""
    read_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    """The methods that change nothing, and which a server with `--read-only` carries out."""
    is_page: bool = False
    """Whether people read the responses: without a token they are led to the form."""
    error_page: ErrorPage | None = None
    """Shows an error; None: as JSON."""

    def fits(self, path: str) -> bool:
        """Return whether a path belongs to the group."""
        return path == self.prefix or path.startswith(self.prefix.rstrip("/") + "/")
