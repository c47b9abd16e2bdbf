"""The events about one artifact that take more than one line to be written. Pure."""

from __future__ import annotations

from waivern.engine.calls import Call, Produced
from waivern.planning.plan import AskPeople, Copy
from waivern.record.journal_events import ArtifactCompletedRecord, ArtifactFailedRecord
from waivern.record.status import How


def completed(
    call: Call, produced: Produced, at: str, runbook_hash: str
) -> ArtifactCompletedRecord:
    """Return the event of an artifact that was produced, copied or taken from the cache."""
    work, receipt = call.node.work, produced.receipt
    how = How.PRODUCED
    if produced.origin is not None:
        how = How.REUSED if isinstance(work, Copy) else How.CACHED
    origin = produced.origin
    if isinstance(work, AskPeople):
        origin = {"runbook_hash": runbook_hash}
    return ArtifactCompletedRecord(
        at=at,
        artifact=call.artifact,
        how=str(how),
        size=receipt.size,
        digest=receipt.digest,
        content_digest=receipt.content_digest,
        schema=receipt.schema,
        component=work.label,
        version=work.version,
        inputs={ref.key: ref.content_digest for ref in call.inputs},
        duration_ms=produced.duration_ms,
        origin=origin,
        coverage=produced.coverage,
        identity=produced.identity,
        statuses=dict(call.statuses),
        examined=produced.examined,
        code=dict(produced.code),
        keep=produced.keep,
        items=produced.items,
        total=receipt.total,
    )


def out_of_time(artifact: str, at: str, limit: str, duration_ms: int) -> ArtifactFailedRecord:
    """Return the event of an artifact that was being produced when the run's time was up."""
    message = f"{limit} while it was being produced"
    error = {"kind": "timeout", "message": message, "hint": None}
    return ArtifactFailedRecord(at, artifact, error, duration_ms)
