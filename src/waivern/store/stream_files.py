"""The files of record streams: written while an artifact is produced, read piece by piece."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator

from waivern.errors import IntegrityError, StoreError
from waivern.message import Json, StreamKind, record_line
from waivern.record_stream import INLINE_BYTES, INLINE_RECORDS, RecordStream
from waivern.store.backend import CHUNK_BYTES, FileHandle
from waivern.store.os_errors import explained
from waivern.store.staging import StagingArea
from waivern.store.writers import RecordSink

WRITE_BYTES = 1 << 18
"""Records are written together up to this size: Python may switch threads at each system call."""
FIRST_BYTES = 1 << 16
"""The bytes that are read first: often only a few records from a position on are needed."""


class StreamFile:
    """The file of a stream that a run has: staged at first, then published.

    It is called for the bytes from a position on, in chunks. `open` returns the file, wherever it
    is by then, and raises FileNotFoundError if there is none. `staged` is its name where it is
    staged.
    """

    def __init__(self, title: str, open_file: Callable[[StreamFile], FileHandle]) -> None:
        self.title = title
        self._open = open_file
        self.staged: str | None = None
        self._offer: tuple[str, str, StreamKind] | None = None

    def offer(self, staged: str, place: tuple[str, str, StreamKind]) -> None:
        """Let the artifact of this run, key and kind take over the file, once."""
        self.staged, self._offer = staged, place

    def take(self, place: tuple[str, str, StreamKind]) -> bool:
        """Return whether the file is to be taken over by this artifact, and has not been yet."""
        if self._offer != place:
            return False
        self._offer = None
        return True

    @property
    def is_offered(self) -> bool:
        """Whether no artifact has taken over the file."""
        return self._offer is not None

    def open(self) -> FileHandle:
        """Open the file. Raises IntegrityError if it is missing, StoreError."""
        try:
            with explained(f"read {self.title}"):
                return self._open(self)
        except FileNotFoundError:
            raise IntegrityError(f"{self.title} are missing", hint=_REBUILD) from None

    def __call__(self, at: int) -> Iterator[bytes]:
        """Yield the bytes from `at` on in chunks, unchecked; the first ones are small."""
        size = FIRST_BYTES
        with self.open() as file:
            while chunk := self._read(file, size, at):
                yield chunk
                at += len(chunk)
                size = min(2 * size, CHUNK_BYTES)

    def _read(self, file: FileHandle, size: int, at: int) -> bytes:
        with explained(f"read {self.title}"):
            return file.read(size, at)


_REBUILD = "resume the run: that rebuilds the artifact"


class FileSink(RecordSink):
    """A sink that holds few and small records in memory, and writes more to a staged file.

    With `inline` they are returned as a list while they are few and small; without, any record
    makes a stream.
    """

    def __init__(
        self,
        name: str,
        stream: StreamFile,
        area: StagingArea,
        *,
        inline: bool,
    ) -> None:
        self._name = name
        self._stream = stream
        self._area = area
        self._inline = inline
        self._count = 0
        self._size = 0
        self._digest = hashlib.sha256()
        self._lines: list[bytes] = []
        """The records that are not written yet."""
        self._pending = 0
        """Their size."""
        self._file: FileHandle | None = None
        self._over = False

    def write(self, record: Json) -> None:
        self._check()
        line = record_line(record, self._count + 1)
        self._lines.append(line)
        self._count += 1
        self._size += len(line)
        self._pending += len(line)
        if self._file is None:
            large = self._count > INLINE_RECORDS or self._size > INLINE_BYTES
        else:
            large = self._pending >= WRITE_BYTES
        if large:
            self._flush()

    @property
    def _staged(self) -> str:
        assert self._stream.staged is not None
        return self._stream.staged.rpartition("/")[2]

    def _check(self) -> None:
        if self._over:
            raise StoreError(f"{self._stream.title} are finished: nothing more is written")

    def _flush(self) -> None:
        """Write what is held in memory; after an error nothing more is written."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._pending = 0
        self._over = True
        with explained(f"write {self._stream.title}"):
            if self._file is None:
                self._file = self._area.create(self._staged)
            with self._area.opened():  # or it would go on to fill a file that was removed
                pass
            self._file.write(data)
        self._over = False
        self._digest.update(data)

    def finish(self) -> list[Json] | RecordStream:
        self._check()
        if self._file is None and (self._inline or not self._lines):
            self._over = True
            return [json.loads(line) for line in self._lines]
        if self._lines:
            self._flush()
        self._over = True
        assert self._file is not None
        # by the thread that produced it: the lease would make the others of its group wait
        with explained(f"write {self._stream.title}"), self._file as file:
            file.sync()
        digest = f"sha256:{self._digest.hexdigest()}"
        return RecordStream(self._name, self._count, self._size, digest, self._stream)

    def discard(self) -> None:
        self._over = True
        self._lines.clear()
        if self._file is not None:
            self._file.close()
            if self._stream.is_offered:
                self._area.unlink(self._staged)
