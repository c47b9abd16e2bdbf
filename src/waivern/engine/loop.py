"""The loop of a run: starts what may start, records what comes back, ends when nothing is left.

    run
     ├─ _start_ready      decisions: which artifact is next
     │   └─ _start        what happens to it: executor.submit ─ ─ ▶ producer, elsewhere ─ ─ ▶ inbox
     └─ _handle           every item of the inbox, one at a time
         ├─ _finished     ledger.enter; decisions: what follows; retry: once more?
         └─ _stop         a signal, a request to cancel, the time limit, a store that fails

Only the loop changes what it knows of the run: itself, and through the transitions of artifacts
that it inherits. Workers and signal handlers put items into its inbox; what is due at a time, its
timers say. It asks small parts that decide nothing by themselves: `request_watch` waits for
requests of other processes, `stop_reasons` names how an attempt ends.
"""

from __future__ import annotations

from contextlib import ExitStack

from waivern.engine import stop_reasons
from waivern.engine.inbox import (
    AnnotationRequested,
    CallBegan,
    CallFinished,
    CallWaits,
    CancelRequested,
    ExecutorGone,
    HaltRequested,
    Item,
    LedgerCommitted,
    LedgerFailed,
    SignalReceived,
)
from waivern.engine.outcome import UNSAVED, AttemptOutcome, store_failure
from waivern.engine.request_watch import RequestWatch
from waivern.engine.signals import Interrupts, listening
from waivern.engine.transitions import Transitions
from waivern.engine.watchdog import watched
from waivern.errors import Exit, WaivernError
from waivern.planning.plan import Node
from waivern.record.journal_events import AttemptEndedRecord, RunCancelledRecord

PATIENCE_S = 0.5
"""How long coroutines have to clean up when they are cancelled."""
LINGER_S = 0.05
"""The time between two checks whether the threads of components have ended."""
MAX_BACKLOG = 4096
"""Events that may wait for the disk before nothing more is started."""


class Loop(Transitions):
    """One attempt at a plan."""

    _interrupts: Interrupts

    def halt(self) -> None:
        """End the attempt as soon as can be, from whichever thread."""
        self._inbox.put(HaltRequested())

    def run(self, *, listen: bool) -> AttemptOutcome:
        """Carry the attempt out; with `listen`, signals stop it: only in the main thread.

        The journal has its end when this returns or raises, KeyboardInterrupt too.
        """
        began = self._clock.monotonic()
        watch = RequestWatch(self._controls, self._inbox)
        broken: BaseException | None = None
        self._interrupts = Interrupts()
        with self._interrupts.held(), ExitStack() as stack:
            if listen:
                stack.enter_context(
                    listening(lambda number: self._inbox.put(SignalReceived(number)))
                )
            limit_s = self._limits.timeout_s if listen else None
            at_end = stack.enter_context(watched(limit_s))
            self._ledger.open()
            watch.start()
            try:
                ending = self._drive(began)
            except BaseException as error:  # noqa: BLE001 - raised when the journal says so
                ending, broken = stop_reasons.broken_off(error), error
            watch.stop(PATIENCE_S)
            at_end()
            try:
                ending = self._close(ending, began)
            except Exception as error:  # noqa: BLE001 - the first error is the one to report
                raise broken or error from None
            if broken is not None:
                raise broken
            return ending

    def _drive(self, began: float) -> AttemptOutcome:
        if self._limits.timeout_s is not None:
            self._timers.after(self._limits.timeout_s, self._time_out)
        self._start_ready()
        tracker = self._tracker
        while not tracker.over and (self._in_hand or self._startable or self._skip_rest()):
            for item in self._take(self._timers.next_s):
                if not tracker.over:
                    self._handle(item)
            for due in self._timers.due():
                if not tracker.over:
                    due()
            if not tracker.over:
                self._start_ready()
                self._look_at_pools()
                if tracker.stopping and not self._in_hand:
                    tracker.settle()
        self._leave_off(began)
        return tracker.ending

    def _leave_off(self, began: float) -> None:
        if not self._tracker.over:
            self._linger(began)
        elif self._tracker.ending.exit_code not in UNSAVED:
            self._skip(self._decisions.rest())

    def _linger(self, began: float) -> None:
        """Give the threads that components left the grace period to end; a signal ends it."""
        until, over = self._clock.monotonic() + self._limits.grace_s, False
        if self._limits.timeout_s is not None:
            until = min(until, began + self._limits.timeout_s)
        reported = False
        while not over and self._clock.monotonic() < until and self._executor.lingers():
            if not reported:
                reported = True
                self._controls.on_wait("waiting for threads that components have started")
            over = any(
                isinstance(item, (SignalReceived, CancelRequested, HaltRequested))
                for item in self._take(LINGER_S)
            )

    def _take(self, timeout_s: float | None) -> list[Item]:
        """Wait for items; only here an interrupt may break in, so that it leaves no work half done.

        What it breaks off elsewhere may be the start of a thread or a note for the ledger.
        """
        with self._interrupts.let_in():
            return list(self._inbox.take(timeout_s))

    def _close(self, ending: AttemptOutcome, began: float) -> AttemptOutcome:
        def last() -> AttemptEndedRecord:
            took = round((self._clock.monotonic() - began) * 1000)
            status, at = str(ending.status), self._clock.now()
            return AttemptEndedRecord(at, status, ending.reason, ending.error, took)

        try:
            left = self._executor.close(PATIENCE_S)
        finally:
            error = self._ledger.close(last)
        if error is not None and not isinstance(error, WaivernError):
            raise error
        if error is not None and ending.exit_code not in (error.exit_code, Exit.INTEGRITY):
            ending = self._unsaved(error)
        return ending._replace(left=tuple(left))

    def _unsaved(self, error: WaivernError) -> AttemptOutcome:
        """Return the end of an attempt that could not be saved whole, as the journal has it."""
        record = self._ledger.record
        if record.attempt_open:
            return store_failure(error)
        return store_failure(error)._replace(status=record.metadata.status)

    # starting

    @property
    def _startable(self) -> bool:
        return not self._tracker.stopping and (self._decisions.ready or bool(self._pools))

    def _start_ready(self) -> None:
        room = self._executor.width + self._queue_room
        while self._startable and len(self._waiting) + len(self._running) < room:
            if self._ledger.backlog > MAX_BACKLOG:
                return  # the disk is behind: go on after its next commit
            node = self._next()
            if node is None:
                return
            self._start(node)

    def _next(self) -> Node | None:
        """Return what may start and has room in its pool, if there is anything."""
        if (node := self._pools.next()) is not None:
            return node
        while self._decisions.ready:
            node = self._decisions.take()
            if self._pools.admits(node):
                return node
        return None

    def _skip_rest(self) -> bool:
        """Skip what no longer waits for anything that runs; say whether something may start now."""
        self._skip(self._decisions.rest())
        self._start_ready()
        return self._in_hand > 0

    # taking in

    def _handle(self, item: Item) -> None:
        match item:
            case CallBegan():
                self._began(item)
            case CallWaits():
                self._waits(item)
            case CallFinished(call, outcome):
                self._finished(call, outcome)
            case SignalReceived(number):
                self._stop(stop_reasons.interrupted_by(number))
            case CancelRequested() | AnnotationRequested():
                self._requested(item)
            case ExecutorGone(reason):
                self._tracker.end(stop_reasons.executor_gone(reason))
            case HaltRequested():
                self._tracker.end(stop_reasons.HALTED)
            case LedgerCommitted():
                pass  # what it makes room for is started after every look into the inbox
            case LedgerFailed(error):
                self._ledger_failed(error)

    def _requested(self, request: CancelRequested | AnnotationRequested) -> None:
        if isinstance(request, AnnotationRequested):
            self._ledger.enter(request.event)
        else:
            self._ledger.enter(RunCancelledRecord(self._clock.now(), request.by, request.note))
            self._stop(stop_reasons.CANCELLED)

    def _ledger_failed(self, error: Exception) -> None:
        if not isinstance(error, WaivernError):
            raise error
        self._tracker.end(store_failure(error))
