"""The inbox of the loop: every event that it has to handle, from any thread."""

import signal
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeAlias

from waivern.clock import Clock
from waivern.engine.calls import Call, Outcome
from waivern.record.journal_events import RunAnnotatedRecord

SIGNAL_S = 0.2
"""How long a wait lasts at most. A signal that comes just before the wait begins, or on another
thread, does not interrupt it, and its Python handler runs only when the wait is over."""


class CallBegan(NamedTuple):
    call: Call
    at: str
    monotonic: float


class CallWaits(NamedTuple):
    """A call that has begun waits for its place to work, or waits no longer."""

    call: Call
    waiting: bool
    monotonic: float


class CallFinished(NamedTuple):
    call: Call
    outcome: Outcome


class SignalReceived(NamedTuple):
    number: signal.Signals


class CancelRequested(NamedTuple):
    by: str
    note: str | None


class AnnotationRequested(NamedTuple):
    """A user has changed the annotations of the run."""

    event: RunAnnotatedRecord


class HaltRequested(NamedTuple):
    """The caller of the run in this process wants it to end."""


class ExecutorGone(NamedTuple):
    """The executor can carry out nothing any more."""

    reason: str


class LedgerCommitted(NamedTuple):
    """There is room in the ledger again."""


class LedgerFailed(NamedTuple):
    error: Exception


Item: TypeAlias = (
    CallBegan
    | CallWaits
    | CallFinished
    | SignalReceived
    | CancelRequested
    | AnnotationRequested
    | HaltRequested
    | ExecutorGone
    | LedgerCommitted
    | LedgerFailed
)


class Inbox:
    """The queue of the loop; items arrive from any thread, and from signal handlers.

    It is the Report that executors are given. Nothing here waits for a lock that a signal handler
    could find taken: a SimpleQueue's `put` may interrupt itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: SimpleQueue[Item] = SimpleQueue()
        self.put = self._items.put
        """Add an item."""

    def began(self, call: Call) -> None:
        self.put(CallBegan(call, self._clock.now(), self._clock.monotonic()))

    def waits(self, call: Call, *, waiting: bool) -> None:
        self.put(CallWaits(call, waiting, self._clock.monotonic()))

    def done(self, call: Call, outcome: Outcome) -> None:
        self.put(CallFinished(call, outcome))

    def gone(self, reason: str) -> None:
        self.put(ExecutorGone(reason))

    def take(self, timeout_s: float | None) -> Iterator[Item]:
        """Wait for an item, at most so long; yield it and all that are there by then.

        Nothing may have come when this returns: the wait is never longer than `SIGNAL_S`.
        """
        wait_s = SIGNAL_S if timeout_s is None else min(max(0.0, timeout_s), SIGNAL_S)
        try:
            yield self._items.get(timeout=wait_s)
            while True:
                yield self._items.get_nowait()
        except Empty:
            return
