"""The stream of a command's answer once components have run: nobody else may write to it.

Finalizers, `atexit` handlers and child processes that components leave behind find stderr where
stdout was, and what their threads still print is dropped: beside a JSON document, one word of
theirs would make it unreadable.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from waivern.files import high
from waivern.plugins import call_scope


class AnswerStream(io.TextIOWrapper):
    """Standard output, of which the threads of components are kept off."""

    def write(self, text: str, /) -> int:
        if call_scope.current() is not None:  # its log is closed, which knew what is secret
            return len(text)
        return super().write(text)


def reserve(stdout: int, encoding: str, errors: str | None) -> AnswerStream:
    """Return a stream that leads where the descriptor `stdout` does, by one of its own."""
    raw = io.FileIO(high(os.dup(stdout)), "w")
    return AnswerStream(
        io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=raw.isatty()
    )


def end() -> None:
    """End the answer: whatever is still written to stdout goes to stderr."""
    with suppress(OSError, ValueError):  # where it leads nowhere any more, that was reported
        sys.stdout.flush()
    sys.stdout = sys.stderr
    os.dup2(2, 1)
