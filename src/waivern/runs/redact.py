"""Redacting runs: which artifacts that concerns, what is shown before, and the redaction itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from waivern.clock import Clock
from waivern.errors import NotFoundError, RefusedError, RunLockedError, WaivernError
from waivern.message import Json, SchemaRef
from waivern.record.fold import RunRecord
from waivern.record.status import RunStatus
from waivern.record.step_record import CONTENT, EVIDENCE, StepRecord
from waivern.runs import history, queries, redaction, unjournaled
from waivern.runs.artifact_copies import KnownCopies, Place, copies
from waivern.runs.exports import known_exports
from waivern.runs.output_delivery import delivered
from waivern.runs.protection import AT_WORK, PINNED
from waivern.runs.redaction import RedactionOrder, RedactionReason
from waivern.runs.session import LockedRun
from waivern.runs.variable_values import without_values
from waivern.store.base import RunStore
from waivern.store.lock import this_process

FINDINGS_SCHEMA = "personal_data_findings"
DERIVED = "it is derived; name it to destroy its content"
LISTING = "it lists a source and holds nothing of its data; name it to destroy the list"
ALREADY = "it is redacted already"


class RedactionItem(NamedTuple):
    """An artifact that is to be redacted, as people are shown it before."""

    run_id: str
    artifact: str
    destroys: str
    """`content` or `evidence`."""
    size: int
    """Bytes, before."""
    copy_of: Place | None = None
    """The run and the artifact that it is a copy of; None: it was named, or its run was."""

    def document(self) -> dict[str, Json]:
        """Return the item for programs."""
        copy_of = None if self.copy_of is None else "/".join(self.copy_of)
        return {**self._asdict(), "copy_of": copy_of}


@dataclass(frozen=True, slots=True)
class RedactionSurvey:
    """The consequences of redacting a run or one of its artifacts."""

    run_id: str
    artifact: str | None
    items: tuple[RedactionItem, ...]
    """Those of the run, then the copies in other runs of the store."""
    left: Mapping[str, str]
    """RUN/ARTIFACT, or RUN, to the reason why it is left as it is."""
    outside: tuple[str, ...] = ()
    """The files outside the store with the same content: they are not touched."""
    protection: str | None = None
    """Why nothing of the run may be redacted; None if it may."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """The outcome of a request to redact."""

    redacted: tuple[RedactionItem, ...]
    left: Mapping[str, str]
    """RUN/ARTIFACT, or RUN, to the reason why it is left as it is."""
    retained: Mapping[str, str]
    """The copies among those that should have been redacted, and could not be."""
    outside: tuple[str, ...] = ()


def survey(store: RunStore, run_id: str, artifact: str | None = None) -> RedactionSurvey:
    """Return what a redaction would do. Raises ArtifactNotFoundError, IntegrityError."""
    unjournaled.refuse(store, run_id, "redacted")
    record = queries.load(store, run_id)
    items, left = _own(record, artifact)
    found = _copies(store, record, artifact, items)
    others, spared = _of_copies(store, found)
    return RedactionSurvey(
        run_id,
        artifact,
        (*items, *others),
        {**left, **spared, **_originals(record, items)},
        _outside(store, record, (*items, *others)),
        _protection(store, run_id),
    )


def redact(
    store: RunStore,
    run_id: str,
    artifact: str | None,
    by: str,
    reason: str | None,
    clock: Clock,
) -> Redaction:
    """Destroy the source content and the evidence of a run, or the content of one artifact.

    Copies in other runs of the store follow: those that were reused, and those that were taken from
    the cache, whole or item by item. Raises RefusedError if the run is running or pinned,
    ArtifactNotFoundError, IntegrityError if its journal is damaged, StoreError.
    """
    why = RedactionReason(clock.now(), by, without_values(store, run_id, reason))
    if refused := _protection(store, run_id):
        raise refusal({run_id: refused})
    with _held(store, run_id) as run:
        if store.pinned(run_id):
            raise refusal({run_id: PINNED})
        items, left = _own(run.record, artifact)
        orders = [RedactionOrder(item.artifact, item.destroys) for item in items]
        redaction.carry_out(store, run.lease, run.record, orders, why)
        record = run.record
    # The copies are looked up after the original is gone: it cannot be copied any more.
    found = _copies(store, record, artifact, items)
    others, retained = _redact_copies(store, found, why)
    everything = (*items, *others)
    left = {**left, **_originals(record, items)}
    return Redaction(everything, left, retained, _outside(store, record, everything))


def refusal(retained: Mapping[str, str]) -> RefusedError:
    """Return the error for what should be redacted and may not be, each with its reason."""
    lines = [f"{name} is not redacted: {reason}" for name, reason in retained.items()]
    reasons = set(retained.values())
    hint = "`wct runs verify RUN` reports what is damaged; `wct runs delete RUN --force` removes it"
    if reasons <= {AT_WORK}:
        hint = "repeat the command when it has ended; `wct runs cancel RUN` ends a running one"
    elif reasons <= {AT_WORK, PINNED}:
        hint = "`wct runs unpin RUN` allows it; then repeat the command"
    return RefusedError("\n".join(lines), hint=hint)


def has_something(record: RunRecord) -> bool:
    """Return whether a run holds source content or evidence that was not redacted yet."""
    return bool(_own(record, None)[0])


def _own(record: RunRecord, artifact: str | None) -> tuple[list[RedactionItem], dict[str, str]]:
    """Return what is redacted of a run, and why the rest is not."""
    run_id, items, left = record.metadata.run_id, list[RedactionItem](), dict[str, str]()
    if artifact is not None:
        queries.artifact(record, artifact)
    for name, step in record.steps.items():
        if step.completed is None or artifact not in (None, name):
            continue
        destroys = _destroys(step, named=artifact is not None)
        if step.redacted:
            if artifact is not None:
                left[f"{run_id}/{name}"] = ALREADY
        elif destroys is None:
            listing = step.completed.keep == "reference"
            left[f"{run_id}/{name}"] = LISTING if listing else DERIVED
        else:
            items.append(RedactionItem(run_id, name, destroys, step.stored_bytes))
    return items, left


def _destroys(step: StepRecord, *, named: bool) -> str | None:
    """Return what a redaction destroys of an artifact; None: nothing."""
    done = step.completed
    assert done is not None
    if SchemaRef.parse(done.schema).name == FINDINGS_SCHEMA:
        return EVIDENCE
    return CONTENT if named or step.held_bytes else None


def _copies(
    store: RunStore,
    record: RunRecord,
    artifact: str | None,
    items: list[RedactionItem],
) -> KnownCopies:
    """Return the copies of what is redacted now, and of what was redacted before.

    A crash may have come before the copies of those followed.
    """
    before = {
        (record.metadata.run_id, name)
        for name, step in record.steps.items()
        if step.redacted and artifact in (None, name)
    }
    now = {(item.run_id, item.artifact) for item in items}
    return copies(store, before | now)


def _of_copies(store: RunStore, found: KnownCopies) -> tuple[list[RedactionItem], dict[str, str]]:
    """Return the copies that a redaction would follow to, and why others would be left."""
    items: list[RedactionItem] = []
    left = _unreadable(found)
    for run_id, names in _by_run(found).items():
        reason = _protection(store, run_id)
        for name in names:
            if reason is not None:
                left[f"{run_id}/{name}"] = f"a copy: {reason}"
        if reason is None:
            items += _as_items(queries.load(store, run_id), names, found)
    return items, left


def _redact_copies(
    store: RunStore, found: KnownCopies, why: RedactionReason
) -> tuple[list[RedactionItem], dict[str, str]]:
    done: list[RedactionItem] = []
    retained = _unreadable(found)
    for run_id, names in _by_run(found).items():
        try:
            if (reason := _protection(store, run_id)) is None:
                with _held(store, run_id) as run:
                    items = _as_items(run.record, names, found)
                    orders = [
                        RedactionOrder(each.artifact, each.destroys, _named(each)) for each in items
                    ]
                    redaction.carry_out(store, run.lease, run.record, orders, why)
                    done += items
        except NotFoundError:  # it was removed meanwhile
            continue
        except RunLockedError:
            reason = AT_WORK
        except WaivernError as error:
            reason = error.message
        if reason is not None:
            retained |= {f"{run_id}/{name}": reason for name in names}
    return done, retained


def _named(item: RedactionItem) -> dict[str, Json] | None:
    return dict(zip(("run", "artifact"), item.copy_of, strict=True)) if item.copy_of else None


def _unreadable(found: KnownCopies) -> dict[str, str]:
    return dict.fromkeys(found.unreadable, "it cannot be read, and may hold a copy")


def _by_run(found: KnownCopies) -> dict[str, list[str]]:
    by_run: dict[str, list[str]] = defaultdict(list)
    for run_id, name in found.of:
        by_run[run_id].append(name)
    return by_run


def _as_items(record: RunRecord, names: list[str], found: KnownCopies) -> list[RedactionItem]:
    run_id, items = record.metadata.run_id, []
    for name in names:
        step = record.steps.get(name)
        if step and step.completed and not step.redacted:
            destroys = _destroys(step, named=True) or CONTENT
            origin = found.of[run_id, name]
            items.append(RedactionItem(run_id, name, destroys, step.stored_bytes, origin))
    return items


def _originals(record: RunRecord, items: list[RedactionItem]) -> dict[str, str]:
    """Return the artifacts of other runs that what is redacted was copied from."""
    left = {}
    for item in items:
        done = record.steps[item.artifact].completed
        origin = (done.origin if done else None) or {}
        if "run" in origin and "artifact" in origin:
            original = f"{origin['run']}/{origin['artifact']}"
            left[original] = f"'{item.artifact}' is a copy of it; name it to redact it too"
    return left


def _outside(
    store: RunStore, record: RunRecord, items: tuple[RedactionItem, ...]
) -> tuple[str, ...]:
    """Return the known files outside the store that have the content of redacted artifacts."""
    names: dict[str, list[str]] = defaultdict(list)
    for item in items:
        names[item.run_id].append(item.artifact)
    run_id = record.metadata.run_id
    names[run_id] += record.redacted  # also of an earlier redaction
    found: list[str] = []
    for other, artifacts in names.items():
        try:
            files = delivered(record if other == run_id else queries.load(store, other))
        except NotFoundError:  # it was removed meanwhile
            continue
        found += [files[name] for name in dict.fromkeys(artifacts) if name in files]
        found += known_exports(store, other) if artifacts else ()
    return tuple(found)


def _protection(store: RunStore, run_id: str) -> str | None:
    """Return why nothing of a run may be redacted: removal refuses the same."""
    row = queries.look(store, run_id)
    if row.status == RunStatus.RUNNING:
        return AT_WORK
    if row.status in queries.DAMAGED:
        return f"it cannot be read: {row.fault}"
    return PINNED if row.pinned else None


@contextmanager
def _held(store: RunStore, run_id: str) -> Iterator[LockedRun]:
    """Hold the lock of a run, its journal folded after the lock was taken."""
    unjournaled.refuse(store, run_id, "redacted")
    lease = store.lock(run_id, this_process())
    try:
        journal, record = queries.fold(store, run_id)
        history.catch_up(store, journal)
        redaction.finish(store, lease, record)
        yield LockedRun(store, lease, record)
    finally:
        lease.release()
