"""Operations of the API that read runs: lists, a run, its steps and its progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from waivern.errors import ArtifactNotFoundError, IntegrityError
from waivern.message import Json
from waivern.record.coverage import coverage
from waivern.record.gates import gate_document
from waivern.record.status import DamagedStatus, RunStatus
from waivern.runs import queries
from waivern.runs.listing import SORTS, RunFilter, RunGlance
from waivern.runs.listing_cache import ListingCache
from waivern.runs.moments import moment
from waivern.runs.record_cache import RecordCache
from waivern.server.api_operations import TEXT, ApiCall, Operation, Parameter
from waivern.server.error_documents import RequestError
from waivern.server.operation_parameters import (
    LIMIT,
    PAGE,
    RUN,
    STATUS,
    cut,
    page_document,
    record_of,
    steps_with,
)
from waivern.server.server_context import context_of
from waivern.store.base import RunStore

_TEXT = TEXT | {"maxLength": 1000}


async def list_runs(call: ApiCall) -> dict[str, Json]:
    """Return the runs that match a filter."""
    context = context_of(call.request)
    return await context.read(run_list, context.listings, call.values)


def run_list(listings: ListingCache, asked: Any) -> dict[str, Json]:
    """Return one page of the runs, and the cursor of the next."""
    now = time.time()
    since, until = asked["since"], asked["until"]
    wanted = RunFilter(
        asked["status"],
        asked["runbook"],
        None if since is None else moment(since, now),
        None if until is None else moment(until, now, ends=True),
        tuple(asked["tag"]),
    )
    listing = listings.listing()
    if asked["sort"] != "started":
        listing.sort(asked["sort"])
    matching = list(listing.matching(wanted))
    start = _place(matching, asked["cursor"])
    shown, rows = matching[start : start + asked["limit"]], []
    for found in shown:
        row = listing.row(found.run_id)
        if row is not None and wanted.status in (None, row.status):
            rows.append(row.document())
    end = start + len(shown)
    following = f"{end}.{shown[-1].run_id}" if shown and end < len(matching) else None
    return {"runs": rows, "total": len(matching), "next": following}


def _place(matching: Sequence[RunGlance], cursor: str | None) -> int:
    """Return where the page begins that follows a cursor: after its run, wherever that is now."""
    if cursor is None:
        return 0
    number, _, run_id = cursor.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) < 12 and run_id):
        raise RequestError(422, "cursor= is not one that this server returned")
    places = (n for n, found in enumerate(matching, 1) if found.run_id == run_id)
    return next(places, min(int(number), len(matching)))


async def get_run(call: ApiCall) -> dict[str, Json]:
    """Return a run."""
    context = context_of(call.request)
    return await context.read(run_document, context.records, call.values["run"])


def run_document(records: RecordCache, run: str) -> dict[str, Json]:
    """Return a run: what `run.json` has, as it is now, and what its journal says beside that."""
    record = record_of(records, run)
    metadata, state = record.metadata, record.state.document()
    return metadata.document() | {
        "status": str(metadata.status),
        "artifacts": {name: len(state[name]) for name in queries.COUNTED},
        "coverage": coverage(record).document(),
        "decisions": {gate: gate_document(found) for gate, found in record.decisions.items()},
        "sensitive": sorted(record.sensitive),
        "holds": record.held,
        "redacted": record.redacted,
        "pinned": records.store.pinned(metadata.run_id),
        "events": record.count,
        "vouched": record.vouched,
    }


async def list_steps(call: ApiCall) -> dict[str, Json]:
    """Return the steps of a run in the order of starting."""
    context = context_of(call.request)
    return await context.read(_steps, context.records, call.values)


def _steps(records: RecordCache, asked: Any) -> dict[str, Json]:
    steps = steps_with(record_of(records, asked["run"]), asked["status"])
    return page_document(
        "steps", [step.document() for step in cut(steps, asked)], len(steps), asked
    )


async def get_progress(call: ApiCall) -> dict[str, Json]:
    """Return the progress of a live run."""
    context = context_of(call.request)
    return await context.read(_progress, context.records, call.values["run"])


def _progress(records: RecordCache, run: str) -> dict[str, Json]:
    run_id = record_of(records, run).metadata.run_id
    return {"run_id": run_id, "progress": progress_of(records.store, run_id)}


def progress_of(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return the last progress of a run; None if it is not live, or nothing was reported."""
    if store.owner(run_id) is None:
        return None
    try:
        return store.read_json(run_id, "progress")
    except (ArtifactNotFoundError, IntegrityError):
        return None


def run_operations() -> Iterator[Operation]:
    """Yield the operations that read runs."""
    yield Operation(
        "GET",
        "/api/v1/runs",
        "List the runs, newest first, with the filters of `wct runs list`.",
        list_runs,
        (
            Parameter(
                "status",
                "Only runs with this status.",
                {"type": "string", "enum": [*map(str, RunStatus), *map(str, DamagedStatus)]},
            ),
            Parameter("runbook", "Only runs of this runbook: its name, stem or path.", _TEXT),
            Parameter("since", "Only runs that started since: an age, a date, or a time.", _TEXT),
            Parameter("until", "Only runs that started until: an age, a date, or a time.", _TEXT),
            Parameter(
                "tag",
                "Only runs with this tag; may occur several times.",
                {"type": "array", "items": _TEXT, "maxItems": 20},
            ),
            Parameter(
                "sort",
                "The order.",
                {"type": "string", "enum": list(SORTS), "default": "started"},
            ),
            LIMIT,
            Parameter("cursor", "`next` of the page before.", _TEXT),
        ),
        returns="`runs`, `total` (all that match), and `next`, the next page's cursor or null.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}",
        "Return a run.",
        get_run,
        (RUN,),
        returns="The fields of run.json, and counts, coverage, decisions, holds and redactions.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/steps",
        "List the steps of a run in the order of starting.",
        list_steps,
        (RUN, STATUS, *PAGE),
        returns="`steps`, `total`, and `next`, the offset of the next page or null.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/progress",
        "Return the progress of a live run.",
        get_progress,
        (RUN,),
        returns="`progress`: `at`, and `artifacts` with `n` of `total`, `size` of"
        " `total_size`, and `found`; null if the run is not live or nothing was reported.",
    )
