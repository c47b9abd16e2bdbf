"""Parameters that several operations of the JSON API have, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waivern.errors import NotFoundError, RefusedError, UsageError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus
from waivern.record.step_record import StepRecord, ordered
from waivern.runs.record_cache import RecordCache
from waivern.runs.run_references import find
from waivern.server.api_operations import PATH_TEXT, Parameter
from waivern.store.base import RunStore

MOST = 1000
"""The largest number of elements of one page."""
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
STATUS = Parameter(
    "status",
    "Only artifacts with this status.",
    {"type": "string", "enum": [str(each) for each in ArtifactStatus]},
)
PAGE = (LIMIT, OFFSET)


def record_of(records: RecordCache, run: str) -> RunRecord:
    """Return the record of a run as it is now. Raises NotFoundError for a text that names none."""
    return records.load(found_run(records.store, run))


def found_run(store: RunStore, run: str) -> str:
    """Return the id of the run that a text names. Raises NotFoundError if it names none."""
    try:
        return find(store, run)
    except UsageError as error:
        raise NotFoundError(error.message, hint=error.hint) from None


def refuse_sensitive(record: RunRecord, artifact: str, *, reveal: bool) -> None:
    """Raise RefusedError if an artifact is declared sensitive and is not to be revealed."""
    if artifact in record.sensitive and not reveal:
        raise RefusedError(f"'{artifact}' is declared sensitive", hint="reveal=true shows it")


def steps_with(record: RunRecord, status: str | None) -> list[StepRecord]:
    """Return the steps with a status, or all, in the order of starting."""
    return [step for step in ordered(record.steps.values()) if status in (None, str(step.status))]


def cut(found: Sequence[StepRecord], asked: Any) -> Sequence[StepRecord]:
    """Return the part of the steps that is asked for."""
    return found[asked["offset"] : asked["offset"] + asked["limit"]]


def page_document(name: str, found: list[Json], total: int, asked: Any) -> dict[str, Json]:
    """Return a part of a list for clients, with the offset of the part that follows."""
    end = asked["offset"] + len(found)
    return {name: found, "total": total, "next": end if found and end < total else None}
