"""Runbooks of the library's tests, made in Python."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

from api_stage import WAIT_S, Stage

import waivern
from waivern.store.base import RunStore

# the distribution that offers `api_step`, a component that the tests drive
sys.path.append(str(Path(__file__).parent / "site"))

QUICKLY = {"max": 3, "delay": 0.001}


class Book:
    """One stage and the artifacts that play on it."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.artifacts: dict[str, Any] = {}

    def step(self, name: str, *inputs: str, terms: dict[str, Any] | None = None, **do: Any) -> None:
        work = {"type": "api_step", "properties": {"stage": self.stage.token, **do}}
        producer: dict[str, Any] = (
            {"inputs": list(inputs), "process": work} if inputs else {"source": work}
        )
        self.artifacts[name] = producer | (terms or {})

    @property
    def text(self) -> str:
        return json.dumps({"name": "book", "artifacts": self.artifacts}, indent=1)

    @property
    def runbook(self) -> waivern.Runbook:
        return waivern.load(text=self.text)


def threads() -> set[str]:
    """Return the names of the threads that runs have, but for workers that nobody can stop."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("waivern-")}


def join_threads() -> None:
    """Wait until no run of this process has a thread; one that stays is a failure."""
    for thread in threading.enumerate():
        if thread.name.startswith("waivern-"):
            thread.join(WAIT_S)
            assert not thread.is_alive(), thread.name


async def types(events: waivern.Stream) -> list[tuple[str, str | None]]:
    return [(event.type, event.artifact) async for event in events]


def journal(store: RunStore, run_id: str) -> list[str]:
    return [str(line.record["type"]) for line in store.read_journal(run_id).lines]
