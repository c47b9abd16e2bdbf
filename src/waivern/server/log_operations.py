"""Operations of the API that read logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.runs.record_cache import RecordCache
from waivern.runs.recorded_artifacts import meant
from waivern.server.api_operations import ApiCall, Operation
from waivern.server.operation_parameters import (
    ARTIFACT,
    OFFSET,
    REVEAL,
    RUN,
    record_of,
    refuse_sensitive,
)
from waivern.server.server_context import context_of

LOG_CHARACTERS = 1 << 20
"""The part of a log that is returned at once."""


async def get_run_log(call: ApiCall) -> dict[str, Json]:
    """Return a part of the log of a run."""
    context = context_of(call.request)
    return await context.read(log_part, context.records, call.values)


async def get_log(call: ApiCall) -> dict[str, Json]:
    """Return a part of the log of an artifact."""
    context = context_of(call.request)
    return await context.read(log_part, context.records, call.values)


def log_part(records: RecordCache, asked: Any) -> dict[str, Json]:
    """Return characters of a log from an offset on, and the offset of those that follow."""
    record = record_of(records, asked["run"])
    name = log_name(record, asked)
    text = records.store.read_log(record.metadata.run_id, name)
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


def log_operations() -> Iterator[Operation]:
    """Yield the operations that read logs."""
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
