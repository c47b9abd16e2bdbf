"""Actions of the pages: forms that decide at a gate, resume or cancel a run, then show it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from waivern.ids import parse_run_id
from waivern.server.action_operations import (
    annotate_recorded,
    cancel_live,
    decide_at_gate,
    resume_recorded,
)
from waivern.server.error_documents import RequestError
from waivern.server.pages.page_templates import run_url
from waivern.server.server_context import ServerContext, user_of

FORM_BYTES = 1 << 18
"""The largest form: it names each artifact that a gate shows."""
FORM_FIELDS = 2000
DECISIONS = {"approve": True, "reject": False}


class PageActions:
    """The handlers of the forms; they do what the operations of the API do."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def decide(self, request: Request) -> Response:
        """Record a decision on the digests that the form had."""
        form = await _form(request)
        decision = form.get("decision", [""])[0]
        if decision not in DECISIONS:
            raise RequestError(422, "the form has no decision", "press Approve or Reject")
        shown = (each.partition(" ") for each in form.get("shown", ()))
        body = {
            "gate": request.path_params["gate"],
            "approved": DECISIONS[decision],
            "shown": {name: digest for digest, _, name in shown},
            "note": _note(form),
        }
        return await self._done(request, decide_at_gate, body, user_of(request))

    async def resume(self, request: Request) -> Response:
        """Resume a run."""
        return await self._done(request, resume_recorded)

    async def cancel(self, request: Request) -> Response:
        """Cancel a run."""
        note = {"note": _note(await _form(request))}
        return await self._done(request, cancel_live, note, user_of(request))

    async def annotate(self, request: Request) -> Response:
        """Change the name, the tags and the note of a run to what the form has."""
        form = await _form(request)
        tags, before = _tags(form, "tags"), _tags(form, "before")
        body = {
            "name": form.get("name", [""])[0].strip(),
            "note": _note(form) or "",
            "add": sorted(tags - before),
            "remove": sorted(before - tags),  # those of others stay, also if they are newer
        }
        return await self._done(request, annotate_recorded, body, user_of(request))

    async def _done(self, request: Request, action: Callable[..., Any], *more: Any) -> Response:
        run_id = parse_run_id(request.path_params["run_id"])
        await self._context.carry_out(action, self._context, run_id, *more)
        return RedirectResponse(str(run_url(run_id)), 303)


async def _form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form. Raises RequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RequestError(415, "the body is not a form")
    try:
        return parse_qs((await request.body()).decode(), max_num_fields=FORM_FIELDS)
    except ValueError:
        raise RequestError(400, "the form is not valid") from None


def _note(form: dict[str, list[str]]) -> str | None:
    return form.get("note", [""])[0].replace("\r\n", "\n").strip()[:10_000] or None


def _tags(form: dict[str, list[str]], field: str) -> set[str]:
    """Return the tags in a field, where commas separate them."""
    return {tag for each in form.get(field, [""])[0].split(",") if (tag := each.strip())}
