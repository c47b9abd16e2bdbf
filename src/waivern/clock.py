"""The format of times, and the clock of the engine."""

from __future__ import annotations

import time
from functools import lru_cache


def rfc3339(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339, UTC, with milliseconds and `Z`."""
    whole = int(seconds // 1)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


class Clock:
    """A clock: `now` for people (it may jump), `monotonic` for durations (it does not)."""

    def now(self) -> str:
        return rfc3339(time.time())

    def monotonic(self) -> float:
        return time.monotonic()
