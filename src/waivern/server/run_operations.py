"""Operations of the API that read runs: lists, a run, its steps, artifacts and logs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from waivern.clock import Clock
from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from waivern.message import Json, Message
from waivern.record.coverage import coverage
from waivern.record.fold import RunRecord
from waivern.record.gates import gate_document
from waivern.record.status import ArtifactStatus, DamagedStatus, RunStatus
from waivern.record.step_record import StepRecord, ordered
from waivern.record.wording import redacted
from waivern.runs import queries
from waivern.runs.listing import SORTS, RunFilter, RunGlance
from waivern.runs.listing_cache import ListingCache
from waivern.runs.moments import moment
from waivern.runs.recorded_artifacts import ArtifactList, fetched, meant
from waivern.runs.run_references import find
from waivern.server.api_operations import PATH_TEXT, TEXT, ApiCall, Operation, Parameter
from waivern.server.error_documents import RequestError
from waivern.server.server_context import context_of, user_of
from waivern.store.base import RunStore

MOST = 1000
"""The largest number of elements of one page."""
CONTENT_BYTES = 8 << 20
"""The largest content that is returned whole."""
LOG_CHARACTERS = 1 << 20
"""The part of a log that is returned at once."""

RUN = Parameter(
    "run",
    "A run: its id, a unique prefix of it, `@last`, `@last~2` or `@failed`.",
    # a '/' would be part of the path
    PATH_TEXT | {"maxLength": 200, "pattern": r"^[^\x00-\x1f\x7f/]+$"},
    "path",
    "@last",
)
ARTIFACT = Parameter(
    "artifact",
    "The id of an artifact, or an alias of one.",
    PATH_TEXT | {"maxLength": 4000},
    "path",
    "findings",
)
LIMIT = Parameter(
    "limit",
    "The most elements to return.",
    {"type": "integer", "minimum": 0, "maximum": MOST, "default": 100},
)
OFFSET = Parameter(
    "offset",
    "The number of elements to pass over.",
    {"type": "integer", "minimum": 0, "maximum": 10**12, "default": 0},
)
REVEAL = Parameter(
    "reveal",
    "Also show what the runbook declares sensitive.",
    {"type": "boolean", "default": False},
)
_TEXT = TEXT | {"maxLength": 1000}


def record_of(store: RunStore, run: str) -> RunRecord:
    """Return the record of a run as it is now. Raises NotFoundError for a text that names none."""
    return queries.load(store, found_run(store, run))


def found_run(store: RunStore, run: str) -> str:
    """Return the id of the run that a text names. Raises NotFoundError if it names none."""
    try:
        return find(store, run)
    except UsageError as error:
        raise NotFoundError(error.message, hint=error.hint) from None


# runs


async def list_runs(call: ApiCall) -> dict[str, Json]:
    """Return the runs that match a filter."""
    context = context_of(call.request)
    return await context.read(run_page, context.listings, call.values)


def run_page(listings: ListingCache, asked: Any) -> dict[str, Json]:
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
    return await context.read(run_document, context.store, call.values["run"])


def run_document(store: RunStore, run: str) -> dict[str, Json]:
    """Return a run: what `run.json` has, as it is now, and what its journal says beside that."""
    record = record_of(store, run)
    metadata, state = record.metadata, record.state.document()
    return metadata.document() | {
        "status": str(metadata.status),
        "artifacts": {name: len(state[name]) for name in queries.COUNTED},
        "coverage": coverage(record).document(),
        "decisions": {gate: gate_document(found) for gate, found in record.decisions.items()},
        "sensitive": sorted(record.sensitive),
        "holds": record.held,
        "redacted": record.redacted,
        "pinned": store.pinned(metadata.run_id),
        "events": record.count,
        "vouched": record.vouched,
    }


async def list_steps(call: ApiCall) -> dict[str, Json]:
    """Return the steps of a run in the order of starting."""
    context = context_of(call.request)
    return await context.read(_steps, context.store, call.values)


def _steps(store: RunStore, asked: Any) -> dict[str, Json]:
    steps = _those(record_of(store, asked["run"]), asked["status"])
    return _page("steps", [step.document() for step in _cut(steps, asked)], len(steps), asked)


def _those(record: RunRecord, status: str | None) -> list[StepRecord]:
    return [step for step in ordered(record.steps.values()) if status in (None, str(step.status))]


def _cut(found: Sequence[StepRecord], asked: Any) -> Sequence[StepRecord]:
    return found[asked["offset"] : asked["offset"] + asked["limit"]]


def _page(name: str, found: list[Json], total: int, asked: Any) -> dict[str, Json]:
    end = asked["offset"] + len(found)
    return {name: found, "total": total, "next": end if found and end < total else None}


async def get_progress(call: ApiCall) -> dict[str, Json]:
    """Return the progress of a live run."""
    context = context_of(call.request)
    return await context.read(_progress, context.store, call.values["run"])


def _progress(store: RunStore, run: str) -> dict[str, Json]:
    run_id = record_of(store, run).metadata.run_id
    return {"run_id": run_id, "progress": progress_of(store, run_id)}


def progress_of(store: RunStore, run_id: str) -> dict[str, Json] | None:
    """Return the last progress of a run; None if it is not live, or nothing was reported."""
    if store.owner(run_id) is None:
        return None
    try:
        return store.read_json(run_id, "progress")
    except (ArtifactNotFoundError, IntegrityError):
        return None


# artifacts


async def list_artifacts(call: ApiCall) -> dict[str, Json]:
    """Return the artifacts of a run, as its journal records them."""
    context = context_of(call.request)
    return await context.read(_artifacts, context.store, call.values)


def _artifacts(store: RunStore, asked: Any) -> dict[str, Json]:
    record = record_of(store, asked["run"])
    steps = _those(record, asked["status"])
    found = [_summary(record, step) for step in _cut(steps, asked)]
    return _page("artifacts", found, len(steps), asked)


def _summary(record: RunRecord, step: StepRecord) -> dict[str, Json]:
    done = step.completed
    return {
        "artifact": step.artifact,
        "status": str(step.status),
        "how": done.how if done else None,
        "schema": done.schema if done else None,
        "size": step.stored_bytes if done else None,
        "digest": done.digest if done else None,
        "content_digest": done.content_digest if done else None,
        "keep": done.keep if done else None,
        "held_bytes": step.held_bytes,
        "sensitive": step.artifact in record.sensitive,
        "redacted": step.redacted is not None,
    }


async def get_artifact(call: ApiCall) -> dict[str, Json]:
    """Return what is known of an artifact, without its content."""
    context = context_of(call.request)
    return await context.read(_artifact, context.store, call.values)


def _artifact(store: RunStore, asked: Any) -> dict[str, Json]:
    record = record_of(store, asked["run"])
    step = record.steps[meant(record, asked["artifact"])]
    document = {"run_id": record.metadata.run_id, **_summary(record, step), "step": step.document()}
    document["aliases"] = sorted(n for n, ids in record.aliases.items() if step.artifact in ids)
    message = fetched(store, record, step)
    if message is not None and step.completed is not None:
        main = ArtifactList.of(message)
        document |= {
            "source": message.source,
            "version": step.completed.version,
            "timestamp": message.timestamp,
            "inputs": step.completed.inputs,
            "origin": step.completed.origin,
            "extensions": message.extensions,
            "list": {"name": main.name, "count": len(main.elements)} if main else None,
        }
    return document


async def get_content(call: ApiCall) -> dict[str, Json]:
    """Return the content of an artifact, or elements of its list."""
    context = context_of(call.request)
    return await context.read(_content, context.store, call.values, user_of(call.request))


def _content(store: RunStore, asked: Any, user: str) -> dict[str, Json]:
    record = record_of(store, asked["run"])
    step = record.steps[meant(record, asked["artifact"])]
    refuse_sensitive(record, step.artifact, reveal=asked["reveal"])
    message = fetched(store, record, step)
    if message is None or step.completed is None:
        raise ArtifactNotFoundError(
            f"artifact '{step.artifact}' has no content: it is {step.status}"
        )
    if step.redacted and step.redacted.destroyed == "content":
        raise RefusedError(f"the content of '{step.artifact}' is gone: {redacted(step.redacted)}")
    note_access(store, record, step, user)
    document = {"run_id": record.metadata.run_id, "artifact": step.artifact}
    if asked["offset"] is None and asked["limit"] is None:
        return document | {"content": _whole(message, step)}
    return document | _elements(message, asked["offset"] or 0, asked["limit"])


def _whole(message: Message, step: StepRecord) -> Json:
    if step.stored_bytes > CONTENT_BYTES:
        raise RequestError(
            422,
            f"the content has {step.stored_bytes:,} bytes; at most {CONTENT_BYTES:,} are returned",
            "ask for elements of its list with offset= and limit=",
        )
    content = message.complete_content
    if message.records is not None and isinstance(content, dict):
        return content | {message.records.name: list(message.records)}
    return content


def _elements(message: Message, offset: int, limit: int | None) -> dict[str, Json]:
    main = ArtifactList.of(message)
    if main is None:
        raise RequestError(422, "the content has no list", "leave offset= and limit= out")
    found = list(islice(main.elements, offset, offset + (MOST if limit is None else limit)))
    total, end = len(main.elements), offset + len(found)
    following = end if found and end < total else None
    return {"list": main.name, "elements": found, "total": total, "next": following}


def refuse_sensitive(record: RunRecord, artifact: str, *, reveal: bool) -> None:
    """Raise RefusedError if an artifact is declared sensitive and is not to be revealed."""
    if artifact in record.sensitive and not reveal:
        raise RefusedError(f"'{artifact}' is declared sensitive", hint="reveal=true shows it")


def note_access(store: RunStore, record: RunRecord, step: StepRecord, user: str) -> None:
    """Record that a person is shown an artifact, if it holds content of a source.

    Raises StoreError or IntegrityError if that cannot be recorded: nothing may be shown then.
    """
    if step.held_bytes and record.vouched:
        from waivern.runs.access import Viewer, note

        note(store, record, step.artifact, Viewer(user, Clock()))


# logs


async def get_run_log(call: ApiCall) -> dict[str, Json]:
    """Return a part of the log of a run."""
    context = context_of(call.request)
    return await context.read(log_part, context.store, call.values)


async def get_log(call: ApiCall) -> dict[str, Json]:
    """Return a part of the log of an artifact."""
    context = context_of(call.request)
    return await context.read(log_part, context.store, call.values)


def log_part(store: RunStore, asked: Any) -> dict[str, Json]:
    """Return characters of a log from an offset on, and the offset of those that follow."""
    record = record_of(store, asked["run"])
    name = log_name(record, asked)
    text = store.read_log(record.metadata.run_id, name)
    offset = min(asked["offset"], len(text))
    part = text[offset : offset + LOG_CHARACTERS]
    end = offset + len(part)
    return {
        "run_id": record.metadata.run_id,
        "artifact": name,
        "text": part,
        "offset": offset,
        "next": end,
        "size": len(text),
    }


def log_name(record: RunRecord, asked: Any) -> str | None:
    """Return the artifact whose log is meant; None: that of the run. Raises RefusedError."""
    if asked.get("artifact") is None:
        return None
    name = meant(record, asked["artifact"])
    refuse_sensitive(record, name, reveal=asked["reveal"])
    return name


_STATUS = Parameter(
    "status",
    "Only artifacts with this status.",
    {"type": "string", "enum": [str(each) for each in ArtifactStatus]},
)
_PAGE = (LIMIT, OFFSET)


def read_operations() -> Iterator[Operation]:
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
        (RUN, _STATUS, *_PAGE),
        returns="`steps`, `total`, and `next`, the offset of the next page or null.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/progress",
        "Return the progress of a live run.",
        get_progress,
        (RUN,),
        returns="`progress`: `at`, and `artifacts` with `n` of `total` and `size` of `total_size`;"
        " null if the run is not live or nothing was reported.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/artifacts",
        "List the artifacts of a run.",
        list_artifacts,
        (RUN, _STATUS, *_PAGE),
        returns="`artifacts`, `total`, and `next`, the offset of the next page or null.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/artifacts/{artifact:path}",
        "Return what is known of an artifact, without its content.",
        get_artifact,
        (RUN, ARTIFACT),
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/content/{artifact:path}",
        "Return the content of an artifact, or elements of its main list. The access log records "
        "it first if that is content of a source.",
        get_content,
        (
            RUN,
            ARTIFACT,
            REVEAL,
            Parameter(
                "offset",
                "The first element of the list.",
                {"type": "integer", "minimum": 0, "maximum": 10**12},
            ),
            Parameter(
                "limit",
                "The most elements to return.",
                {"type": "integer", "minimum": 0, "maximum": MOST},
            ),
        ),
        returns="`content`; or, with offset or limit, `list`, `elements`, `total` and `next`.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/log",
        "Return a part of the log of a run.",
        get_run_log,
        (RUN, OFFSET),
        returns="`text`, `offset`, `next` (the offset of what follows) and `size`, in characters.",
    )
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/logs/{artifact:path}",
        "Return a part of the log of an artifact.",
        get_log,
        (RUN, ARTIFACT, OFFSET, REVEAL),
        returns="`text`, `offset`, `next` (the offset of what follows) and `size`, in characters.",
    )
