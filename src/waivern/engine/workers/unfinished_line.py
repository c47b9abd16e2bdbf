"""The line that a component has begun to print, in memory that outlives its worker."""

from __future__ import annotations

import mmap
import os
import struct
from contextlib import suppress

LONGEST = 4095
"""Bytes that a pipe takes whole or not at all: in pieces, no secret in them could be redacted."""
_LENGTH = struct.Struct("H")


class UnfinishedLine:
    """The line, which a worker sets and its template writes when the worker has ended.

    A worker sends whole lines only. One that crashes would lose what it printed since.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _LENGTH.size + LONGEST)

    def set(self, text: str) -> None:
        """Replace it; empty: the line was sent."""
        data = text.encode(errors="backslashreplace")
        if len(data) > LONGEST:
            data = f"(a line without end of {len(text):,} characters is left out)".encode()
        _LENGTH.pack_into(self._memory, 0, 0)  # what is half written does not count
        self._memory[_LENGTH.size : _LENGTH.size + len(data)] = data
        _LENGTH.pack_into(self._memory, 0, len(data))

    def write(self, pipe: int) -> None:
        """Write it to a pipe, unless that is full."""
        (length,) = _LENGTH.unpack_from(self._memory)
        if length == 0:
            return
        data = self._memory[_LENGTH.size : _LENGTH.size + length]
        with suppress(OSError):
            # opened again: others that write to the pipe must not find that it does not block
            again = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(again, data)
            finally:
                os.close(again)

    def close(self) -> None:
        """Release the memory."""
        self._memory.close()
