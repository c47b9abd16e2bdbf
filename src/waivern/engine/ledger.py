"""The ledger of a run: the one thread that publishes, journals and projects, in this order.

The loop enters events and continues at once; the ledger commits them in groups, one sync for many.
Observers are notified of an event after its group is durable. Starts, on which nothing depends, are
notified when they are written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from queue import SimpleQueue
from typing import TypeAlias

from waivern.clock import Clock
from waivern.errors import IntegrityError, StoreError, WaivernError
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactFailedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    AttemptEndedRecord,
    Event,
    to_record,
)
from waivern.record.status import RunStatus
from waivern.store.store_values import Receipt
from waivern.store.writers import Lease

Observer: TypeAlias = Callable[[int, Event], None]
"""Takes an event and its line in the journal, from 1."""
Entry: TypeAlias = tuple[Event, Receipt | None]
"""An event, with what is to be published before it is journaled."""
PROJECT_EVERY_S = 0.25
PROJECTION_SHARE = 20
"""A projection may take at most one part in this many of the ledger's time."""
GATHER_S = 0.005
"""The time between two commits, in which events gather: nothing but people waits for a commit."""
IDLE_S = 0.1
"""How long an event on which nothing depends may wait for others before it is written."""
FAREWELL_S = 0.5
"""How long observers have to receive the rest when the run is over."""


class Ledger:
    """Commits the events of one attempt under its lease, and folds them into `record`.

    On the ledger's thread, `on_commit` is called after each commit, and `on_error` once with the
    error that stops the ledger: a StoreError, or a defect.
    """

    def __init__(
        self,
        lease: Lease,
        record: RunRecord,
        clock: Clock,
        observers: Iterable[Observer],
        on_commit: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.record = record
        self.error: Exception | None = None
        self._lease = lease
        self._clock = clock
        self._on_commit = on_commit
        self._on_error = on_error
        self._observers = Observers(observers)
        self._entries: deque[Entry] = deque()
        self._in_commit = 0
        self._urgent = False
        self._closing = False
        self._behind = False
        """Whether something was journaled that the projections do not say yet."""
        self._standing = {name for name, step in record.steps.items() if step.completed}
        """The artifacts of earlier attempts that lie there as the journal says."""
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._committed_at = clock.monotonic()
        self._next_projection = self._committed_at + PROJECT_EVERY_S
        self._thread = threading.Thread(target=self._serve, name="waivern-ledger", daemon=True)

    def open(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def enter(self, event: Event, receipt: Receipt | None = None) -> None:
        """Enter an event; with a receipt, its artifact is published first. Never blocks."""
        with self._lock:
            self._entries.append((event, receipt))
            if not self._urgent and not isinstance(event, ArtifactStartedRecord):
                self._urgent = True  # a start can wait for company
                self._wake.notify()

    @property
    def backlog(self) -> int:
        """How many events wait to be committed."""
        return len(self._entries) + self._in_commit

    def close(self, last: Callable[[], AttemptEndedRecord]) -> Exception | None:
        """Commit what was entered, then what `last` returns, and bring the projections up to date.

        Blocks until all is durable. Returns what kept anything from being so: then the attempt
        ends `interrupted`, whatever `last` says, in the journal if that can still be written, and
        otherwise because the lock is free.
        """
        with self._lock:
            self._closing = True
            self._wake.notify()
        interrupt = _joined(self._thread)
        try:
            event = last()
            events: list[Event] = [event]
            if self.error:
                events = _broken_off(event, self.error)
            self._commit([(event, None) for event in events], sync=True)
            self._project(sync=True)
        except Exception as error:  # noqa: BLE001 - for the caller to raise or to report
            self.error = self.error or error
        self._observers.leave()
        if interrupt is not None:
            raise interrupt
        return self.error

    def _serve(self) -> None:
        try:
            while entries := self._next():
                group, urgent = entries
                if group:
                    self._commit(group, sync=urgent)
                    self._in_commit = 0
                    self._on_commit()
                if self._due:
                    self._project(sync=False)
        except Exception as error:  # noqa: BLE001 - nothing may be lost silently on this thread
            self.error = error
            self._on_error(error)

    def _next(self) -> tuple[list[Entry], bool] | None:
        """Wait for work; None when closing and none is left."""
        with self._lock:
            while not self._urgent and not self._closing:
                # not woken for a start: it looks from time to time
                if not self._wake.wait(IDLE_S) and (self._entries or self._due):
                    break
            pause = self._committed_at + GATHER_S - self._clock.monotonic()
            if pause > 0:
                self._wake.wait_for(lambda: self._closing, pause)
            group, urgent = list(self._entries), self._urgent
            self._entries.clear()
            self._in_commit = len(group)
            self._urgent = False
        return (group, urgent) if group or not self._closing else None

    def _commit(self, group: list[Entry], *, sync: bool) -> None:
        """Publish, then journal; but what lies there of an earlier attempt is given up before."""
        receipts = [receipt for _, receipt in group if receipt is not None]
        again = self._standing.intersection(receipt.key for receipt in receipts)
        if again:  # a crash between the file and its line must not read as an altered artifact
            first, group = _begun(again, group)
            self._journal(first, sync=True)
            self._standing -= again
        if receipts:
            self._lease.publish(receipts)
        self._journal([event for event, _ in group], sync=sync)
        if fallen := self._standing.intersection(
            event.artifact
            for event, _ in group
            if isinstance(
                event, (ArtifactFailedRecord, ArtifactSkippedRecord, ArtifactSuspendedRecord)
            )
        ):
            self._standing -= fallen
            self._lease.unpublish(sorted(fallen))
        self._committed_at = self._clock.monotonic()

    def _journal(self, events: list[Event], *, sync: bool) -> None:
        self._lease.append([to_record(event) for event in events], sync=sync)
        numbered: list[tuple[int, Event]] = []
        for event in events:
            self.record.apply(event)
            numbered.append((self.record.count, event))
        self._behind = True
        self._observers.notify(numbered)

    @property
    def _due(self) -> bool:
        return self._behind and self._clock.monotonic() >= self._next_projection

    def _project(self, *, sync: bool) -> None:
        began = self._clock.monotonic()
        self._behind = False
        self._lease.project(
            self.record.metadata.document(), self.record.state.document(), sync=sync
        )
        took = self._clock.monotonic() - began
        self._next_projection = began + max(PROJECT_EVERY_S, PROJECTION_SHARE * took)


def _broken_off(event: AttemptEndedRecord, error: Exception) -> list[Event]:
    """Return what the journal says where it could not be kept up to the end of the attempt."""
    status = str(RunStatus.INTERRUPTED)
    if not isinstance(error, WaivernError):  # its text may hold secrets
        return [event._replace(status=status, reason="defect", error=type(error).__name__)]
    why = error.message
    reason = "integrity" if isinstance(error, IntegrityError) else "store"
    events: list[Event] = [event._replace(status=status, reason=reason, error=why)]
    if isinstance(error, StoreError) and error.artifact:
        failure = {"kind": "StoreError", "message": why, "hint": error.hint}
        events.insert(0, ArtifactFailedRecord(event.at, error.artifact, failure, 0))
    return events


def _begun(names: set[str], group: list[Entry]) -> tuple[list[Event], list[Entry]]:
    """Take out of a group that work on these began, where nothing else of them comes before."""
    first: list[Event] = []
    rest: list[Entry] = []
    open_ = set(names)
    for entry in group:
        event = entry[0]
        name = getattr(event, "artifact", None)
        if name in open_ and isinstance(event, ArtifactStartedRecord):
            first.append(event)
        else:
            rest.append(entry)
        open_.discard(name)
    return first, rest


def _joined(thread: threading.Thread) -> KeyboardInterrupt | None:
    """Wait for a thread to end despite interrupts; return the last one, to be raised."""
    interrupt = None
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt as error:
            interrupt = error
    return interrupt


class Observers:
    """The observers of a run, notified on a thread of their own, so that none can slow the run."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)
        self._groups: SimpleQueue[Sequence[tuple[int, Event]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="waivern-observers", daemon=True)
        if self._observers:
            self._thread.start()

    def notify(self, group: Sequence[tuple[int, Event]]) -> None:
        """Notify them of a group of events, each with its number, without waiting for them."""
        if self._observers:
            self._groups.put(group)

    def leave(self) -> None:
        """Wait, for a limited time, until they were notified of everything."""
        if self._observers:
            self._groups.put(None)
            self._thread.join(FAREWELL_S)

    def _serve(self) -> None:
        while (group := self._groups.get()) is not None:
            for numbered, observer in product(group, self._observers):
                try:
                    observer(*numbered)
                except Exception:  # noqa: BLE001, S112 - an observer's trouble is not the run's
                    continue
