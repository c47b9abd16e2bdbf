"""Run a runbook and print each progress event: seconds since the start, and what it says."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import waivern


async def main(runbook: str, store: str) -> None:
    """Print a line of JSON for each event of progress, and one for each start and end."""
    began = time.monotonic()
    async for event in waivern.stream(runbook, store=waivern.open_store(store), check=False):
        if event.type in ("artifact_started", "artifact_progress", "artifact_completed"):
            said = {n: v for n in event.__slots__ if isinstance(v := getattr(event, n), int | str)}
            print(json.dumps({"s": round(time.monotonic() - began, 3)} | said))


asyncio.run(main(*sys.argv[1:]))
