"""The application of a server: groups of routes behind one guard.

To add routes, write a function that takes the `ServerContext` and returns a `RouteGroup`, and add
it to GROUPS. Handlers are coroutines that read the store through `ServerContext.read`.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from waivern.server.api_routes import api_group, unknown_group
from waivern.server.error_documents import RequestError
from waivern.server.history_routes import history_group
from waivern.server.login_routes import login_group
from waivern.server.pages.page_group import asset_group, page_group
from waivern.server.request_guard import RequestGuard
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext
from waivern.server.server_options import ServerOptions
from waivern.server.store_routes import store_group
from waivern.store.base import RunStore

GROUPS: tuple[Callable[[ServerContext], RouteGroup], ...] = (
    login_group,
    history_group,
    api_group,
    unknown_group,
    asset_group,
    page_group,
    store_group,
)
"""The groups of every server."""


def create_app(
    store: RunStore, options: ServerOptions, context: ServerContext | None = None
) -> ASGIApp:
    """Return the ASGI application that serves the runs of a store."""
    context = context or ServerContext(store, options)
    groups = [make(context) for make in GROUPS]
    router = Router(
        [route for group in groups for route in group.routes],
        redirect_slashes=False,
        default=_not_found,
    )
    return RequestGuard(router, context, groups)


async def _not_found(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RequestError(404, "there is nothing under this path")
