"""The progress through the files of a source, with totals where reading takes long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from waivern.builtin.text_parts import Block
from waivern.plugins.context import Context

COUNTED_AFTER = 0.5
"""Seconds after which the files ahead are counted: before, no estimate is needed."""
_AHEAD = 50
"""The files that are counted between two reports, so that these do not wait for the count."""


class SourceProgress:
    """A report of files and bytes; `sizes` are those of all files, counted only when needed."""

    def __init__(self, ctx: Context, sizes: Iterator[int]) -> None:
        self._ctx = ctx
        self._sizes = sizes
        self._began = time.monotonic()
        self._counted = False
        self._total = self._total_size = 0
        self._files = self._bytes = 0

    def within(self, passing: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks of a file, and report those that are not the last."""
        done = 0
        for block in passing:
            done += len(block.data)
            if not block.last:
                self._report(self._bytes + done)
            yield block
            del block  # before the next one is read

    def done(self, size: int | None) -> None:
        """Report that a file has been read, or will not be."""
        self._files += 1
        self._bytes += size or 0
        self._report(self._bytes)

    def _report(self, size: int) -> None:
        if not self._counted and time.monotonic() - self._began > COUNTED_AFTER:
            self._count_on()
        if self._counted:
            self._ctx.progress(self._files, self._total, size=size, total_size=self._total_size)
        else:
            self._ctx.progress(self._files, size=size)

    def _count_on(self) -> None:
        some = [*islice(self._sizes, _AHEAD)]
        self._total += len(some)
        self._total_size += sum(some)
        self._counted = len(some) < _AHEAD
