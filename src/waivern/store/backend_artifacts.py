"""The artifacts of a store over the backend port: staged, published, read, copied and removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    RedactedError,
    RunNotFoundError,
)
from waivern.message import Message, StreamKind, decode
from waivern.store import layout
from waivern.store.backend import Backend, FileHandle, FolderHandle
from waivern.store.backend_records import BackendRecords
from waivern.store.layout import STAGED, AbsentError
from waivern.store.os_errors import explained
from waivern.store.store_values import ArtifactRef, AttemptAddress, Receipt
from waivern.store.writers import RecordSink

if TYPE_CHECKING:  # only some uses need them, and `wct runs` must be instant
    from waivern.store.artifact_files import StreamFacts
    from waivern.store.artifact_writing import ArtifactWriter
    from waivern.store.lease import BackendLease
    from waivern.store.staging import StagingArea
    from waivern.store.stream_files import StreamFile

IN_MEMORY_BYTES = 64 << 20
"""A larger artifact is digested before it is read: another program may have written it."""


class BackendArtifacts(BackendRecords):
    """The part of a run store that stages, publishes and reads artifacts."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._leases: dict[str, BackendLease] = {}
        self._over: set[str] = set()
        """The runs that this object held and has released."""
        self._attempts: dict[str, StagingArea] = {}
        """The attempts of other holders that this object has written for: it is late for any
        later one."""

    # stage and publish

    @cached_property
    def _writer(self) -> ArtifactWriter:
        from waivern.store.artifact_writing import ArtifactWriter  # reading starts quickly

        return ArtifactWriter(self._at, self._leases, self._over, self._attempts, self._stream_file)

    def stage(self, run_id: str, key: str, message: Message) -> Receipt:
        return self._writer.stage(run_id, key, message)

    def sink(self, run_id: str, key: str, name: str, *, kind: StreamKind = "records") -> RecordSink:
        return self._writer.sink(run_id, key, name, kind=kind)

    def join(self, address: AttemptAddress) -> None:
        self._writer.join(address.run_id, address.attempt)

    def export(self, run_id: str, staged: str) -> bytes | None:
        return self._writer.held(run_id, staged)

    def accept(self, run_id: str, staged: str, data: bytes) -> None:
        self._writer.accept(run_id, staged, data)

    # reading

    def fetch(self, run_id: str, ref: ArtifactRef, *, redacted: bool = False) -> Message:
        reader = partial(self._stream_file, run_id, ref.key, staged=ref.staged)
        if ref.staged and (held := self._writer.held(run_id, ref.staged)):
            return _whole(decode(held, reader))
        # it may be published between two looks, so the published place is tried twice
        places = [None, ref.staged, None] if ref.staged else [None]
        seen = False
        for staged in places:
            data = self._exactly(run_id, ref, staged)
            if data:
                message = decode(data, reader)
                if redacted:
                    return message
                _refuse_redacted(run_id, ref.key, message)
                return _whole(message)
            seen = seen or data is not None
        if seen and not redacted:
            with suppress(IntegrityError):  # it may have been redacted since it was referred to
                _refuse_redacted(run_id, ref.key, decode(self._read(run_id, ref.key) or b""))
        if seen:
            raise IntegrityError(
                f"artifact '{ref.key}' of run {run_id} is not what the journal recorded",
                hint=f"resume run {run_id}: that rebuilds it",
            )
        raise _missing(run_id, ref.key)

    def _exactly(self, run_id: str, ref: ArtifactRef, staged: str | None) -> bytes | None:
        """Return an artifact's bytes, none if they are other ones; None if nothing lies there."""
        try:
            with explained(f"read artifact '{ref.key}'"):
                with self._placed(run_id, ref.key, None, staged) as (at, name):
                    return at.read_exactly(name, ref.digest, IN_MEMORY_BYTES) or b""
        except (AbsentError, FileNotFoundError):
            return None

    def _stream_file(
        self, run_id: str, key: str, kind: StreamKind, staged: str | None = None
    ) -> StreamFile:
        from waivern.store.stream_files import StreamFile

        title = f"the {kind} of artifact '{key}' of run {run_id}"
        stream = StreamFile(title, partial(self._open_stream, run_id, key, kind))
        stream.staged = staged and layout.staged_stream(staged, kind)
        return stream

    def _open_stream(
        self, run_id: str, key: str, kind: StreamKind, stream: StreamFile
    ) -> FileHandle:
        """Open a stream where it is now; publishing renames it, so the staged place comes first."""
        for staged in (stream.staged, None) if stream.staged else (None,):
            with suppress(AbsentError, FileNotFoundError):
                with self._placed(run_id, key, kind, staged) as (folder, name):
                    return folder.open(name, "read")
        raise FileNotFoundError

    @contextmanager
    def _placed(
        self, run_id: str, key: str, kind: StreamKind | None, staged: str | None
    ) -> Iterator[tuple[FolderHandle, str]]:
        """Open the folder of a file of an artifact, published or staged, and name the file."""
        if staged is None:
            with self._at.artifact(run_id, key, kind) as found:
                yield found
            return
        attempt, _, name = staged.partition("/")
        with self._at.system(run_id) as system, system.below([STAGED, attempt]) as folder:
            yield folder, name

    def _read(self, run_id: str, key: str) -> bytes | None:
        try:
            with explained(f"read artifact '{key}'"), self._at.artifact(run_id, key) as (at, name):
                return at.read_if_any(name)
        except AbsentError:
            return None

    def verify(self, run_id: str, key: str, *, size: int, digest: str) -> str | None:
        from waivern.store.artifact_files import described_streams

        try:
            with explained(f"read artifact '{key}'"), self._at.artifact(run_id, key) as (at, name):
                with at.open(name, "read") as file:
                    if file.stat().st_size != size or file.digest() != digest:
                        return "altered"
                    streams = [*described_streams(file)]
        except IntegrityError as error:
            return error.message
        except (AbsentError, FileNotFoundError):
            return "missing"
        faults = (self._stream_fault(run_id, key, facts) for facts in streams)
        return next(filter(None, faults), None)

    def _stream_fault(self, run_id: str, key: str, facts: StreamFacts) -> str | None:
        kind = facts.kind
        try:
            with explained(f"read the {kind} of artifact '{key}'"):
                with self._at.artifact(run_id, key, kind) as (at, name):
                    intact = at.is_digest(name, facts.digest, size=facts.size)
        except IntegrityError as error:
            return error.message
        except (AbsentError, FileNotFoundError):
            return f"its {kind} are missing"
        return None if intact else f"its {kind} are altered"

    def read_artifact(self, run_id: str, key: str) -> bytes | None:
        return self._read(run_id, key)

    # six of the nine

    async def save(self, run_id: str, key: str, message: Message) -> None:
        await self._off_loop(partial(self._writer.save, run_id, key, message))

    async def get(self, run_id: str, key: str) -> Message:
        data = await self._off_loop(partial(self._read, run_id, key))
        if data is None:
            raise _missing(run_id, key)
        return decode(data, partial(self._stream_file, run_id, key))

    async def exists(self, run_id: str, key: str) -> bool:
        return await self._off_loop(partial(self._exists, run_id, key))

    def _exists(self, run_id: str, key: str) -> bool:
        try:
            with explained(f"look for '{key}'"), self._at.artifact(run_id, key) as (folder, name):
                return folder.has_file(name)
        except AbsentError:
            return False

    async def delete(self, run_id: str, key: str) -> None:
        await self._off_loop(partial(self._delete, run_id, key))

    def _delete(self, run_id: str, key: str) -> None:
        from waivern.store import artifact_files

        try:
            with explained(f"delete '{key}'"), self._at.artifact(run_id, key):
                with self._at.run(run_id) as run:
                    artifact_files.remove(run, key)
        except AbsentError:
            return

    async def list_keys(self, run_id: str, prefix: str = "") -> list[str]:
        return await self._off_loop(partial(self._list_keys, run_id, prefix))

    def _list_keys(self, run_id: str, prefix: str) -> list[str]:
        try:
            with explained(f"list run {run_id}"), self._at.run(run_id) as run:
                return sorted(key for key in layout.keys(run) if key.startswith(prefix))
        except RunNotFoundError:
            return []

    async def clear(self, run_id: str) -> None:
        for key in await self.list_keys(run_id):
            await self.delete(run_id, key)


def _whole(message: Message) -> Message:
    """Return a message whose streams are there. Raises IntegrityError if one is not."""
    for stream in message.streams.values():
        file = cast("StreamFile", stream.chunks)
        with file.open() as opened:
            if opened.stat().st_size != stream.size:
                raise IntegrityError(f"{file.title} are not what their artifact recorded")
    return message


def _refuse_redacted(run_id: str, key: str, message: Message) -> None:
    if (found := message.redaction) is not None:
        raise RedactedError(
            f"'{key}' of run {run_id} was redacted on {found.get('at')} by {found.get('by')}: its "
            f"{found.get('destroyed')} is destroyed",
            hint="a new run of its runbook produces it again",
        )


def _missing(run_id: str, key: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(f"run {run_id} has no artifact '{key}'")
