"""The verification of a run against its journal: everything is checked, nothing is changed.

Some files are not covered, because nothing depends on them: the lock (its text is for people), the
logs (free text of components), pins and requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from waivern.errors import (
    IntegrityError,
    NotFoundError,
    RunLockedError,
    RunNotFoundError,
    UsageError,
)
from waivern.ids import SCHEMA_VERSION, SYSTEM
from waivern.message import STREAMS, Json, decode, sha256
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactRedactedRecord, from_record
from waivern.record.status import RunStatus
from waivern.record.step_record import CONTENT, redaction_document
from waivern.runs import redaction, unjournaled
from waivern.runs.projections import PROJECTIONS, Projection
from waivern.runs.queries import fold
from waivern.store.base import RunStore
from waivern.store.store_values import Journal, RunFile

LOOKS = 200
"""The number of events of one millisecond that are tried as the last one in a projection."""
HEAD = re.compile("[0-9a-f]{16,64}")
"""A head, or a prefix of it that is long enough to be unique."""


@dataclass(frozen=True, slots=True)
class VerifyFault:
    """A part of a run that differs from its record."""

    path: str
    """Below the run's folder."""
    what: str
    renewable: bool = False
    """Whether a resume rebuilds it, if the run can be resumed."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification: without faults, everything is as the journal recorded it."""

    run_id: str
    lines: int
    head: str | None
    artifacts: int
    faults: tuple[VerifyFault, ...]
    notes: tuple[str, ...] = ()
    """Differences that a crash explains, and parts that were not compared."""
    not_covered: tuple[str, ...] = ()
    """The paths that are not covered; a folder of such ends with '/'."""
    vouched: bool = True
    """Whether there is a journal; without one, nothing can be verified."""
    redacted: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    """The artifacts whose content or evidence was destroyed, with who, when and why."""

    def document(self) -> dict[str, Json]:
        """Return the verification for programs."""
        return {
            "run_id": self.run_id,
            "ok": self.vouched and not self.faults,
            "lines": self.lines,
            "head": self.head,
            "artifacts": self.artifacts,
            "redacted": dict(self.redacted),
            "faults": [{"path": fault.path, "what": fault.what} for fault in self.faults],
            "notes": list(self.notes),
            "not_covered": list(self.not_covered),
        }


def verify(store: RunStore, run_id: str, expect: str | None = None) -> Verification:
    """Check a run: the journal's chain, every artifact, the retained runbooks, the projections.

    `expect` is a head that was noted elsewhere: it must be the hash of a line of the journal, or
    its first 16 digits or more. Raises UsageError if it cannot be one; RunNotFoundError;
    RunLockedError while the run is running.
    """
    if expect is not None:
        expect = _head(expect)
    found = _verified(store, run_id, expect)
    if found.faults and run_id not in store.runs():
        raise RunNotFoundError(f"run {run_id} was removed while it was being verified")
    if found.faults and found.head and _was_resumed(store, run_id, found.head):
        return _verified(store, run_id, expect)
    return found


def _head(text: str) -> str:
    head = text.strip().lower().removeprefix("sha256:")
    if HEAD.fullmatch(head) is None:
        raise UsageError(
            f"{text[:80]!r} is not the head of a journal",
            hint="a head is 64 hex digits, or its first 16 or more; `wct run` prints it",
        )
    return head


def _was_resumed(store: RunStore, run_id: str, head: str) -> bool:
    """Return whether the run was resumed while it was being verified."""
    return bool(store.owner(run_id)) or store.read_journal(run_id).lines[-1].hash != head


def _verified(store: RunStore, run_id: str, expect: str | None) -> Verification:
    try:
        owner = store.owner(run_id)
    except IntegrityError as error:
        return _unreadable(store, run_id, SYSTEM, error)
    if owner:
        raise RunLockedError(
            f"run {run_id} is running: process {owner.pid} on {owner.host}, since {owner.since}",
            hint="verify it when it has ended",
        )
    with suppress(NotFoundError):  # which is reported below
        try:
            store.read_record(run_id, "run")  # from which the journal's length is known
        except IntegrityError as error:
            return _unreadable(store, run_id, store.file_path("record", "run"), error)
    try:
        journal, record = fold(store, run_id)
    except IntegrityError as error:
        if (found_head := unjournaled.head(store, run_id)) is not None:
            return _unvouched(store, unjournaled.record(store, found_head), expect)
        return _unreadable(store, run_id, store.file_path("record", "journal"), error)
    found = [
        *_on_journal(store, journal, record, expect),
        *_on_artifacts(store, record),
        *_on_runbook(store, record),
        *_on_children(store, record),
        *_on_projections(store, record, journal),
        *_on_strangers(store, record),
    ]
    return Verification(
        run_id,
        len(journal.lines),
        journal.lines[-1].hash,
        artifacts=sum(1 for step in record.steps.values() if step.completed),
        faults=tuple(each for each in found if isinstance(each, VerifyFault)),
        notes=tuple(each for each in found if isinstance(each, str)),
        not_covered=store.uncovered,
        redacted={
            name: redaction_document(step.redacted)
            for name, step in record.steps.items()
            if step.redacted
        },
    )


def _unvouched(store: RunStore, record: RunRecord, expect: str | None) -> Verification:
    """Verify a run without a journal, as far as that is possible."""
    run_id = record.metadata.run_id
    completed = [name for name, step in record.steps.items() if step.completed]
    looks = {name: _no_artifact(store, run_id, name) for name in completed}
    faults = [
        VerifyFault(store.file_path("artifact", name), fault)
        for name, fault in looks.items()
        if fault
    ]
    notes = (
        f"run.json and state.json can be read; {len(completed) - len(faults):,} of "
        f"{len(completed):,} completed artifacts are artifact files",
        "nothing shows whether they are what the run produced: without a journal, any account that "
        "can write to the folder can have changed them",
    )
    if expect is not None:
        faults.append(VerifyFault(SYSTEM, f"no line has the expected hash {expect}"))
    return Verification(
        run_id, 0, None, len(completed), tuple(faults), notes, store.uncovered, vouched=False
    )


def _no_artifact(store: RunStore, run_id: str, name: str) -> str | None:
    """Report why a file cannot be an artifact at all; None if it can."""
    try:
        data = store.read_artifact(run_id, name)
        if data is None:
            return "missing"
        decode(data)
        return store.verify(run_id, name, size=len(data), digest=sha256(data))  # its streams
    except IntegrityError as error:
        return error.message
    return None


def _unreadable(store: RunStore, run_id: str, path: str, error: IntegrityError) -> Verification:
    fault = VerifyFault(path, error.message)
    return Verification(run_id, 0, None, 0, (fault,), not_covered=store.uncovered)


Found: TypeAlias = Iterator[VerifyFault | str]
"""Faults, and notes about leftovers of a crash, on which nothing depends."""


def _on_journal(store: RunStore, journal: Journal, record: RunRecord, expect: str | None) -> Found:
    path = store.file_path("record", "journal")
    if record.attempt_open:
        yield "the last attempt did not end: run.json and state.json were not compared"
    if journal.torn:
        yield (
            f"line {len(journal.lines)} of the journal is followed by something that is no line, "
            "as after a crash; it is ignored, and resuming cuts it"
        )
    if expect is not None and not any(line.hash.startswith(expect) for line in journal.lines):
        yield VerifyFault(path, f"no line has the expected hash {expect}")


def _on_artifacts(store: RunStore, record: RunRecord) -> Found:
    run_id = record.metadata.run_id
    cut_off = {event.artifact for event in redaction.unfinished(store, record)}
    for name, step in record.steps.items():
        path = store.file_path("artifact", name)
        if step.redacted and (before := step.redacted.before.get("fault")):
            yield VerifyFault(path, f"was {before} before it was redacted", renewable=True)
        if name in cut_off and step.redacted and _is_cut_off(store, run_id, step.redacted):
            yield (
                f"{path} is redacted, and a crash came before its {step.redacted.destroyed} was "
                f"destroyed: `wct runs redact {run_id}/{name} --yes` completes that"
            )
        elif done := step.completed:
            fault = store.verify(run_id, name, size=done.size, digest=done.digest)
            if fault:
                yield VerifyFault(path, fault, renewable=True)


def _is_cut_off(store: RunStore, run_id: str, event: ArtifactRedactedRecord) -> bool:
    """Return whether a crash explains the state of a redacted artifact's files.

    Its content may be there, or gone without the tombstone, or what is left of it may be in place
    beside a stream that is still to be removed.
    """
    data = store.read_artifact(run_id, event.artifact)
    if data is None:
        return event.destroyed == CONTENT
    if sha256(data) == event.digest:
        size, digest = event.size, event.digest
        return store.verify(run_id, event.artifact, size=size, digest=digest) is None
    return sha256(data) == event.before.get("digest")


def _on_runbook(store: RunStore, record: RunRecord) -> Found:
    run_id = record.metadata.run_id
    try:
        for digest in _runbooks(record):
            store.read_runbook(run_id, digest)
        current = store.read_record(run_id, "runbook")
    except (NotFoundError, IntegrityError) as error:
        yield VerifyFault(store.file_path("record", "runbook"), error.message)
        return
    if not record.attempt_open and sha256(current) != record.metadata.runbook_hash:
        yield (
            "runbook.yaml is not the one of the last attempt, which is kept beside it: "
            "a resume of a changed runbook was cut off before it began"
        )


def _on_children(store: RunStore, record: RunRecord) -> Found:
    for child in record.metadata.children:
        try:
            store.read_child(record.metadata.run_id, child["path"], child["sha256"])
        except IntegrityError as error:
            yield VerifyFault(store.file_path("child", child["path"]), error.message)


def _runbooks(record: RunRecord) -> list[str]:
    """Return the digests of the runbooks that the attempts ran, each once."""
    return list(dict.fromkeys(str(each["runbook_hash"]) for each in record.metadata.attempts))


def _on_projections(store: RunStore, record: RunRecord, journal: Journal) -> Found:
    """Compare the projections with the journal."""
    if record.attempt_open:
        return
    for part, projection in PROJECTIONS.items():
        path = store.file_path("record", part)
        name = path.rpartition("/")[2]
        try:
            data = store.read_record(record.metadata.run_id, part)
        except (NotFoundError, IntegrityError) as error:
            yield VerifyFault(path, error.message)
            continue
        written = projection.read(data)
        if written is None:
            yield VerifyFault(path, "is not what the journal says")
        elif written.get("schema_version", 0) > SCHEMA_VERSION:
            yield f"a newer version of waivern wrote {name}: it was not compared"
        elif projection.fits(record, journal.lines[-1], written, data):
            unknown = ", ".join(sorted(written.keys() - projection.keys(record)))
            if unknown:
                yield f"{name} has keys that this version does not know, not compared: {unknown}"
        elif any(islice(_fitted_before(projection, journal, written, data), LOOKS)):
            yield f"{name} is older than the journal, as after a crash: resuming renews it"
        else:
            yield VerifyFault(path, "is not what the journal says")


def _fitted_before(
    projection: Projection, journal: Journal, written: dict[str, Json], data: bytes
) -> Iterator[bool]:
    """Yield whether a projection fits the journal as of the time that it names."""
    at, head = written.get(projection.time), written.get("journal")
    anchored = head.get("head") if isinstance(head, dict) else None
    record, anchor = None, journal.lines[0]
    for line in journal.lines:
        event = from_record(line.record)
        if record is None:
            record = RunRecord(event)
        else:
            record.apply(event)
        if line.hash == anchored:
            anchor = line
        if event.at == at:
            yield projection.fits(record, anchor, written, data)


def _on_strangers(store: RunStore, record: RunRecord) -> Found:
    """Report the files that the journal does not describe."""
    for file in store.files(record.metadata.run_id):
        if not _is_known(file, record):
            yield _stranger(store, record, file)
        elif file.kind in STREAMS and not _is_described(store, record, file):
            yield VerifyFault(file.path, "is not known to its artifact")


def _is_described(store: RunStore, record: RunRecord, file: RunFile) -> bool:
    """Return whether the file of an artifact describes this stream, or cannot be read at all.

    A stream that a redaction has still to remove is reported with its artifact.
    """
    try:
        data = store.read_artifact(record.metadata.run_id, file.name)
        if data is None or file.kind in decode(data).streams:
            return True
    except IntegrityError:
        return True
    return file.name in {event.artifact for event in redaction.unfinished(store, record)}


def _is_known(file: RunFile, record: RunRecord) -> bool:
    match file.kind:
        case "artifact" | "records" | "items":
            step = record.steps.get(file.name)
            return step is not None and step.completed is not None
        case "child":  # or a hidden folder with children in it
            paths = [str(child["path"]) for child in record.metadata.children]
            return file.name in paths or (
                file.path.endswith("/") and any(path.startswith(file.name) for path in paths)
            )
        case "earlier runbook":
            return any(
                digest.removeprefix("sha256:").startswith(file.name) for digest in _runbooks(record)
            )
    return file.kind in ("record", "uncovered")


def _stranger(store: RunStore, record: RunRecord, file: RunFile) -> VerifyFault | str:
    path, run_id = file.path, record.metadata.run_id
    unfinished = record.attempt_open or record.metadata.status is RunStatus.INTERRUPTED
    match file.kind:
        case "staged":
            return f"{path} is a leftover that no reader sees; resuming sweeps it"
        case "artifact" | "records" | "items" if unfinished and file.name in record.steps:
            return f"{path} is there, but not completed, as after a crash: it is ignored"
        case "earlier runbook" if store.is_intact(run_id, file):
            return f"{path} is a runbook that did not run: a resume was cut off before it began"
        case "earlier child" if store.is_intact(run_id, file):
            return f"{path} is a child runbook of an earlier attempt"
    return VerifyFault(path, "is not known to the journal")
