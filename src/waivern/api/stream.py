"""The events of a run as they happen, for an event loop of asyncio or trio."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Self

import anyio

from waivern.api.events import (
    ArtifactProgress,
    ArtifactStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    public,
)
from waivern.api.feed import EventFeed
from waivern.api.run_thread import Begin
from waivern.errors import RefusedError
from waivern.record import journal_events as journaled
from waivern.record.status import RunStatus
from waivern.runs.result import RunFailed, RunResult
from waivern.runs.run_options import RunOptions
from waivern.store.base import RunStore


class Stream(AsyncIterator[RunEvent]):
    """The events of one attempt, in order; asking for the first one begins it.

    Leaving early ends the run as `interrupted`: it can be resumed. That begins when the last
    reference to the stream is gone, which after `break` is at once; `async with` and `aclose` also
    wait until the run is free, and so does every call in this process that resumes or deletes a
    run. A wait for an event that is cancelled ends the run, too, and waits for it.
    """

    def __init__(
        self, begin: Begin[RunResult], options: RunOptions, store: RunStore, *, check: bool
    ) -> None:
        self._begin = begin
        self._options = options
        self._store = store
        self._check = check
        self._feed: EventFeed | None = None
        self._over = False
        self._reading = False
        self._run_id = ""
        self._seq = 0
        """The last line of the journal that was delivered."""
        self._running: set[str] = set()
        """The running artifacts, as far as the reader knows."""
        self._pending: deque[RunEvent] = deque()
        self._end: journaled.AttemptEndedRecord | None = None
        self._failed: RunFailed | None = None
        """The error to raise after the last event."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RunEvent:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if self._over:
            raise StopAsyncIteration
        if self._reading:
            raise RefusedError(
                "another task is reading this stream",
                hint="read it in one task, and pass its events on from there",
            )
        self._reading = True
        try:
            return await self._begun_next()
        finally:
            self._reading = False

    async def _begun_next(self) -> RunEvent:
        if self._feed is None:
            self._feed = EventFeed(self._options.clock)
            self._feed.begin(self._begin, self._options)
        try:
            return await self._next(self._feed)
        except anyio.get_cancelled_exc_class():
            await self.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Interrupt the run if it has not ended, and wait until it is free."""
        self._over = True
        if self._feed is not None:
            self._leave(self._feed)
            with anyio.CancelScope(shield=True):  # a cancelled reader waits for its run, too
                await self._feed.over()

    def __del__(self) -> None:
        if self._feed is not None:
            self._leave(self._feed)

    def _leave(self, feed: EventFeed) -> None:
        if feed.outcome is None:
            feed.halt()

    # the next event

    async def _next(self, feed: EventFeed) -> RunEvent:
        while True:
            while feed.items and not self._pending:
                self._receive(feed, feed.items.popleft())
            if not self._pending:
                self._pending.extend(self._progress(feed, tuple(self._running)))
            if self._pending:
                return self._pending.popleft()
            if feed.outcome is not None and not feed.items:
                await feed.over()
                if isinstance(feed.outcome, BaseException):
                    self._over = True
                    raise feed.outcome
                if self._seq >= feed.outcome.record.count or feed.outcome.nothing_to_do:
                    return self._finished(feed.outcome)
            await feed.next()

    def _receive(self, feed: EventFeed, item: RunStarted | tuple[int, journaled.Event]) -> None:
        if isinstance(item, RunStarted):
            self._run_id, self._seq = item.run_id, item.seq
            self._pending.append(item)
            return
        self._seq, event = item
        if isinstance(event, journaled.AttemptEndedRecord):
            self._end = event
        event_ = public(self._store, self._run_id, self._seq, event)
        if event_ is None:
            return
        if isinstance(event_, ArtifactStarted):
            self._running.add(event_.artifact)
        elif event_.artifact in self._running:
            self._running.remove(event_.artifact)
            self._pending.extend(self._progress(feed, (event_.artifact,)))
        self._pending.append(event_)

    def _progress(self, feed: EventFeed, artifacts: Iterable[str]) -> Iterable[ArtifactProgress]:
        for name in artifacts:
            if (last := feed.progress.pop(name, None)) is not None:
                at, done = last
                yield ArtifactProgress(run_id=self._run_id, artifact=name, at=at, **done._asdict())

    def _finished(self, result: RunResult) -> RunFinished:
        self._over = True
        if self._check and result.status not in (RunStatus.COMPLETED, RunStatus.SUSPENDED):
            self._failed = RunFailed(result)
        kind = result.reason or str(result.status)
        return RunFinished(
            run_id=result.run_id,
            seq=result.record.count,
            at=result.metadata.updated_at,
            duration_ms=self._end.duration_ms if self._end else 0,
            status=result.status,
            error={"kind": kind, "message": result.error, "hint": None} if result.error else None,
            result=result,
        )
