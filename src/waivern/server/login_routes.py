"""The login form: it takes the token, and sets the cookie that stands in for it."""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from waivern.server.authentication import SESSION_S, cookie_name, cookie_value
from waivern.server.error_documents import ErrorDocument, RequestError
from waivern.server.pages.page_templates import page
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext

FORM_BYTES = 8192


def login_group(context: ServerContext) -> RouteGroup:
    """Return the routes of the login form."""

    async def form(request: Request) -> Response:
        return login_page(_target(request.query_params.get("next", "/")))

    async def login(request: Request) -> Response:
        try:
            fields = parse_qs((await request.body()).decode(), max_num_fields=10)
        except ValueError:
            raise RequestError(400, "the form is not valid") from None
        target = _target(fields.get("next", ["/"])[0])
        if not context.options.tokens:
            return RedirectResponse(target, 303)
        token = context.authenticator.login(request, fields.get("token", [""])[0].strip())
        response = RedirectResponse(target, 303)
        response.set_cookie(
            cookie_name(request),
            cookie_value(token, time.time()),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            # the form came over TLS, which a proxy has ended
            secure=request.headers.get("origin", "").startswith("https://"),
        )
        return response

    async def logout(request: Request) -> Response:
        response = RedirectResponse("/login", 303)
        response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
        return response

    return RouteGroup(
        "/login",
        [
            Route("/login", form, methods=["GET"]),
            Route("/login", login, methods=["POST"]),
            Route("/login/end", logout, methods=["POST"]),
        ],
        body_bytes=FORM_BYTES,
        public=True,
        read_methods=frozenset({"GET", "HEAD", "POST"}),
        is_page=True,
        error_page=_failed,
    )


def login_page(target: str, error: str = "", status: int = 200) -> Response:
    """Return the form."""
    return page("login.html", status, target=target, error=error)


def _failed(request: Request, error: ErrorDocument) -> Response:
    response = login_page(
        _target(request.query_params.get("next", "/")), error.message, error.status
    )
    response.headers.update(error.headers)
    return response


def _target(wanted: str) -> str:
    """Return a path of this server; anything else, which would lead away from it, becomes '/'."""
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if own and wanted.isprintable() and "\\" not in wanted else "/"
