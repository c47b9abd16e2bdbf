"""The routes `/api/pipeline/runs` over the history: fixed by programs that use them already."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waivern.message import Json
from waivern.record.run_summary import RESULTS, RunSummary
from waivern.server.error_documents import RequestError
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext

DEFAULT_LIMIT = 100


def history_group(context: ServerContext) -> RouteGroup:
    """Return the routes of the history."""

    def page(limit: int, result: str | None) -> dict[str, Json]:
        every = context.listings.history().rows
        matching = [row for row in every if result in (None, row.result)]
        return {"runs": [row.document() for row in matching[:limit]], "total": len(matching)}

    def named(run_id: str) -> RunSummary | None:
        every = context.listings.history().rows
        return next((row for row in every if row.run_id == run_id), None)

    async def runs(request: Request) -> Response:
        limit, result = _limit(request), request.query_params.get("result")
        if result is not None and result not in RESULTS:
            raise RequestError(
                422, f"result= cannot be {result[:100]!r}", f"use one of {', '.join(RESULTS)}"
            )
        return JSONResponse(await context.read(page, limit, result))

    async def run(request: Request) -> Response:
        run_id = request.path_params["run_id"]
        found = await context.read(named, run_id)
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
