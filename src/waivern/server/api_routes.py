"""The routes `/api/v1`, and the OpenAPI document that describes them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waivern.server.action_operations import action_operations
from waivern.server.api_operations import Operation
from waivern.server.artifact_operations import artifact_operations
from waivern.server.log_operations import log_operations
from waivern.server.openapi import openapi_document
from waivern.server.route_groups import RouteGroup
from waivern.server.run_feeds import RunFeeds
from waivern.server.run_operations import run_operations
from waivern.server.server_context import ServerContext
from waivern.server.stream_operations import stream_operations


def operations(context: ServerContext) -> list[Operation]:
    """Return all operations of the API."""
    return [
        *run_operations(),
        *artifact_operations(),
        *log_operations(),
        *stream_operations(context, RunFeeds(context)),
        *action_operations(context),
    ]


def api_group(context: ServerContext) -> RouteGroup:
    """Return the routes of the API."""
    every = operations(context)
    document = openapi_document(every)

    async def described(_request: Request) -> Response:
        return JSONResponse(document)

    routes = [_route(path, every) for path in dict.fromkeys(each.path for each in every)]
    return RouteGroup("/api/v1", [Route("/api/v1/openapi.json", described), *routes])


def _route(path: str, every: list[Operation]) -> Route:
    """Return the route of a path, for all its methods: the router names them in `Allow`."""
    of_path: dict[str, Operation] = {each.method: each for each in every if each.path == path}

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await of_path[method].carry_out(request)

    return Route(path, endpoint, methods=list(of_path))


def unknown_group(_context: ServerContext) -> RouteGroup:
    """Return the group of paths below `/api` that do not exist: programs ask for them."""
    return RouteGroup("/api", ())
