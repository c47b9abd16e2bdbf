"""A run on a thread of its own, and what happens in it, laid out for an event loop to take.

Nothing here has a bound, because a reader must never slow a run: what a plan can make happen is
bounded, and of progress, which is not, only the last of each artifact is kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from waivern.api.events import RunStarted
from waivern.clock import Clock
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.journal_events import Event
from waivern.runs.attempt import RunOptions
from waivern.runs.result import RunResult
from waivern.runs.shutdown import leave, settle

PROGRESS_S = 0.05
"""How often progress alone wakes the reader."""

Begin: TypeAlias = Callable[[RunOptions], RunResult]
"""Carries a run out, blocking: `start` or one like it, with all but the options decided."""


class ComponentProgress(NamedTuple):
    at: str
    n: int
    total: int | None


class EventFeed:
    """What comes from the run, on any thread; never waits for who reads.

    It does not know the stream, so that one which nobody holds any more can end the run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self.ready = asyncio.Event()
        """Set, on the event loop, when there may be something to take."""
        self.items: deque[RunStarted | tuple[int, Event]] = deque()
        """Events with their lines in the journal, in order."""
        self.progress: dict[str, ComponentProgress] = {}
        """The last of each artifact that was not taken yet."""
        self.outcome: RunResult | BaseException | None = None
        """How the run came out, once it has; the last items may come after it."""
        self._loop = loop
        self._clock = clock
        self._progress_due = False
        self._halted = False
        self._halt: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None

    def begin(self, begin: Begin, options: RunOptions) -> None:
        """Start the run."""
        mine = options._replace(
            observers=(*options.observers, lambda seq, event: self._put((seq, event))),
            on_start=self._started,
            on_progress=self._progressed,
            on_running=self._running,
        )
        self._thread = threading.Thread(
            target=self._carry_out, args=(begin, mine), name="waivern-run", daemon=True
        )
        self._thread.start()

    def halt(self) -> None:
        """End the run as soon as can be; again is harmless. Called by garbage collection, too.

        No lock: of this and `_running`, whichever comes second sees what the first one left.
        """
        self._halted = True
        if self._thread is not None:
            leave(self._thread)
        if self._halt is not None:
            self._halt()

    async def over(self) -> None:
        """Wait until the run is over and its thread gone."""
        while self.outcome is None:
            self.ready.clear()
            await self.ready.wait()
        if self._thread is not None:
            self._thread.join()  # it has nothing left to do

    def _carry_out(self, begin: Begin, options: RunOptions) -> None:
        try:
            settle()
            self.outcome = begin(options)
        except BaseException as error:  # noqa: BLE001 - raised again where the stream is read
            self.outcome = error
        self._tell(self.ready.set)

    def _running(self, halt: Callable[[], None]) -> None:
        self._halt = halt
        if self._halted:
            halt()

    def _started(self, _plan: Plan, record: RunRecord) -> None:
        run = record.metadata
        self._put(
            RunStarted(
                run_id=run.run_id,
                seq=record.count,
                at=run.updated_at,
                artifacts=tuple(record.steps),
                kept=tuple(name for name, step in record.steps.items() if step.completed),
                attempt=len(run.attempts),
            )
        )

    def _progressed(self, artifact: str, n: int, total: int | None) -> None:
        self.progress[artifact] = ComponentProgress(self._clock.now(), n, total)
        if not self._progress_due:
            self._progress_due = True
            self._tell(lambda: self._loop.call_later(PROGRESS_S, self._due))

    def _due(self) -> None:
        self._progress_due = False
        self.ready.set()

    def _put(self, item: RunStarted | tuple[int, Event]) -> None:
        self.items.append(item)
        self._tell(self.ready.set)

    def _tell(self, call: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the event loop is closed: nobody can read any more
            self.halt()
