"""Where output goes: what the stream can show, and tables that fit it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import NamedTuple, TextIO

from waivern.cli.ui.text import clip
from waivern.record.status import UNKNOWN, Look, looks

READABLE = 24
"""Columns that a text needs to say something on one line."""
_CODES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_LOOKS = {
    **looks(),
    "kept": Look("=", "=", "dim"),
    "retried": Look("↻", "~", "yellow"),
    "started": Look("▸", ">", "dim"),
}
"""The appearance of every status, and of the other events of a run's progress."""


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
        """Write a line; a message that stderr does not take is dropped."""
        with suppress(OSError) if self.stream is sys.stderr else nullcontext():
            self.stream.write(text + "\n")

    def paint(self, text: str, look: str) -> str:
        """Return `text` in a colour, or in that of a status; as it is where there are none."""
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
    drop: Sequence[int] = (),
) -> None:
    """Write rows for a terminal, aligned so that each fits its line.

    Where the terminal is narrow, the columns `drop` are left out, in this order, until the column
    `flex` has room; if it is the last and still has too little, it gets a line of its own
    below each row, else it is cut. The column `status` is painted. Texts must be clean already.
    """
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    shown = list(range(len(header)))
    enough = min(widths[flex], READABLE)
    for column in drop:
        if _room(out, widths, shown, flex) >= enough:
            break
        shown.remove(column)
    below = flex == shown[-1] and _room(out, widths, shown, flex) < enough
    if below:
        shown.remove(flex)
    else:
        widths[flex] = min(widths[flex], max(8, _room(out, widths, shown, flex)))
    for number, row in enumerate(cells):
        text = row[flex]
        row[flex] = clip(text, widths[flex], keep_end=keep_end)
        padded = {n: row[n].ljust(widths[n]) for n in shown}
        padded[shown[-1]] = row[shown[-1]]
        if number and status in padded:
            padded[status] = out.paint(padded[status], row[status])
        line = "  ".join(padded.values()).rstrip()
        out.print(line if number else out.paint(line, "dim"))
        if below and number:
            for part in textwrap.wrap(text, max(20, out.width - 4)):
                out.print(f"    {part}")


def _room(out: Screen, widths: Sequence[int], shown: Sequence[int], flex: int) -> int:
    """Return how many columns of the terminal are left for the column `flex`."""
    others = [widths[n] for n in shown if n != flex]
    return out.width - sum(others) - 2 * len(others)


def tab_separated(out: Screen, rows: Sequence[Sequence[str]]) -> None:
    """Write rows for a program: whole texts between tabs, nothing around them."""
    for row in rows:
        out.print("\t".join(row))
