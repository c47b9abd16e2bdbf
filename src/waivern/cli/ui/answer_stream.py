"""The stream of a command's answer, protected from components that have run.

Finalizers, `atexit` handlers and child processes of components find stderr in place of stdout, and
the output of their threads is dropped: one word of theirs would make a JSON document unreadable.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from waivern.files import high
from waivern.plugins import call_scope


class AnswerStream(io.TextIOWrapper):
    """Standard output that ignores the threads of components."""

    def write(self, text: str, /) -> int:
        if call_scope.current() is not None:  # its log, which redacts secrets, is closed
            return len(text)
        return super().write(text)


def reserve(stdout: int, encoding: str, errors: str | None) -> AnswerStream:
    """Return a stream with a copy of the descriptor `stdout`."""
    raw = io.FileIO(high(os.dup(stdout)), "w")
    return AnswerStream(
        io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=raw.isatty()
    )


def end() -> None:
    """End the answer: further output to stdout goes to stderr."""
    with suppress(OSError, ValueError):  # an error was reported already
        sys.stdout.flush()
    sys.stdout = sys.stderr
    os.dup2(2, 1)
