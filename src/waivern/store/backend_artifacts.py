"""The artifacts of a store over the backend port: staged, published, read, copied and removed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from waivern.errors import ArtifactNotFoundError, IntegrityError, RunNotFoundError, StoreError
from waivern.message import Message, StreamKind, decode, encode, sha256
from waivern.record_stream import RecordStream
from waivern.store import artifact_files, layout
from waivern.store.artifact_files import Staged, staged_stream
from waivern.store.backend import Backend, FileHandle, FolderHandle, explained
from waivern.store.base import ArtifactRef, Receipt, RecordSink, RunStore
from waivern.store.layout import AbsentError, Layout
from waivern.store.stream_files import FileSink, StreamFile

if TYPE_CHECKING:  # only writing needs it, and `wct runs` must be instant
    from waivern.store.lease import BackendLease

T = TypeVar("T")
IN_MEMORY_BYTES = 64 << 20
"""A larger artifact is digested before it is read: another program may have written it."""
_tokens = itertools.count()
_TOKEN_PREFIX = os.urandom(4).hex()
"""Staged names are unique over processes by this, within one by the counter."""


def _new_name() -> str:
    return f".tmp-{_TOKEN_PREFIX}-{next(_tokens)}"


class BackendArtifacts(RunStore):
    """The part of a run store that stages, publishes and reads artifacts."""

    def __init__(self, backend: Backend) -> None:
        self._title = backend.title
        self._blocks = backend.blocks
        self._at = Layout(backend)
        self._leases: dict[str, BackendLease] = {}
        self._over: set[str] = set()
        """The runs that this object held and has released."""

    async def _off_loop(self, call: Callable[[], T]) -> T:
        """Run a blocking call on a thread; one that cannot block at once."""
        if not self._blocks:
            return call()
        import anyio

        return await anyio.to_thread.run_sync(call)

    # stage and publish

    def stage(self, run_id: str, key: str, message: Message) -> Receipt:
        encoded = encode(message)
        staged = _new_name()
        lease = self._lease(run_id, key)
        streams = _streams(message)
        if streams:
            with self._staging(run_id, key, make=True) as folder:
                for kind, stream in streams.items():
                    name = staged_stream(staged, kind)
                    self._adopt(lease, name, key)
                    if not self._take_over(folder, name, (run_id, key, kind), stream):
                        with explained(f"write artifact '{key}'"):
                            _copy(folder, name, stream)
        if not (lease and lease.hold(staged, encoded.data)):
            with (
                explained(f"write artifact '{key}'"),
                self._staging(run_id, key, make=True) as folder,
            ):
                folder.write_new(staged, encoded.data)
            self._adopt(lease, staged, key)
        return Receipt(
            key,
            staged,
            len(encoded.data),
            encoded.digest,
            encoded.content_digest,
            str(message.schema),
            tuple(streams),
        )

    def _lease(self, run_id: str, key: str) -> BackendLease | None:
        """Return the lease of a run that this object holds. Raises StoreError if it is over."""
        lease = self._leases.get(run_id)
        if lease is None and run_id in self._over:
            raise _too_late(run_id, key)
        return lease

    def _adopt(self, lease: BackendLease | None, staged: str, key: str) -> None:
        """Let the lease remove a staged file at its end, unless it is published before."""
        if lease and not lease.adopt(staged, key):
            with suppress(AbsentError), self._at.artifact(lease.run_id, key) as (folder, _):
                folder.unlink(staged)
            raise _too_late(lease.run_id, key)

    @contextmanager
    def _staging(self, run_id: str, key: str, *, make: bool = False) -> Iterator[FolderHandle]:
        """Open the folder in which the files of an artifact are staged."""
        try:
            with self._at.artifact(run_id, key, make=make) as (folder, _):
                yield folder
        except AbsentError:
            raise RunNotFoundError(f"run {run_id} is gone from {self._title}") from None

    def _take_over(
        self,
        folder: FolderHandle,
        name: str,
        place: tuple[str, str, StreamKind],
        stream: RecordStream,
    ) -> bool:
        """Rename what a sink of this artifact wrote; return whether the stream comes from one."""
        file = stream.chunks
        if not isinstance(file, StreamFile) or not file.take(place):
            return False
        assert file.staged is not None
        try:
            with explained(f"write {file.title}"):
                folder.rename(file.staged, name)
        except FileNotFoundError:
            raise StoreError(f"{file.title} were removed before they were published") from None
        file.staged = name
        return True

    def sink(self, run_id: str, key: str, name: str, *, kind: StreamKind = "records") -> RecordSink:
        lease = self._lease(run_id, key)
        stream = self._stream_file(run_id, key, kind)
        staged = staged_stream(_new_name(), kind)

        def create() -> FileHandle:
            self._adopt(lease, staged, key)
            with self._staging(run_id, key, make=True) as folder:
                return folder.open(staged, "new")

        def remove() -> None:
            with self._staging(run_id, key) as folder:
                folder.unlink(staged)

        stream.offer(staged, (run_id, key, kind))
        return FileSink(name, stream, create, remove, inline=kind == "records")

    # reading

    def fetch(self, run_id: str, ref: ArtifactRef) -> Message:
        lease = self._leases.get(run_id)
        reader = partial(self._stream_file, run_id, ref.key, staged=ref.staged)
        if lease and ref.staged and (held := lease.held(ref.staged)):
            return _whole(decode(held, reader))
        # it may be published between two looks, so the published place is tried twice
        places = [None, ref.staged, None] if ref.staged else [None]
        seen = False
        for staged in places:
            data = self._exactly(run_id, ref, staged)
            if data:
                return _whole(decode(data, reader))
            seen = seen or data is not None
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
                with self._at.artifact(run_id, ref.key) as (at, published):
                    name = staged or published
                    if at.size(name) > IN_MEMORY_BYTES and not at.is_digest(name, ref.digest):
                        return b""
                    data = at.read(name)
        except (AbsentError, FileNotFoundError):
            return None
        return data if sha256(data) == ref.digest else b""

    def _stream_file(
        self, run_id: str, key: str, kind: StreamKind, staged: str | None = None
    ) -> StreamFile:
        title = f"the {kind} of artifact '{key}' of run {run_id}"
        stream = StreamFile(title, partial(self._open_stream, run_id, key, kind))
        stream.staged = staged and staged_stream(staged, kind)
        return stream

    def _open_stream(
        self, run_id: str, key: str, kind: StreamKind, stream: StreamFile
    ) -> FileHandle:
        """Open a stream where it is now; publishing renames it, so the staged place comes first."""
        try:
            if stream.staged:
                with suppress(AbsentError, FileNotFoundError):
                    with self._at.artifact(run_id, key) as (folder, _):
                        return folder.open(stream.staged, "read")
            with self._at.artifact(run_id, key, kind) as (folder, name):
                return folder.open(name, "read")
        except AbsentError as error:
            raise FileNotFoundError from error

    def _read(self, run_id: str, key: str) -> bytes | None:
        try:
            with explained(f"read artifact '{key}'"), self._at.artifact(run_id, key) as (at, name):
                return at.read_if_any(name)
        except AbsentError:
            return None

    def verify(self, run_id: str, key: str, *, size: int, digest: str) -> str | None:
        try:
            with explained(f"read artifact '{key}'"), self._at.artifact(run_id, key) as (at, name):
                with at.open(name, "read") as file:
                    if file.stat().st_size != size or file.digest() != digest:
                        return "altered"
                    streams = [*artifact_files.described_streams(file)]
        except IntegrityError as error:
            return error.message
        except (AbsentError, FileNotFoundError):
            return "missing"
        faults = (self._stream_fault(run_id, key, facts) for facts in streams)
        return next(filter(None, faults), None)

    def _stream_fault(self, run_id: str, key: str, facts: artifact_files.StreamFacts) -> str | None:
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
        await self._off_loop(partial(self._save, run_id, key, message))

    def _save(self, run_id: str, key: str, message: Message) -> None:
        data = encode(message).data
        streams = _streams(message)
        staged = _new_name()
        with explained(f"save '{key}'"):
            with self._at.artifact(run_id, key, make=True, make_run=True) as (folder, _):
                try:
                    for kind, stream in streams.items():
                        _copy(folder, staged_stream(staged, kind), stream)
                    folder.write_new(staged, data)
                    with self._at.run(run_id) as run:
                        place = Staged(folder, staged, tuple(streams))
                        artifact_files.put(run, key, place, each_step=True)
                except BaseException:
                    for name in (staged, *(staged_stream(staged, kind) for kind in streams)):
                        with suppress(OSError):  # after a failure the leftover is only untidy
                            folder.unlink(name)
                    raise

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


def _streams(message: Message) -> dict[StreamKind, RecordStream]:
    """Return the streams of a message, by kind."""
    streams: dict[StreamKind, RecordStream] = {}
    if message.records is not None:
        streams["records"] = message.records
    if message.items is not None:
        streams["items"] = message.items
    return streams


def _copy(folder: FolderHandle, name: str, stream: RecordStream) -> None:
    """Write a stream into a new file, durably, without parsing it.

    Raises IntegrityError if it does not have the bytes that it should have.
    """
    with folder.open(name, "new") as file:
        copied = False
        if isinstance(stream.chunks, StreamFile):
            with stream.chunks.open() as source:
                copied = file.copy_from(source)
        if not copied:
            for chunk in stream.checked():
                file.write(chunk)
        file.sync()
    if not folder.is_digest(name, stream.digest, size=stream.size):
        raise IntegrityError("a record stream is not what its artifact recorded")


def _whole(message: Message) -> Message:
    """Return a message whose streams are there. Raises IntegrityError if one is not."""
    for stream in _streams(message).values():
        file = stream.chunks
        assert isinstance(file, StreamFile)
        with file.open() as opened:
            if opened.stat().st_size != stream.size:
                raise IntegrityError(f"{file.title} are not what their artifact recorded")
    return message


def _missing(run_id: str, key: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(f"run {run_id} has no artifact '{key}'")


def _too_late(run_id: str, key: str) -> StoreError:
    return StoreError(f"run {run_id} is over: '{key}' came too late")
