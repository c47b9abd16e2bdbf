"""Where output goes: what the stream can show, and tables that fit it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from waivern.cli.ui.text import clip

_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_LOOKS = {
    "completed": ("✔", "+", "green"),
    "reused": ("↺", "=", "green"),
    "cached": ("↺", "=", "green"),
    "kept": ("=", "=", "dim"),
    "failed": ("✘", "x", "red"),
    "corrupt": ("✘", "x", "red"),
    "retried": ("↻", "~", "yellow"),
    "skipped": ("⊘", "-", "yellow"),
    "interrupted": ("!", "!", "yellow"),
    "cancelled": ("!", "!", "yellow"),
    "suspended": ("▮", "|", "cyan"),
    "running": ("▸", ">", "cyan"),
    "started": ("▸", ">", "dim"),
    "not_started": ("·", ".", "dim"),
}


class Screen(NamedTuple):
    """A stream, and what it can show."""

    stream: TextIO
    tty: bool
    live: bool
    """Whether lines can be written over."""
    colour: bool
    unicode: bool
    width: int

    def print(self, text: str = "") -> None:
        """Write a line."""
        self.stream.write(text + "\n")

    def paint(self, text: str, look: str) -> str:
        """Return `text` in a colour, or in that of a status; as it is where there are none."""
        code = _CODES.get(_LOOKS[look][2] if look in _LOOKS else look)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def mark(self, status: str) -> str:
        """Return the sign of a status, in its colour."""
        fine, plain, _ = _LOOKS.get(status, ("?", "?", ""))
        return self.paint(fine if self.unicode else plain, status)


def look_of(status: str) -> tuple[str, str]:
    """Return the sign of a status and its colour."""
    fine, _, colour = _LOOKS.get(status, ("?", "?", ""))
    return fine, colour


def screen(stream: TextIO) -> Screen:
    """Return what `stream` can show: colours only on a terminal, and not with NO_COLOR."""
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


def table(
    out: Screen,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    flex: int,
    keep_end: bool = False,
    status: int | None = None,
) -> None:
    """Write rows for a terminal: aligned, the column `flex` cut so that each fits its line.

    The column `status` is painted. Every text must be clean already.
    """
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    rest = sum(widths) - widths[flex] + 2 * (len(widths) - 1)
    widths[flex] = min(widths[flex], max(8, out.width - rest))
    for number, row in enumerate(cells):
        row[flex] = clip(row[flex], widths[flex], keep_end=keep_end)
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = row[-1]
        if number == 0:
            out.print(out.paint("  ".join(padded).rstrip(), "dim"))
            continue
        if status is not None:
            padded[status] = out.paint(padded[status], row[status])
        out.print("  ".join(padded).rstrip())


def tab_separated(out: Screen, rows: Sequence[Sequence[str]]) -> None:
    """Write rows for a program: whole texts between tabs, nothing around them."""
    for row in rows:
        out.print("\t".join(row))
