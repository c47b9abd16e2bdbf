"""The routes of the pages."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from waivern.errors import UsageError
from waivern.ids import parse_run_id
from waivern.record.annotations import Annotations
from waivern.record.journal_events import EVENT_TYPES
from waivern.runs.listing import SORTS
from waivern.runs.previous_run import previous_run
from waivern.runs.trust import is_foreign
from waivern.server.artifact_operations import item_of
from waivern.server.error_documents import ErrorDocument, RequestError
from waivern.server.pages import artifact_page, run_list_page, run_page
from waivern.server.pages.comparison_page import comparison_view
from waivern.server.pages.page_actions import FORM_BYTES, PageActions
from waivern.server.pages.page_templates import ASSETS, asset, asset_url, page
from waivern.server.pages.recent_pages import RecentPages
from waivern.server.route_groups import RouteGroup
from waivern.server.server_context import ServerContext, user_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
LINES = 1000
"""The last lines of a log that a page shows unless more are requested."""
MOST_LINES = 100_000
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
"""For assets, whose paths change with their content."""
OUTCOMES = {
    "equal": "equal",
    "different": "content differs",
    "status": "status differs",
    "open": "not settled yet",
}
HEADINGS = {401: "A token is required", 403: "Refused", 404: "Not found", 409: "Refused"}


def asset_group(_context: ServerContext) -> RouteGroup:
    """Return the routes of the style sheet and the script, which hold nothing of a run."""

    async def found(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            raise RequestError(404, "there is nothing under this path")
        current = asset_url(name) == request.url.path
        return Response(asset(name), headers=FOREVER if current else {}, media_type=ASSETS[name])

    return RouteGroup(
        "/assets", [Route("/assets/{digest}/{name}", found, methods=["GET"])], public=True
    )


def page_group(context: ServerContext) -> RouteGroup:
    """Return the routes of all pages."""
    handlers = PageHandlers(context)
    routes: list[tuple[str, Handler]] = [
        ("/", handlers.runs),
        ("/runs/{run_id}", handlers.run),
        ("/runs/{run_id}/artifacts/{name:path}", handlers.artifact),
        ("/runs/{run_id}/items/{name:path}", handlers.item),
        ("/runs/{run_id}/log", handlers.log),
        ("/runs/{run_id}/log/{name:path}", handlers.log),
        ("/runs/{run_id}/runbook", handlers.runbook),
        ("/compare", handlers.comparison),
    ]
    actions = PageActions(context)
    forms: list[tuple[str, Handler]] = [
        ("/runs/{run_id}/decide/{gate:path}", actions.decide),
        ("/runs/{run_id}/resume", actions.resume),
        ("/runs/{run_id}/cancel", actions.cancel),
        ("/runs/{run_id}/annotate", actions.annotate),
    ]
    return RouteGroup(
        "/",
        [
            *(Route(path, handler, methods=["GET"]) for path, handler in routes),
            *(Route(path, handler, methods=["POST"]) for path, handler in forms),
        ],
        body_bytes=FORM_BYTES,
        is_page=True,
        error_page=_problem,
    )


class PageHandlers:
    """The handlers of the pages; each reads the store on a thread, and renders there, too."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._store = context.store
        self._records = context.records
        self._recent = RecentPages()

    async def runs(self, request: Request) -> Response:
        """Return the list of runs that match the filter in the URL."""
        query = request.query_params
        typed = run_list_page.TypedFilter(
            status=query.get("status", ""),
            runbook=query.get("runbook", "").strip(),
            since=query.get("since", "").strip(),
            until=query.get("until", "").strip(),
            tag=tuple(" ".join(query.getlist("tag")).split()),
            sort=query.get("sort") or "started",
            start=_number(query, "from"),
        )
        return await self._context.read(self._runs, typed)

    def _runs(self, typed: run_list_page.TypedFilter) -> Response:
        found, error = None, ""
        try:
            found = run_list_page.run_list(self._context.listings.listing(), typed)
        except UsageError as wrong:
            error = f"{wrong.message}; {wrong.hint}" if wrong.hint else wrong.message
        following = typed.start + run_list_page.ROWS
        return page(
            "run_list.html",
            422 if error else 200,
            page=found,
            typed=typed,
            error=error,
            first=typed.start,
            previous=max(0, typed.start - run_list_page.ROWS),
            following=following if found and following < found.matching else 0,
            query=typed.query,
            filtered=typed.is_set,
            sorts=list(SORTS),
            all_statuses=run_list_page.STATUSES,
            annotations=lambda run: Annotations.recorded(run.metadata),
            store=self._store.url,
        )

    async def run(self, request: Request) -> Response:
        """Return the page of a run."""
        run_id = _run_id(request)
        render = partial(self._run, run_id, request.query_params, user_of(request))
        if await self._context.read(self._store.owner, run_id) is None:
            return await self._context.read(render)
        key = run_id, request.url.query, user_of(request)
        return await self._context.read(self._recent.page, key, render)

    def _run(self, run_id: str, query: QueryParams, user: str) -> Response:
        status, start = query.get("status", ""), _number(query, "from")
        opened = query.getlist("open")[:100]
        view = run_page.run_view(self._records, run_id, opened, status, start)
        at = ["--store", self._store.url]
        return page(
            "run.html",
            view=view,
            status=status,
            start=start,
            step_rows=run_page.STEPS,
            foreign=bool(view.record.store) and is_foreign(view.record, self._store),
            verify=shlex.join(["wct", "runs", "verify", run_id, *at]),
            events=f"/api/v1/runs/{run_id}/events",
            kinds=(*EVENT_TYPES, "progress"),
            may_act=not self._context.options.read_only,
            user=user,
        )

    async def artifact(self, request: Request) -> Response:
        """Return the page of an artifact."""
        query = request.query_params
        wanted = artifact_page.WantedPart(
            _number(query, "from"),
            query.get("type", ""),
            query.get("severity", ""),
            query.get("show") == "1",
        )
        name = request.path_params["name"]
        user = user_of(request)
        return await self._context.read(self._artifact, _run_id(request), name, wanted, user)

    def _artifact(
        self, run_id: str, name: str, wanted: artifact_page.WantedPart, user: str
    ) -> Response:
        view = artifact_page.artifact_view(self._records, run_id, name, wanted, user)
        words = ["wct", "inspect", f"{run_id}/{view.step.artifact}", "--full"]
        return page(
            "artifact.html",
            view=view,
            rows=artifact_page.ROWS,
            user=user,
            full_command=shlex.join([*words, "--store", self._store.url]),
        )

    async def item(self, request: Request) -> Response:
        """Return the page of an item of a listed source, after that was recorded.

        A link on another site does not open it: the access log would name a person who did not ask.
        """
        query, run_id, name = request.query_params, _run_id(request), request.path_params["name"]
        wanted = {"run": run_id, "artifact": name, "item": query.get("item") or "1"}
        wanted["reveal"] = query.get("show") == "1"
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise RequestError(403, "a page of another site made this request")
        read = partial(self._item, wanted, user_of(request), request.url.path)
        return await self._context.carry_out(read)

    def _item(self, wanted: dict[str, Any], user: str, path: str) -> Response:
        found = item_of(self._context, wanted, user)
        lines = artifact_page.item_lines(found["parts"])
        heading = f"Item {wanted['item']} of {wanted['artifact']}"
        return self._text(wanted["run"], heading, lines, MOST_LINES, path)

    async def log(self, request: Request) -> Response:
        """Return the last lines of a log: of an artifact, or of the run itself."""
        name = request.path_params.get("name")
        most = min(MOST_LINES, _number(request.query_params, "lines") or LINES)
        return await self._context.read(self._log, _run_id(request), name, most, request.url.path)

    def _log(self, run_id: str, name: str | None, most: int, path: str) -> Response:
        record = self._records.load(run_id)
        if name is not None:
            if name not in record.steps:
                raise RequestError(404, f"the run has no artifact {name[:200]!r}")
            if name in record.sensitive:
                raise RequestError(403, "the artifact is sensitive: its log is not shown")
        lines = self._store.read_log(run_id, name).rstrip().split("\n")
        heading = f"Log of {name}" if name else "Log of the run"
        return self._text(run_id, heading, lines, most, path)

    async def runbook(self, request: Request) -> Response:
        """Return the runbook that a run executed."""
        return await self._context.read(self._runbook, _run_id(request), request.url.path)

    def _runbook(self, run_id: str, path: str) -> Response:
        run = self._records.load(run_id).metadata
        text = self._store.read_runbook(run_id, run.runbook_hash).decode(errors="replace")
        return self._text(run_id, "The runbook that ran", text.split("\n"), MOST_LINES, path)

    def _text(self, run_id: str, heading: str, lines: list[str], most: int, path: str) -> Response:
        shown = lines[-most:] if lines != [""] else []
        return page(
            "text.html",
            run_id=run_id,
            heading=heading,
            found=shown,
            earlier=len(lines) - len(shown) if shown else 0,
            path=path,
        )

    async def comparison(self, request: Request) -> Response:
        """Return two runs side by side; of one, it and the run before it of the same runbook."""
        chosen = [parse_run_id(each) for each in request.query_params.getlist("run")]
        if len(chosen) not in (1, 2):
            raise RequestError(422, "a comparison needs two runs", "select two runs in the list")
        return await self._context.read(self._comparison, chosen)

    def _comparison(self, chosen: list[str]) -> Response:
        if len(chosen) == 1:
            chosen = [self._earlier(chosen[0]), *chosen]
        view = comparison_view(self._records, chosen[0], chosen[1])
        return page("comparison.html", view=view, outcomes=OUTCOMES)

    def _earlier(self, run_id: str) -> str:
        """Return the run before another one of the same runbook. Raises RequestError."""
        run = self._records.load(run_id).metadata
        found = previous_run(self._context.listings.listing(), run)
        if found is None:
            raise RequestError(404, "no earlier run of this runbook is in the store")
        return found.run_id


def _problem(_request: Request, error: ErrorDocument) -> Response:
    heading = HEADINGS.get(error.status, "This cannot be shown")
    response = page(
        "problem.html", error.status, heading=heading, message=error.message, hint=error.hint
    )
    response.headers.update(error.headers)
    return response


def _run_id(request: Request) -> str:
    """Return the run in the path. Raises UsageError if it cannot be one."""
    return parse_run_id(request.path_params["run_id"])


def _number(query: QueryParams, name: str) -> int:
    """Return a parameter that is a number; 0 if it is none."""
    typed = query.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
