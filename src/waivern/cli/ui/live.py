"""The live view on a terminal: a line for each artifact, rewritten in place.

The cursor stays visible, below the view, and no mode of the terminal is changed: so nothing has to
be restored, however the process ends (ADR 47).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waivern.cli.ui.live_frame import FrameLine, Terminal
from waivern.cli.ui.progress_state import ProgressLine
from waivern.cli.ui.screen import Screen, look_of

CLEAR_LINE = "\x1b[K"
CLEAR_BELOW = "\x1b[J"
GAP_S = 0.5
"""The time without a turn after which the process may have been stopped."""
SETTLE_S = 0.3
"""The time that the main thread may take to learn that it was continued."""
Frame = Callable[[Terminal, int], list[FrameLine]]
"""Returns the lines of the view for a terminal and the number of the turn."""


class LivePainter:
    """The painter of the view. `transient`: at the end, the view is removed."""

    def __init__(self, screen: Screen, *, transient: bool) -> None:
        self._screen = screen
        self._transient = transient
        self._turn = 0
        self._painted: list[FrameLine] = []
        """The lines of the view that are on the terminal now; the cursor is below them."""
        self._size = (0, 0)
        self._before: Any = None
        self._last = time.monotonic()
        self._continued = threading.Event()
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGCONT, lambda *_: self._continued.set())

    def paint(self, lines: list[ProgressLine], frame: Frame) -> bool:
        """Write new lines above the view, and the view; return false if it was not the time.

        A process in the background of its terminal writes nothing.
        """
        if not self._in_foreground():
            return False
        if time.monotonic() - self._last > GAP_S and self._before is not None:
            self._continued.wait(SETTLE_S)  # its handler runs in the main thread, perhaps later
        self._last = time.monotonic()
        if self._continued.is_set():  # the shell has written below the view: leave it there
            self._continued.clear()
            self._painted = []
        self._turn += 1
        at = self._terminal()
        self._write(lines, frame(at, self._turn), at)
        return True

    def close(self, lines: list[ProgressLine], frame: Frame) -> None:
        """Write the last lines, and remove or leave the view."""
        if self._before is not None:
            signal.signal(signal.SIGCONT, self._before)
        at = self._terminal()
        self._write(lines, [] if self._transient else frame(at, 0), at)

    def _terminal(self) -> Terminal:
        with suppress(OSError, ValueError):
            width, height = os.get_terminal_size(self._screen.stream.fileno())
            if width and height:
                return Terminal(width, height, self._screen.unicode)
        return Terminal(self._screen.width, 24, self._screen.unicode)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._screen.stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            return True  # it is not the terminal that controls this process

    def _write(self, lines: list[ProgressLine], view: list[FrameLine], at: Terminal) -> None:
        resized = self._size != (0, 0) and self._size != at[:2]
        self._size = at[:2]
        out = []
        if self._painted:
            out.append(f"\x1b[{self._height(at, resized=resized)}A\r")
        if lines or resized:
            out.append(CLEAR_BELOW)
            out += [f"{self._styled(line)}\n" for line in lines]
            before: list[FrameLine] = []
        else:
            before = self._painted
        for number, line in enumerate(view):
            same = number < len(before) and before[number] == line
            out.append("\n" if same else f"{self._painted_line(line)}{CLEAR_LINE}\n")
        if len(before) > len(view):
            out.append(CLEAR_BELOW)
        self._painted = view
        self._screen.stream.write("".join(out))
        self._screen.stream.flush()

    def _height(self, at: Terminal, *, resized: bool) -> int:
        """Return the rows of the view; a terminal that became narrower may have wrapped them."""
        if not resized:
            return len(self._painted)
        rows = sum(-(-max(1, len(line.text)) // at.width) for line in self._painted)
        return min(rows, at.height - 1)

    def _painted_line(self, line: FrameLine) -> str:
        if not line.coloured:
            return self._screen.paint(line.text, "dim")
        symbol = self._screen.paint(line.text[2:3], line.status)
        return f"{line.text[:2]}{symbol}{line.text[3:]}"

    def _styled(self, line: ProgressLine) -> str:
        if line.status in ("run", "output"):
            return line.text
        look = look_of(line.status)
        symbol = look.symbol if self._screen.unicode else look.ascii
        return f"  {self._screen.paint(symbol, line.status)} {line.text}"
