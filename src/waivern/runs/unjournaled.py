"""Runs without a journal, in the first form of a run folder: readable, but not verifiable.


Such a folder has `run.json` and `state.json` with the names that this form had, and the artifacts.
One that has lost its journal says so in its `run.json`, and is damaged.
"""

from __future__ import annotations

from contextlib import suppress

from waivern.errors import ArtifactNotFoundError, IntegrityError, RefusedError, UsageError
from waivern.ids import parse_artifact_id
from waivern.message import Json, content_digest, decode, sha256
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactCompletedRecord, RunStartedRecord
from waivern.record.run_metadata import RunMetadata
from waivern.record.status import ArtifactStatus, How
from waivern.store.base import RunStore

NOTE = "no journal vouches for it"
_LISTS = ("completed", "not_started", "failed", "skipped")


def head(store: RunStore, run_id: str) -> RunMetadata | None:
    """Return the head of a run in the first form; None if it is not one.

    Raises IntegrityError if it is one whose `run.json` cannot be.
    """
    try:
        document = store.read_json(run_id, "run")
    except (ArtifactNotFoundError, IntegrityError):
        return None
    if "schema_version" in document or "journal" in document or _has_journal(store, run_id):
        return None
    found = RunMetadata.from_first_form(document)
    if found.run_id != run_id:
        raise IntegrityError(f"run.json of run {run_id} is that of run {found.run_id[:200]!r}")
    return found


def state(store: RunStore, run_id: str) -> dict[str, list[str]]:
    """Return the artifacts of such a run by status. Raises IntegrityError."""
    try:
        document = store.read_json(run_id, "state")
    except ArtifactNotFoundError as error:
        raise IntegrityError(f"run {run_id} has no state.json") from error
    found: dict[str, list[str]] = {}
    for name in _LISTS:
        names = document.get(name)
        if not (isinstance(names, list) and all(isinstance(each, str) for each in names)):
            raise IntegrityError(f"state.json of run {run_id} is odd: see its '{name}'")
        try:
            found[name] = [parse_artifact_id(each) for each in names]
        except UsageError as error:
            raise IntegrityError(f"state.json of run {run_id}: {error.message}") from error
    return found


def record(store: RunStore, run: RunMetadata) -> RunRecord:
    """Return what the files of such a run say, the artifacts as they lie there now."""
    by_status = state(store, run.run_id)
    names = [name for each in by_status.values() for name in each]
    first = RunStartedRecord(
        run.started_at,
        run.run_id,
        names,
        {},
        {},
        "",
        run.runbook_name,
        run.runbook_version,
        run.runbook_path,
    )
    found = RunRecord(first)
    found.metadata, found.vouched = run, False
    for status, ids in by_status.items():
        for name in ids:
            found.steps[name].status = ArtifactStatus(status)
    for name in by_status["completed"]:
        step = found.steps[name]
        step.completed = _completed(store, run, name)
        step.component = step.completed.component
    return found


def refuse(store: RunStore, run_id: str, verb: str) -> None:
    """Raise RefusedError if a run has no journal: it cannot be resumed, for example."""
    if head(store, run_id) is not None:
        raise RefusedError(
            f"run {run_id} has no journal: it can be read, and not be {verb}",
            hint=f"start a new run; `reuse: {{from_run: {run_id}, artifact: ...}}` takes over what "
            "it completed",
        )


def _has_journal(store: RunStore, run_id: str) -> bool:
    try:
        store.read_record(run_id, "journal")
    except ArtifactNotFoundError:
        return False
    except IntegrityError:  # too large, or no file
        return True
    return True


def _completed(store: RunStore, run: RunMetadata, name: str) -> ArtifactCompletedRecord:
    data = store.read_artifact(run.run_id, name)
    facts: dict[str, Json] = {"content_digest": "", "schema": "json/1.0.0", "component": ""}
    if data is not None:
        with suppress(IntegrityError):  # reported where it is read
            message = decode(data)
            facts = {
                "content_digest": content_digest(message.content, message.records),
                "schema": str(message.schema),
                "component": message.source or "",
            }
    return ArtifactCompletedRecord(
        at=run.updated_at,
        artifact=name,
        how=str(How.PRODUCED),
        size=len(data or b""),
        digest=sha256(data) if data is not None else "",
        version=None,
        inputs={},
        duration_ms=0,
        **facts,
    )
