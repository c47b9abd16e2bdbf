"""Operations of the API that read artifacts: what is known of them, and their content."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from waivern.clock import Clock
from waivern.errors import ArtifactNotFoundError, RefusedError
from waivern.message import Json, Message
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.wording import redacted
from waivern.runs.record_cache import RecordCache
from waivern.runs.recorded_artifacts import ArtifactList, fetched, meant
from waivern.server.api_operations import TEXT, ApiCall, Operation, Parameter
from waivern.server.error_documents import RequestError
from waivern.server.operation_parameters import (
    ARTIFACT,
    MOST,
    PAGE,
    REVEAL,
    RUN,
    STATUS,
    cut,
    page_document,
    record_of,
    refuse_sensitive,
    steps_with,
)
from waivern.server.server_context import ServerContext, context_of, user_of
from waivern.store.base import RunStore

CONTENT_BYTES = 8 << 20
"""The largest content that is returned whole."""


async def list_artifacts(call: ApiCall) -> dict[str, Json]:
    """Return the artifacts of a run, as its journal records them."""
    context = context_of(call.request)
    return await context.read(_artifacts, context.records, call.values)


def _artifacts(records: RecordCache, asked: Any) -> dict[str, Json]:
    record = record_of(records, asked["run"])
    steps = steps_with(record, asked["status"])
    found = [_summary(record, step) for step in cut(steps, asked)]
    return page_document("artifacts", found, len(steps), asked)


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
    return await context.read(_artifact, context.records, call.values)


def _artifact(records: RecordCache, asked: Any) -> dict[str, Json]:
    record = record_of(records, asked["run"])
    step = record.steps[meant(record, asked["artifact"])]
    document = {"run_id": record.metadata.run_id, **_summary(record, step), "step": step.document()}
    document["aliases"] = sorted(n for n, ids in record.aliases.items() if step.artifact in ids)
    message = fetched(records.store, record, step)
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
    return await context.read(_content, context.records, call.values, user_of(call.request))


def _content(records: RecordCache, asked: Any, user: str) -> dict[str, Json]:
    record = record_of(records, asked["run"])
    step = record.steps[meant(record, asked["artifact"])]
    refuse_sensitive(record, step.artifact, reveal=asked["reveal"])
    message = fetched(records.store, record, step)
    if message is None or step.completed is None:
        raise ArtifactNotFoundError(
            f"artifact '{step.artifact}' has no content: it is {step.status}"
        )
    if step.redacted and step.redacted.destroyed == "content":
        raise RefusedError(f"the content of '{step.artifact}' is gone: {redacted(step.redacted)}")
    note_access(records.store, record, step, user)
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


def note_access(store: RunStore, record: RunRecord, step: StepRecord, user: str) -> None:
    """Record that a person is shown an artifact, if it holds content of a source.

    Raises StoreError or IntegrityError if that cannot be recorded: nothing may be shown then.
    """
    if step.held_bytes and record.vouched:
        from waivern.runs.access import Viewer, note

        note(store, record, step.artifact, Viewer(user, Clock()))


async def get_item(call: ApiCall) -> dict[str, Json]:
    """Return an item of a source that an artifact lists."""
    context = context_of(call.request)
    return await context.carry_out(item_of, context, call.values, user_of(call.request))


def item_of(context: ServerContext, asked: Any, user: str) -> dict[str, Json]:
    """Return an item of a listed source, which a process of `wct` reads. Raises RequestError.

    The access log has recorded `user` by then, or nothing is read.
    """
    record = record_of(context.records, asked["run"])
    name = meant(record, asked["artifact"])
    refuse_sensitive(record, name, reveal=asked["reveal"])
    words = ["inspect", f"--show={asked['item']}", f"--by={user}"]
    words += ["--reveal"] if asked["reveal"] else []
    return context.commands.carry_out(words, f"{record.metadata.run_id}/{name}")


def artifact_operations() -> Iterator[Operation]:
    """Yield the operations that read artifacts."""
    yield Operation(
        "GET",
        "/api/v1/runs/{run}/artifacts",
        "List the artifacts of a run.",
        list_artifacts,
        (RUN, STATUS, *PAGE),
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
        "/api/v1/runs/{run}/items/{artifact:path}",
        "Return an item of the source that an artifact lists, read from there and checked. The "
        "access log records it first.",
        get_item,
        (
            RUN,
            ARTIFACT,
            Parameter(
                "item",
                "The item: its number in the list, from 1, its path or its name.",
                TEXT | {"minLength": 1, "maxLength": 4000, "default": "1"},
                "query",
                "1",
            ),
            REVEAL,
        ),
        returns="`run_id`, `artifact`, `item`, and `parts`, as a processor receives them.",
    )
