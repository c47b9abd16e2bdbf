"""The stderr of a command: it goes to the artifact's log, and its end into the error."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from anyio.abc import ByteReceiveStream

from waivern.plugins.context import Context

MAX_LINE = 2**16
"""The maximal bytes of a line; a longer one is dropped, because in parts of it no secret could be
recognised and redacted."""

MAX_LOG = 2**20
"""So many characters of stderr are logged at once; of the rest, only the last lines are."""

LAST = 10
"""The number of last lines for an error, and for the end of a log that became too long."""


@dataclass(slots=True)
class Stderr:
    """The lines of stderr: logged up to a limit, and the last of them kept for an error.

    Lines are logged whole or not at all: a part of a secret would not be recognised and redacted.
    """

    ctx: Context
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    logged: int = 0
    """The number of characters in the log."""
    held_back: int = 0
    """The number of lines after the log was full."""

    async def follow(self, stream: ByteReceiveStream) -> None:
        """Read the stream to its end."""
        rest, lost = bytearray(), 0
        try:
            async for chunk in stream:
                rest += chunk
                if b"\n" in chunk:
                    first, *lines, rest = rest.split(b"\n")
                    self.take([_whole(first, lost), *(_whole(line) for line in lines)])
                    lost = 0
                if lost or len(rest) > MAX_LINE:
                    lost += len(rest)
                    rest.clear()
            if rest or lost:  # not after an interruption: the line may be incomplete
                self.take([_whole(rest, lost)])
        finally:
            self.end()

    def take(self, lines: list[str]) -> None:
        self.tail.extend(lines)
        if self.logged >= MAX_LOG:
            self.held_back += len(lines)
            return
        for line in lines:
            self.ctx.say(line)
            self.logged += len(line) + 1
        if self.logged >= MAX_LOG:
            self.ctx.say("(this log is full: of what follows, only the end is kept)")

    def end(self) -> None:
        last = list(self.tail)[-self.held_back :] if self.held_back else []
        if more := self.held_back - len(last):
            self.ctx.say(f"({more:,} lines are left out)")
        for line in last:
            self.ctx.say(line)

    def last_words(self) -> str:
        """Return the end of stderr for an error, without terminal control characters."""
        lines = ["".join(c if c.isprintable() or c == "\t" else "�" for c in s) for s in self.tail]
        return "".join(f"\n  {line}" for line in lines)


def _whole(line: bytearray, lost: int = 0) -> str:
    """Return a line as text, unless it is too long; `lost` bytes of it are dropped already."""
    length = lost + len(line)
    if length > MAX_LINE:
        return f"(a line of {length:,} bytes is left out)"
    return line.decode(errors="replace").rstrip("\r")
