"""A terminal with `wct` in it, read by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import Any

import pyte
from wct_process import WCT, Place


class LiveTerminal:
    """A terminal of some size whose screen is what a person would see on it."""

    def __init__(self, place: Place, width: int = 100, height: int = 24) -> None:
        self.place = place
        self.screen = pyte.Screen(width, height)
        self.seen = bytearray()
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self._theirs = pty.openpty()
        self.resize(width, height)

    def start(self, *args: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start `wct` with the terminal as its controlling one, as a shell does."""
        theirs = self._theirs

        def control() -> None:
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            [WCT, *args],
            cwd=self.place.path,
            env=self.place.environ(**{"TERM": "xterm-256color"} | environ),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=control,  # noqa: PLW1509 - no thread of the tests holds a lock here
        )

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def write(self, text: str) -> None:
        """Write to the terminal as another process does."""
        os.write(self._theirs, text.encode())

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    def read(self, seconds: float = 0.0) -> None:
        """Show what was written meanwhile."""
        while select.select([self._ours], [], [], seconds)[0]:
            piece = os.read(self._ours, 65536)
            self.seen += piece
            self._stream.feed(piece)
            seconds = 0.0

    def until(self, shown: Callable[[str], Any], within: float = 30.0) -> None:
        """Read until the screen is as wanted."""
        deadline = time.monotonic() + within
        while not shown(self.text):
            assert time.monotonic() < deadline, self.text
            self.read(0.05)

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        """Read until the process has ended, and return its exit code."""
        while process.poll() is None:
            self.read(0.05)
        self.read()
        return process.returncode

    def close(self) -> None:
        os.close(self._theirs)
        os.close(self._ours)
