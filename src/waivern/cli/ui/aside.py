"""Takes what components print, so that stdout stays the answer."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

LINE_LIMIT = 2**16
"""Characters; a longer line is left out."""


class Aside(io.TextIOBase):
    """A text stream that hands every line to `say`. Thread-safe.

    Lines are whole or left out: of half a secret nobody could tell that it has to be hidden.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self._lock = threading.Lock()
        self._rest = io.StringIO()
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *ends, rest = text.split("\n")
        with self._lock:
            lines = [self._ended(end) for end in ends]
            self._take(rest)
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Lines are handed on when they are whole; the last one at the end, see `finish`."""

    def finish(self) -> None:
        """Hand on what no line break followed."""
        with self._lock:
            rest = self._ended("")
        if rest:
            self._say(rest)

    def _take(self, text: str) -> None:
        self._length += len(text)
        if self._length <= LINE_LIMIT:
            self._rest.write(text)

    def _ended(self, text: str) -> str:
        """Return the line that `text` is the end of."""
        self._take(text)
        rest, length = self._rest.getvalue(), self._length
        self._rest, self._length = io.StringIO(), 0
        return rest if length <= LINE_LIMIT else f"(a line of {length:,} characters is left out)"
