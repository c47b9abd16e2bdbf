"""Error documents: a status, a fact and a hint, as JSON or as the page of a group of routes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from starlette.responses import JSONResponse, Response

from waivern.errors import (
    IntegrityError,
    NotFoundError,
    RefusedError,
    StoreError,
    UsageError,
    WaivernError,
)
from waivern.message import Json


class RequestError(Exception):
    """A request that is not carried out, with the status of the response."""

    def __init__(
        self,
        status: int,
        message: str,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
        *,
        more: dict[str, Json] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.headers = headers or {}
        self.more = more or {}


class ErrorDocument(NamedTuple):
    """The body of a response that reports an error."""

    status: int
    message: str
    hint: str | None
    headers: dict[str, str]
    more: Mapping[str, Json] = MappingProxyType({})
    """Further facts, such as the problems of a runbook."""

    def json(self) -> Response:
        """Return the error as a JSON response."""
        error = {"status": self.status, "message": self.message, "hint": self.hint, **self.more}
        return JSONResponse({"error": error}, self.status, self.headers)


_STATUSES: tuple[tuple[type[WaivernError], int], ...] = (
    (NotFoundError, 404),
    (RefusedError, 409),
    (UsageError, 422),
    (IntegrityError, 500),
    (StoreError, 503),
)


def document_of(error: Exception) -> ErrorDocument:
    """Return the document for an exception; an unexpected one keeps its text to itself."""
    from starlette.exceptions import HTTPException

    if isinstance(error, RequestError):
        return ErrorDocument(error.status, error.message, error.hint, error.headers, error.more)
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        return ErrorDocument(
            error.status_code, _REASONS.get(error.status_code, error.detail), None, headers
        )
    if isinstance(error, WaivernError):
        status = next((number for kind, number in _STATUSES if isinstance(error, kind)), 422)
        return ErrorDocument(status, error.message, error.hint, {})
    return ErrorDocument(500, "internal error; the server's messages say where", None, {})


_REASONS = {
    404: "there is nothing under this path",
    405: "this path does not support the method",
}
