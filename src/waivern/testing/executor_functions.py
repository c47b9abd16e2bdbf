"""The functions that the conformance suite of executors has carried out."""

from __future__ import annotations

import asyncio
import time

from waivern.message import Json


def plain() -> Json:
    """Return at once."""
    return {"plain": True}


async def coroutine() -> Json:
    """Return after a turn of the event loop."""
    await asyncio.sleep(0)
    return {"coroutine": True}


def raises() -> Json:
    """Fail."""
    raise ValueError("it raises")


def slow() -> Json:
    """Return after a moment."""
    time.sleep(0.05)
    return {"slow": True}


def very_slow() -> Json:
    """Return after everything else has ended."""
    time.sleep(3.0)
    return {"slow": True}
