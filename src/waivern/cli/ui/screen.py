"""The terminal, pipe or file behind a standard stream, and the appearance that it allows."""

import os
import sys
from contextlib import nullcontext, suppress
from typing import NamedTuple, TextIO

from waivern.record.status import UNKNOWN, Look, looks

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_LOOKS = {
    **looks(),
    "restored": Look("=", "=", "dim"),
    "retried": Look("↻", "~", "yellow"),
    "notified": Look("✉", "@", "cyan"),
    "started": Look("▸", ">", "dim"),
}
"""The appearance of every status, and of the other events of a run's progress."""


class Screen(NamedTuple):
    """A stream and its abilities."""

    stream: TextIO
    tty: bool
    live: bool
    """Whether lines can be overwritten."""
    colour: bool
    unicode: bool
    width: int

    def print(self, text: str = "") -> None:
        """Write a line. A message that cannot be written to stderr is dropped."""
        with suppress(OSError) if self.stream is sys.stderr else nullcontext():
            self.stream.write(text + "\n")

    def paint(self, text: str, look: str) -> str:
        """Return `text` in a colour or in that of a status, if the stream has colours."""
        code = _CODES.get(_LOOKS[look].colour if look in _LOOKS else look)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def mark(self, status: str) -> str:
        """Return the symbol of a status, in its colour."""
        look = look_of(status)
        return self.paint(look.symbol if self.unicode else look.ascii, status)


def look_of(status: str) -> Look:
    """Return the appearance of a status."""
    return _LOOKS.get(status, UNKNOWN)


def screen(stream: TextIO) -> Screen:
    """Return the abilities of `stream`: colours only on a terminal, and not with NO_COLOR."""
    tty = stream.isatty()
    live = tty and os.environ.get("TERM", "dumb") != "dumb"
    colour = live and not os.environ.get("NO_COLOR")
    encoding = (stream.encoding or "").lower().replace("-", "")
    return Screen(
        stream, tty, live, colour, encoding.startswith("utf"), _width(stream) if tty else 0
    )


def _width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdecimal() and int(columns):
        return int(columns)
    return os.get_terminal_size(stream.fileno()).columns or 80


def stdout() -> Screen:
    """Return the screen of answers."""
    return screen(sys.stdout)


def stderr() -> Screen:
    """Return the screen of progress and messages."""
    return screen(sys.stderr)
