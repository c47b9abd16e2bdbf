"""Zip files that have one form only: members without compression, without times, in one order.

The same members give the same bytes, with any version of Python and of its compression library.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from waivern.errors import RefusedError

MOST_BYTES = (1 << 32) - (1 << 24)
"""The bytes of the members: sizes have 32 bits, and the directory needs room."""
MOST_MEMBERS = 65_000


class StoredZip:
    """A zip file that is being written."""

    def __init__(self, out: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False)
        self._size = 0
        self.sums: dict[str, str] = {}
        """The SHA-256 of each member, in hex, in their order."""

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a member. Raises RefusedError if the file would become too large."""
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o600 << 16  # the same on each system
        digest = hashlib.sha256()
        with self._zip.open(info, "w") as member:
            for chunk in chunks:
                self._size += len(chunk)
                if self._size > MOST_BYTES or len(self.sums) >= MOST_MEMBERS:
                    raise RefusedError(
                        "the run is too large for a zip file of this form (limits: 4 GB, "
                        f"{MOST_MEMBERS:,} members)",
                        hint="export its findings as `jsonl`, which has no limit",
                    )
                digest.update(chunk)
                member.write(chunk)
        self.sums[name] = digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._zip.close()
            return
        with suppress(OSError, ValueError):  # what was written is discarded
            self._zip.close()
