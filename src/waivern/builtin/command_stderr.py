"""What a command says on stderr: into the artifact's log, and its end into the error."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from anyio.abc import ByteReceiveStream

from waivern.plugins.context import Context

MAX_LINE = 2**16
"""Bytes of one line of stderr; a longer one is left out: in pieces, no secret could be hidden."""

MAX_LOG = 2**20
"""Characters of stderr that are logged as they come; after that, only the last lines are."""

LAST = 10
"""Lines of stderr that are kept for an error, and for the end of a log that became too long."""


@dataclass(slots=True)
class Stderr:
    """The lines of stderr: logged while there is room, and the last of them kept.

    Lines are whole or left out: of half a secret nobody could tell that it has to be hidden.
    """

    ctx: Context
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    logged: int = 0
    """Characters."""
    held_back: int = 0
    """Lines that came when the log was full."""

    async def follow(self, stream: ByteReceiveStream) -> None:
        """Take in all that comes, until the stream ends."""
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
            if rest or lost:  # not if it was broken off: then a line may be half
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
        """Return the end of stderr for an error, without what could steer a terminal."""
        lines = ["".join(c if c.isprintable() or c == "\t" else "�" for c in s) for s in self.tail]
        return "".join(f"\n  {line}" for line in lines)


def _whole(line: bytearray, lost: int = 0) -> str:
    """Return a line as text, unless it is too long; `lost` bytes of it are gone already."""
    length = lost + len(line)
    if length > MAX_LINE:
        return f"(a line of {length:,} bytes is left out)"
    return line.decode(errors="replace").rstrip("\r")
