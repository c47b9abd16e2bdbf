"""Record streams: the records of an artifact that is too large to be held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from waivern.errors import ComponentError, IntegrityError

INLINE_RECORDS = 1_000
"""The records that an artifact's own file holds at most; more become a file beside it."""
INLINE_BYTES = 1 << 16
"""The bytes that such records have at most together."""
RECORD_BYTES = 64 << 20
"""The bytes that a single record has at most."""
LIST_BYTES = 64 << 20
"""The bytes up to which a stream is handed to a component as a list."""
RECORDS = "records"
"""The list that a component's records belong to unless it declares another."""


class RecordStream:
    """A list of records that is read anew, record by record, each time it is iterated.

    `name` is the key of the list in the artifact's content, `count` the number of records, `size`
    the number of bytes of their lines, `digest` the `sha256:` of these bytes. Each line is the
    canonical JSON of a record. `chunks` returns the bytes from a position on, in
    chunks of any length.
    """

    __slots__ = ("chunks", "count", "digest", "name", "size")

    def __init__(
        self,
        name: str,
        count: int,
        size: int,
        digest: str,
        chunks: Callable[[int], Iterator[bytes]],
    ) -> None:
        self.name = name
        self.count = count
        self.size = size
        self.digest = digest
        self.chunks = chunks

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        """Yield the records.

        Raises IntegrityError if one is not JSON, and at the end if the bytes are not the recorded.
        """
        from pydantic_core import from_json  # not in `parsed`: it would be looked up for each line

        for line in self.lines():
            try:
                yield from_json(line, allow_inf_nan=False)
            except ValueError:  # it nests less deeply than json, which is three times as slow
                yield _slowly(line)

    def lines(self, at: int = 0) -> Iterator[bytes]:
        """Yield the line of each record, without its end. Raises IntegrityError as `__iter__`.

        `at` is a position in bytes where a line begins; from there on, the bytes are not checked.
        """
        rest = b""
        for chunk in self.chunks(at) if at else self.checked():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            raise IntegrityError("a record stream does not end with a whole record")

    def item(self, index: int) -> Any:
        """Return one record; a negative index counts from the end. Raises IndexError."""
        place = index if index >= 0 else self.count + index
        if place >= 0:
            for line in islice(self.lines(), place, None):
                return _slowly(line)
        raise IndexError(index)

    def checked(self) -> Iterator[bytes]:
        """Yield the bytes in chunks. Raises IntegrityError at the end if they have other ones."""
        import hashlib  # lists of runs read no stream (ADR 9)

        found = hashlib.sha256()
        for chunk in self.chunks(0):
            found.update(chunk)
            yield chunk
        if f"sha256:{found.hexdigest()}" != self.digest:
            raise IntegrityError("a record stream is not what its artifact recorded")

    def whole(self) -> list[Any]:
        """Return the records as a list. Raises ComponentError if they are too large for that."""
        if self.size > LIST_BYTES:
            raise ComponentError(
                f"{self.count:,} records of {self.size:,} bytes are too large for a list "
                f"(limit: {LIST_BYTES:,} bytes)",
                hint="read them one by one: declare `reads_streams = True`",
            )
        return [*self]

    def document(self) -> dict[str, Any]:
        """Return what the artifact's file says of the stream."""
        return {
            "list": self.name,
            "count": self.count,
            "size": self.size,
            "digest": self.digest,
        }


def parsed(line: bytes) -> Any:
    """Return the record of a line. Raises IntegrityError if it is not JSON."""
    from pydantic_core import from_json  # lists of runs read no stream (ADR 9)

    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError:  # it nests less deeply than json, which is three times as slow
        return _slowly(line)


def _slowly(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise IntegrityError("a record stream is not what its artifact recorded") from error
