"""What a test of the library shares with its components, which run in this process."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.component import Suspend
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

WAIT_S = 20
"""How long anything here waits before it fails: only a defect lets it come to that."""


class Stage:
    """Events, by name, that a test and its components wait for and set."""

    def __init__(self) -> None:
        self.token = f"stage-{id(self)}"
        self.calls: list[str] = []
        self.events: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        STAGES[self.token] = self

    def begun(self, artifact: str) -> None:
        """Wait until the work on an artifact has begun."""
        assert self.events[f"begun {artifact}"].wait(WAIT_S)


STAGES: dict[str, Stage] = {}


class StepConfig(BaseModel):
    stage: str
    value: Any = None
    progress: int = 0
    """How often to say how far it is."""
    fail: int = 0
    """The first so many calls fail."""
    ask: bool = False
    """Waits for `answer`."""
    block: str = ""
    """The event of the stage to wait for, on a thread, or as a coroutine that can be cancelled."""


class Step:
    """Does as it is told."""

    name = "api_step"
    version = "1.0.0"
    produces = ANY_JSON
    accepts = None
    Config = StepConfig

    def extract(self, config: StepConfig, ctx: Context) -> Json:
        stage = STAGES[config.stage]
        stage.calls.append(ctx.artifact)
        stage.events[f"begun {ctx.artifact}"].set()
        for n in range(config.progress):
            ctx.progress(n + 1, config.progress)
        if config.block == "coroutine":
            return _for_ever()
        if config.block:
            assert stage.events[config.block].wait(WAIT_S)
        if stage.calls.count(ctx.artifact) <= config.fail:
            raise ComponentError("it was told to fail", hint="as you wished")
        if config.ask:
            if "answer" not in ctx.resume_data:
                raise Suspend("an answer is needed")
            return ctx.resume_data["answer"]
        return config.value

    def process(self, inputs: Sequence[Input], config: StepConfig, ctx: Context) -> Json:
        made = self.extract(config, ctx)
        return made if config.block == "coroutine" else [[one.key for one in inputs], made]


async def _for_ever() -> Json:
    await asyncio.Event().wait()
