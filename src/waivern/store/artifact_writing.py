"""The writing of artifacts: staged within an attempt, or saved by the nine methods."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial

from waivern.errors import IntegrityError
from waivern.ids import parse_artifact_id
from waivern.message import Message, StreamKind, encode
from waivern.record_stream import RecordStream
from waivern.store import artifact_files
from waivern.store.artifact_files import Staged
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.layout import STAGED, Layout, staged_stream
from waivern.store.lease import BackendLease
from waivern.store.os_errors import explained
from waivern.store.staging import HeldArtifacts, StagingArea, current, over
from waivern.store.store_values import Receipt
from waivern.store.stream_files import FileSink, StreamFile
from waivern.store.writers import RecordSink

_tokens = itertools.count()
_prefix = os.urandom(4).hex()
"""Staged names are unique over processes by this, within one by the counter."""


def _new_name() -> str:
    return f"{_prefix}-{next(_tokens)}"


def _renew_prefix() -> None:
    global _prefix  # noqa: PLW0603 - there is one a process
    _prefix = os.urandom(4).hex()


os.register_at_fork(after_in_child=_renew_prefix)


class ArtifactWriter:
    """The part of a run store that writes artifacts.

    It shares the state of the store: the leases that it has given, the runs that it has released,
    and the attempts of other holders that it has written for. `stream_file` returns the file of a
    stream.
    """

    def __init__(
        self,
        at: Layout,
        leases: Mapping[str, BackendLease],
        released: set[str],
        attempts: dict[str, StagingArea],
        stream_file: Callable[[str, str, StreamKind], StreamFile],
    ) -> None:
        self._at = at
        self._leases = leases
        self._over = released
        self._attempts = attempts
        self._stream_file = stream_file

    def stage(self, run_id: str, key: str, message: Message) -> Receipt:
        """Write the message where no reader sees it."""
        encoded = encode(message)
        parse_artifact_id(key)
        area, name = self._staging(run_id), _new_name()
        place = f"{area.name}/{name}"
        if streams := message.streams:
            self._stage_streams(area, name, (run_id, key), streams)
        if area.held is None or not area.held.hold(place, encoded.data):
            _write(area, name, encoded.data, key)
        size = len(encoded.data)
        return Receipt(
            key,
            place,
            size,
            encoded.digest,
            encoded.content_digest,
            str(message.schema),
            tuple(streams),
            size + sum(each.size for each in streams.values()) if streams else None,
        )

    def held(self, run_id: str, staged: str) -> bytes | None:
        """Return the bytes of a staged artifact that is in memory."""
        lease = self._leases.get(run_id)
        area = lease.staging if lease else self._attempts.get(run_id)
        return area.held.get(staged) if area and area.held else None

    def join(self, run_id: str, attempt: str) -> None:
        """Write for this attempt, which another process holds, and for no later one."""
        opened = partial(self._opened, run_id, attempt)
        self._attempts[run_id] = StagingArea(run_id, attempt, opened, HeldArtifacts())

    def accept(self, run_id: str, staged: str, data: bytes) -> None:
        """Take the bytes of a staged artifact from another process."""
        area = self._staging(run_id)
        if staged.partition("/")[0] != area.name:
            raise over(run_id)
        if area.held is None or not area.held.hold(staged, data):
            _write(area, staged.rpartition("/")[2], data, staged)

    def _stage_streams(
        self,
        area: StagingArea,
        name: str,
        artifact: tuple[str, str],
        streams: dict[StreamKind, RecordStream],
    ) -> None:
        """Stage the streams of an artifact beside its file."""
        for kind, stream in streams.items():
            with explained(f"write the {kind} of artifact '{artifact[1]}'"):
                staged = staged_stream(name, kind)
                if not _take_over(area, staged, (*artifact, kind), stream):
                    _copy(area, staged, stream)

    def sink(self, run_id: str, key: str, name: str, *, kind: StreamKind) -> RecordSink:
        """Open a sink for a stream of an artifact that is being produced."""
        parse_artifact_id(key)
        area = self._staging(run_id)
        stream = self._stream_file(run_id, key, kind)
        stream.offer(f"{area.name}/{_new_name()}", (run_id, key, kind))
        return FileSink(name, stream, area, inline=kind == "records")

    def _staging(self, run_id: str) -> StagingArea:
        """Return where the files of a run are staged. Raises StoreError if the run is over."""
        if (lease := self._leases.get(run_id)) is not None:
            return lease.staging
        if run_id in self._over:
            raise over(run_id)
        if (area := self._attempts.get(run_id)) is None:
            with explained(f"write to run {run_id}"), self._at.system(run_id) as system:
                name = current(system)
            if name is None:
                raise over(run_id)
            area = StagingArea(run_id, name, partial(self._opened, run_id, name))
            self._attempts[run_id] = area
        return area

    @contextmanager
    def _opened(self, run_id: str, name: str) -> Iterator[FolderHandle]:
        """Open the folder of an attempt of another holder."""
        with ExitStack() as stack:
            system = stack.enter_context(self._at.system(run_id))
            try:
                folder = stack.enter_context(system.below([STAGED, name]))
            except FileNotFoundError:
                raise over(run_id) from None
            yield folder

    def save(self, run_id: str, key: str, message: Message) -> None:
        """Store a message under its key, durably, replacing an earlier one."""
        data = encode(message).data
        streams = message.streams
        with (
            explained(f"save '{key}'"),
            self._at.artifact(run_id, key, make=True, make_run=True) as (folder, _),
            self._at.run(run_id) as run,
        ):
            area = StagingArea(run_id, "", lambda: nullcontext(folder))
            name = f".tmp-{_new_name()}"
            staged = Staged(folder, name, tuple(streams))
            try:
                for kind, stream in streams.items():
                    _copy(area, staged_stream(name, kind), stream)
                folder.write_new(name, data)
                artifact_files.put(run, key, staged, each_step=True)
            except BaseException:
                for left in (name, *(staged_stream(name, kind) for kind in streams)):
                    with suppress(OSError):  # the next holder of the run sweeps it
                        folder.unlink(left)
                raise


def _write(area: StagingArea, name: str, data: bytes, title: str) -> None:
    with explained(f"write artifact '{title}'"), area.create(name) as file:
        file.write(data)
        file.sync()


def _take_over(
    area: StagingArea, name: str, place: tuple[str, str, StreamKind], stream: RecordStream
) -> bool:
    """Rename what a sink of this artifact wrote; return whether the stream comes from one."""
    file = stream.chunks
    if not isinstance(file, StreamFile) or not file.take(place):
        return False
    assert file.staged is not None
    attempt, _, before = file.staged.partition("/")
    if attempt != area.name:
        raise over(place[0])
    area.rename(before, name)
    file.staged = f"{attempt}/{name}"
    return True


def _copy(area: StagingArea, name: str, stream: RecordStream) -> None:
    """Write a stream into a new file, durably, without parsing it.

    Raises IntegrityError if it does not have the bytes that it should have.
    """
    with area.create(name) as file:
        if not _copied_by_backend(file, stream):
            for chunk in stream.chunks(0):
                file.write(chunk)
        file.sync()
    with area.read(name) as copy:  # what was written, whichever process wrote it
        if copy.stat().st_size != stream.size or copy.digest() != stream.digest:
            raise IntegrityError("a record stream is not what its artifact recorded")


def _copied_by_backend(file: FileHandle, stream: RecordStream) -> bool:
    if not isinstance(stream.chunks, StreamFile):
        return False
    with stream.chunks.open() as source:
        return file.copy_from(source)
