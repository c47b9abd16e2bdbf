"""The event loop that is running, if there is one: asyncio's or trio's."""

from __future__ import annotations

import sys

from waivern.errors import RefusedError


def refuse_in_event_loop(verb: str, instead: str) -> None:
    """Raise RefusedError where a blocking function would hold up every other task."""
    if _is_running():
        raise RefusedError(
            f"waivern.{verb}() would block the event loop that is running",
            hint=f"use `await waivern.{instead}(...)`, or `async for event in waivern.stream(...)`",
        )


def _is_running() -> bool:
    # neither is imported here: that takes longer than a small run
    if asyncio := sys.modules.get("asyncio"):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            return True
    if trio := sys.modules.get("trio"):
        try:
            trio.lowlevel.current_trio_token()
        except RuntimeError:
            return False
        return True
    return False
