"""The routes `/api/pipeline/runs` over the history: fixed by programs that use them already."""

from __future__ import annotations

import warnings

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waivern.api.run_history import RunHistory
from waivern.message import Json
from waivern.record.run_summary import RESULTS
from waivern.server.error_documents import RequestError
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext

DEFAULT_LIMIT = 100


def history_group(context: ServerContext) -> RouteGroup:
    """Return the routes of the history."""
    history = RunHistory(context.store)

    def page(limit: int, result: str | None) -> dict[str, Json]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            every = history.list_runs(None, result)
        return {"runs": [row.document() for row in every[:limit]], "total": len(every)}

    async def runs(request: Request) -> Response:
        limit, result = _limit(request), request.query_params.get("result")
        if result is not None and result not in RESULTS:
            raise RequestError(
                422, f"result= cannot be {result[:100]!r}", f"use one of {', '.join(RESULTS)}"
            )
        return JSONResponse(await context.read(page, limit, result))

    async def run(request: Request) -> Response:
        run_id = request.path_params["run_id"]
        found = await context.read(history.get_run, run_id)
        if found is None:
            raise RequestError(404, f"no run {run_id[:200]!r} has ended")
        return JSONResponse(found.document())

    return RouteGroup(
        "/api/pipeline",
        [
            Route("/api/pipeline/runs", runs, methods=["GET"]),
            Route("/api/pipeline/runs/{run_id}", run, methods=["GET"]),
        ],
    )


def _limit(request: Request) -> int:
    typed = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10):
        raise RequestError(422, f"limit= cannot be {typed[:100]!r}", "use a number of runs, from 0")
    return int(typed)
