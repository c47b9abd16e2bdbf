"""The destruction of an artifact's content, and its completion after a crash.

What takes the place of the content is computed first; then the journal line that names it is made
durable; only then is the content destroyed. The journal and what is still there determine the
result, so that the next holder of the run's lock completes what a crash cut off. Until then readers
treat the artifact as redacted, because the journal says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from waivern.errors import ArtifactNotFoundError, IntegrityError
from waivern.message import STREAMS, Json, Message, SchemaRef, StreamKind, decode
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactRedactedRecord,
    to_record,
)
from waivern.record.step_record import CONTENT, EVIDENCE, redaction_document
from waivern.record_stream import RecordStream
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef, Receipt
from waivern.store.writers import Lease

EVIDENCE_KEYS = ("evidence", "canonical")
"""The forms of a value in a finding, both masked."""
PUT_IN_PLACE = "[redacted]"
"""The evidence of a finding that was redacted."""


class RedactionOrder(NamedTuple):
    """A request to redact one artifact of a run."""

    artifact: str
    destroyed: str
    """`content` or `evidence`."""
    copy_of: Mapping[str, Json] | None = None
    """`{run, artifact}` whose redaction it follows."""


class RedactionReason(NamedTuple):
    """The person who redacts, with the time and the reason."""

    at: str
    by: str
    reason: str | None


def carry_out(
    store: RunStore,
    lease: Lease,
    record: RunRecord,
    orders: Iterable[RedactionOrder],
    why: RedactionReason,
) -> list[ArtifactRedactedRecord]:
    """Redact artifacts of a run whose lock the caller holds; return the journaled events."""
    # what a crash left behind may hold the same content, and no journal line names it
    lease.sweep(name for name, step in record.steps.items() if step.completed is None)
    pairs = [_prepared(store, record, order, why) for order in orders]
    events = [event for event, _ in pairs]
    if events:
        lease.append(map(to_record, events), sync=True)
    for event in events:
        record.apply(event)
    _destroy(lease, pairs)
    # also without events: a crash may have come after the last line and before the projections
    lease.project(record.metadata.document(), record.state.document(), sync=True)
    return events


def unfinished(store: RunStore, record: RunRecord) -> list[ArtifactRedactedRecord]:
    """Return the redactions that a crash cut off after they were journaled."""
    run_id, events = record.metadata.run_id, [step.redacted for step in record.steps.values()]
    open_ = [event for event in events if event]
    if not open_:
        return []
    there = {(file.name, file.kind) for file in store.files(run_id) if file.kind in STREAMS}
    return [
        event
        for event in open_
        if store.verify(run_id, event.artifact, size=event.size, digest=event.digest)
        or _has_stray_streams(store, run_id, event.artifact, there)
    ]


def _has_stray_streams(
    store: RunStore, run_id: str, artifact: str, there: set[tuple[str, StreamKind]]
) -> bool:
    """Return whether there is a stream that the artifact's file does not describe."""
    kinds = {kind for kind in STREAMS if (artifact, kind) in there}
    if not kinds:
        return False
    try:
        left = decode(store.read_artifact(run_id, artifact) or b"")
    except IntegrityError:
        return False
    return any(getattr(left, kind) is None for kind in kinds)


def finish(store: RunStore, lease: Lease, record: RunRecord) -> None:
    """Complete the redactions that a crash cut off; the caller holds the run's lock."""
    pairs = []
    for event in unfinished(store, record):
        done = record.steps[event.artifact].completed
        assert done is not None
        pairs.append(_staged(store, record, done, event))
    _destroy(lease, pairs)


def _prepared(
    store: RunStore, record: RunRecord, order: RedactionOrder, why: RedactionReason
) -> tuple[ArtifactRedactedRecord, Receipt]:
    """Stage what takes the place of an artifact's content; return it with its event."""
    done = record.steps[order.artifact].completed
    assert done is not None
    before: dict[str, Json] = {
        "size": done.size,
        "digest": done.digest,
        "content_digest": done.content_digest,
    }
    run_id = record.metadata.run_id
    # the proof must not become better by a redaction: an altered artifact stays one that was
    if fault := store.verify(run_id, order.artifact, size=done.size, digest=done.digest):
        before["fault"] = fault
    event = ArtifactRedactedRecord(
        at=why.at,
        artifact=order.artifact,
        destroyed=CONTENT if fault else order.destroyed,
        reason=why.reason,
        by=why.by,
        before=before,
        size=0,
        digest="",
        content_digest="",
        copy_of=None if order.copy_of is None else dict(order.copy_of),
    )
    event, receipt = _staged(store, record, done, event)
    return (
        event._replace(
            size=receipt.size, digest=receipt.digest, content_digest=receipt.content_digest
        ),
        receipt,
    )


def _staged(
    store: RunStore, record: RunRecord, done: ArtifactCompletedRecord, event: ArtifactRedactedRecord
) -> tuple[ArtifactRedactedRecord, Receipt]:
    """Stage what takes the place of an artifact; return the event that fits it.

    Of findings that cannot be read, all is destroyed: where their evidence is, is unknown.
    """
    run_id = record.metadata.run_id
    if event.destroyed == EVIDENCE:
        try:
            left = _left(store, run_id, event) or _without_evidence(store, run_id, event)
            return event, store.stage(run_id, event.artifact, left)
        except (ArtifactNotFoundError, IntegrityError):
            event = event._replace(destroyed=CONTENT)
    tombstone = _tombstone(run_id, done, redaction_document(event))
    return event, store.stage(run_id, event.artifact, tombstone)


def _destroy(lease: Lease, pairs: list[tuple[ArtifactRedactedRecord, Receipt]]) -> None:
    # Files of records and items are removed before the tombstone is put in place: its presence
    # shows that everything is destroyed. Evidence is replaced by one rename, since the findings
    # must not be lost by a crash in between.
    lease.unpublish(event.artifact for event, _ in pairs if event.destroyed == CONTENT)
    if pairs:
        lease.publish([receipt for _, receipt in pairs], over=True)


def _tombstone(run_id: str, done: ArtifactCompletedRecord, facts: dict[str, Json]) -> Message:
    """Return what is left of an artifact: what the journal says of it, and nothing else."""
    execution = {
        "status": "success",
        "error": None,
        "duration_seconds": done.duration_ms / 1000,
        "origin": None,
        "alias": None,
    }
    return Message(
        id=done.artifact,
        content={"redacted": facts},
        schema=SchemaRef.parse(done.schema),
        run_id=run_id,
        source=done.component,
        timestamp=done.at,
        extensions={"execution": execution, "coverage": done.coverage, "redacted": facts},
    )


def _left(store: RunStore, run_id: str, event: ArtifactRedactedRecord) -> Message | None:
    """Return the findings that are left, if a crash followed their replacement."""
    ref = ArtifactRef(event.artifact, event.digest, event.content_digest)
    try:
        return store.fetch(run_id, ref, redacted=True)
    except (ArtifactNotFoundError, IntegrityError):
        return None


def _without_evidence(store: RunStore, run_id: str, event: ArtifactRedactedRecord) -> Message:
    """Return findings whose evidence is replaced; identity, type, counts and places stay."""
    before = event.before
    ref = ArtifactRef(event.artifact, str(before["digest"]), str(before["content_digest"]))
    found = store.fetch(run_id, ref, redacted=True)
    if not isinstance(
        found.content, dict
    ):  # of an own component: where its evidence is, is unknown
        raise IntegrityError(f"'{event.artifact}' holds no list of findings")
    extensions = {**found.extensions, "redacted": redaction_document(event)}
    if found.records is None:
        content = {name: _redacted_list(value) for name, value in found.content.items()}
        return replace(found, content=content, extensions=extensions, items=None)
    sink = store.sink(run_id, event.artifact, found.records.name)
    try:
        # after a crash they may be redacted already, and then have another digest
        for finding in _unchecked(found.records):
            sink.write(_redacted(finding))
        records = sink.finish()
    except BaseException:
        sink.discard()
        raise
    if isinstance(records, list):
        whole = {**found.content, found.records.name: records}
        return replace(found, content=whole, extensions=extensions, records=None, items=None)
    return replace(found, extensions=extensions, records=records, items=None)


def _unchecked(records: RecordStream) -> Iterator[Json]:
    digest = RecordStream(records.name, records.count, records.size, "", records.chunks)
    try:
        yield from digest
    except IntegrityError:  # always, at the end: no content has this digest
        return


def _redacted_list(value: Json) -> Json:
    return list(map(_redacted, value)) if isinstance(value, list) else value


def _redacted(finding: Json) -> Json:
    """Return a finding, or a location, without its evidence."""
    if not isinstance(finding, dict):
        return finding
    left = {**finding}
    left |= {key: PUT_IN_PLACE for key in EVIDENCE_KEYS if left.get(key)}
    if isinstance(places := left.get("locations"), list):
        left["locations"] = [_redacted(place) for place in places]
    return left
