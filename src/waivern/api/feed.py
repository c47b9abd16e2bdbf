"""The events of a run on its thread, laid out for an event loop to take.

Nothing here has a bound, because a reader must never slow a run: what a plan can make happen is
bounded, and of progress, which is not, only the last of each artifact is stored.
"""

from __future__ import annotations

from collections import deque

import anyio

from waivern.api.events import RunStarted
from waivern.api.run_thread import Begin, RunThread
from waivern.clock import Clock
from waivern.planning.plan import Plan
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import Event
from waivern.runs.result import RunResult
from waivern.runs.run_options import RunOptions

PROGRESS_S = 0.05
"""The shortest time between two deliveries of progress alone."""


class EventFeed(RunThread[RunResult]):
    """The events of a run, as they come on any of its threads; it never waits for the reader.

    It does not know the stream, so that a stream that is garbage can end the run.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.items: deque[RunStarted | tuple[int, Event]] = deque()
        """Events with their lines in the journal, in order; some may come after the outcome."""
        self.progress: dict[str, tuple[str, Progress]] = {}
        """The time and the last progress of each artifact that was not taken yet."""
        self._clock = clock
        self._progress_due = False
        self._stirred = anyio.Event()
        """Set with `ready`, and for progress alone."""

    def begin(self, begin: Begin[RunResult], options: RunOptions) -> None:
        """Start the run."""
        mine = options._replace(
            observers=(*options.observers, lambda seq, event: self._put((seq, event))),
            on_start=self._on_start,
            on_progress=self._on_progress,
        )
        super().begin(begin, mine)

    async def next(self) -> None:
        """Wait until there is something new; for progress alone, a little longer."""
        await self._stirred.wait()
        with anyio.move_on_after(PROGRESS_S):
            await self.ready.wait()
        # Reset before the reader looks: whatever comes while it looks sets them anew.
        self._stirred, self.ready, self._progress_due = anyio.Event(), anyio.Event(), False

    def wake(self) -> None:
        """Set both events; in the event loop only."""
        self._stirred.set()
        super().wake()

    def _stir(self) -> None:
        self._stirred.set()

    def _on_start(self, _plan: Plan, record: RunRecord) -> None:
        run = record.metadata
        self._put(
            RunStarted(
                run_id=run.run_id,
                seq=record.count,
                at=run.updated_at,
                artifacts=tuple(record.steps),
                restored=tuple(name for name, step in record.steps.items() if step.completed),
                attempt=len(run.attempts),
            )
        )

    def _on_progress(self, artifact: str, progress: Progress) -> None:
        self.progress[artifact] = self._clock.now(), progress
        if not self._progress_due:
            self._progress_due = True
            self.notify(self._stir)

    def _put(self, item: RunStarted | tuple[int, Event]) -> None:
        self.items.append(item)
        self.notify()
