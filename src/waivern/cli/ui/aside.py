"""Takes what components print, so that stdout stays the answer."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

LINE_LIMIT = 10_000
"""Characters; a longer line is told in pieces."""


class Aside(io.TextIOBase):
    """A text stream that hands every line to `say`. Thread-safe."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._lock = threading.Lock()
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, rest = (self._rest + text).split("\n")
            while len(rest) > LINE_LIMIT:
                lines.append(rest[:LINE_LIMIT])
                rest = rest[LINE_LIMIT:]
            self._rest = rest
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Lines are handed on when they are whole; the last one at the end, see `finish`."""

    def finish(self) -> None:
        """Hand on what no line break followed."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._say(rest)
