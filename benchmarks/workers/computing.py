"""The functions of the measured artifacts; `bare_work.py` computes the same."""

from __future__ import annotations

import time

TEXT = "x" * 200


def spin(rounds: int) -> int:
    """Compute for a while: pure Python, which holds the interpreter's lock."""
    found = 1
    for n in range(rounds):
        found = (found * 31 + n) % 1_000_003
    return found


def make() -> str:
    """Return a small content."""
    return TEXT


def now(_inputs: list[object] | None = None) -> float:
    """Return the time at which the component runs."""
    return time.time()
