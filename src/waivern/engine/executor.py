"""Executors: where calls are carried out. An executor reports outcomes and never touches the run.

    Loop ── submit ─▶ Executor ── began, done, gone ─▶ CallReport, the loop's inbox

No component runs on the loop that drives the run: plain ones run on daemon threads, coroutines on
an event loop of their own. What blocks there, blocks nothing else, and can be left behind.

Executors are found by name in the entry-point group `waivern.executors`; an entry is called with a
producer and the number of calls at once (`ExecutorFactory`). `waivern.testing.executors` has the
tests that every executor passes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextvars import copy_context
from typing import Protocol

from waivern.engine.awaiter import CoroutineRunner, carry_out
from waivern.engine.calls import Call, LeftBehind, Outcome
from waivern.engine.producer import Producer
from waivern.plugins.call_scope import CallScope
from waivern.plugins.restrictions import release, restrict

CHECK_INTERVAL_S = 0.002
"""The time between two checks of the supervisor while calls wait that a worker could take."""
FEW_CALLS = 4
"""Calls taken between two checks; where there are fewer, more workers may be needed."""
SLOW_CHECKS = 5
"""Checks in a row with few calls, after which workers are added although the interpreter is busy:
a worker may wait as long for its lock."""


class CallReport(Protocol):
    """The receiver of an executor's reports; any thread may call it.

    Reports about a call that has ended, or was recalled or abandoned, are ignored, so that an
    executor may report late or twice.
    """

    def began(self, call: Call) -> None:
        """Report that the work on a call begins; a second report of it changes nothing."""
        ...

    def waits(self, call: Call, *, waiting: bool) -> None:
        """Report that a call that has begun waits for its place to work, or waits no longer.

        This time does not count towards its limit.
        """
        ...

    def done(self, call: Call, outcome: Outcome) -> None:
        """Report how a call ended. It implies that the call began.

        `Lost` reports that the outcome is unknown: the loop submits the call again, or fails it.
        """
        ...

    def gone(self, reason: str) -> None:
        """Report that the executor can carry out nothing any more: the attempt is interrupted."""
        ...


class Executor(Protocol):
    """A place where calls are carried out, so many at a time."""

    @property
    def width(self) -> int:
        """The number of calls that are carried out at once; more may be submitted and wait."""
        ...

    def submit(self, call: Call, report: CallReport) -> None:
        """Accept a call; it begins now or later, and once begun it is reported done."""
        ...

    def recall(self) -> list[Call]:
        """Return the calls that have not begun; they will not."""
        ...

    def abandon(self, call: Call) -> None:
        """Stop a call that has begun if that can be, and free its worker for another one.

        It is still reported done, when all its work has ended.
        """
        ...

    def lingers(self) -> bool:
        """Report whether a thread that is no daemon still works for a call that has ended."""
        ...

    def close(self, patience_s: float) -> list[LeftBehind]:
        """Stop what can be stopped; return what is left behind."""
        ...


class ExecutorFactory(Protocol):
    """The entry point of an executor."""

    def __call__(self, producer: Producer, width: int) -> Executor: ...


class WorkerThread(threading.Thread):
    """A daemon thread whose own threads are not daemons, unless a component makes them so.

    A thread inherits that from the one that starts it, and a component is written as for the main
    thread of a program: what it starts is to be finished.
    """

    scope: CallScope | None = None
    """The call that is carried out."""
    takes_next = False
    """Whether it is about to take the next call."""

    @property
    def daemon(self) -> bool:  # type: ignore[override]
        return self.scope is None


class ThreadExecutor:
    """An adaptive pool of daemon threads, at most `width` of them.

    Quick calls are left to one worker: more would only hand the interpreter's lock to each other.
    Where calls are taken slowly, a supervisor thread adds workers.

    A coroutine is cancelled when it is abandoned. A thread that is blocked cannot be stopped: it is
    left behind when the process ends, and what it returns late is never published. So are the
    threads that components start.
    """

    def __init__(self, producer: Producer, width: int) -> None:
        self.width = width
        self._producer = producer
        self._awaiter = CoroutineRunner()
        self._calls: deque[tuple[Call, CallReport]] = deque()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        """Where idle workers wait for calls."""
        self._waiting = threading.Condition(self._lock)
        """Where the supervisor waits for calls that no worker takes."""
        self._workers: list[WorkerThread] = []
        self._scopes: list[CallScope] = []
        """The calls that have ended but for their threads."""
        self._at_work: dict[int, Call] = {}
        """The calls that workers have begun, by identity. The one that removes a call, its worker
        or `abandon`, decides what became of it: `dict.pop` is atomic, so that needs no lock."""
        self._idle_workers = 0
        self._supervisor_rests = False
        """Whether the supervisor has to be woken for a call."""
        self._taken = 0
        self._closed = False
        self._released = False
        self._supervisor = threading.Thread(
            target=self._supervise, name="waivern-supervisor", daemon=True
        )

    def submit(self, call: Call, report: CallReport) -> None:
        with self._lock:
            if self._supervisor.ident is None:
                restrict()
                self._supervisor.start()
            self._calls.append((call, report))
            if self._idle_workers == len(self._workers) and len(self._calls) == 1:
                self._add_workers(1)
            elif len(self._calls) == 1 and getattr(threading.current_thread(), "takes_next", False):
                pass  # it is submitted by the worker that takes it now
            elif self._supervisor_rests and self._spare:
                self._waiting.notify()

    def recall(self) -> list[Call]:
        with self._lock:
            calls = [call for call, _ in self._calls]
            self._calls.clear()
        return calls

    def abandon(self, call: Call) -> None:
        with self._lock:
            if self._at_work.pop(id(call), None) is not None:
                self.width += 1  # until its worker comes back, and goes
                self._add_workers(len(self._calls))
                self._waiting.notify()
        self._awaiter.cancel(call)

    def lingers(self) -> bool:
        return any(not each.daemon for scope in self._scopes for each in scope.at_work())

    def close(self, patience_s: float) -> list[LeftBehind]:
        deadline = time.monotonic() + patience_s
        self._awaiter.close()
        with self._lock:
            self._calls.clear()
            self._closed = True
            self._work.notify_all()
            self._waiting.notify_all()
        supervisor = () if self._supervisor.ident is None else (self._supervisor,)
        for thread in (*supervisor, *self._workers):
            thread.join(max(0, deadline - time.monotonic()))
        alive = [worker.scope for worker in tuple(self._workers) if worker.is_alive()]
        scopes = [*self._scopes, *filter(None, alive)]
        if supervisor and not self._released:
            self._released = True
            release(scopes)
        return self._left(scopes)

    @staticmethod
    def _left(scopes: list[CallScope]) -> list[LeftBehind]:
        """Return what is at work now, when nothing is to be."""
        left = [LeftBehind(scope.artifact) for scope in scopes if not scope.returned]
        for scope in scopes:
            threads = scope.at_work()
            left += [LeftBehind(scope.artifact, each.name, not each.daemon) for each in threads]
        return left

    @property
    def _spare(self) -> bool:
        """Whether another worker could take a call."""
        return self._idle_workers > 0 or len(self._workers) < self.width

    def _add_workers(self, count: int) -> None:
        """Wake or start workers, at most `count`; the lock is held."""
        self._work.notify(count)
        for _ in range(min(count - self._idle_workers, self.width - len(self._workers))):
            name = f"waivern-worker-{len(self._workers) + 1}"
            self._workers.append(WorkerThread(target=self._serve, name=name, daemon=True))
            self._workers[-1].start()

    def _supervise(self) -> None:
        """Find calls that have to wait, and wake or start workers for them.

        Idle workers are woken at once. New ones are started at once if the process computes
        nothing, because the calls then wait for something outside; a little later if the
        interpreter is busy, which more threads would only make busier.
        """
        slow = 0
        with self._lock:
            while not self._closed:
                taken, worked = self._taken, time.process_time()
                self._supervisor_rests = not (self._calls and self._spare)
                self._waiting.wait(None if self._supervisor_rests else CHECK_INTERVAL_S)
                slow = slow + 1 if self._calls and self._taken - taken < FEW_CALLS else 0
                idle = time.process_time() - worked < CHECK_INTERVAL_S / 2
                if slow >= SLOW_CHECKS or (slow and idle):
                    self._add_workers(len(self._calls))
                    slow = 0
                elif slow:
                    self._work.notify(len(self._calls))

    def _serve(self) -> None:
        worker = threading.current_thread()
        assert isinstance(worker, WorkerThread)
        while (waiting := self._next()) is not None:
            call, report = waiting
            report.began(call)
            scope = worker.scope = CallScope(call.artifact)
            # a context of its own: what a component sets there (as decimal does) ends with the call
            outcome = copy_context().run(
                carry_out, call, self._producer, self._awaiter, self.wanted, scope
            )
            if not self.wanted(call):
                scope.join()  # its place in a pool is taken until all its work has ended
            worker.scope = None
            if scope.has_threads:
                self._scopes.append(scope)
            worker.takes_next = not self._done(call, worker)
            report.done(call, outcome)
            if not worker.takes_next:
                return
            worker.takes_next = False

    def _done(self, call: Call, worker: WorkerThread) -> bool:
        """Report whether another worker has replaced the one that comes back."""
        if self._at_work.pop(id(call), None) is not None:
            return False
        with self._lock:
            self.width -= 1
            self._workers.remove(worker)
        return True

    def wanted(self, call: Call) -> bool:
        """Return whether the outcome of a call that has begun is waited for."""
        return id(call) in self._at_work

    def _next(self) -> tuple[Call, CallReport] | None:
        with self._lock:
            while not self._calls:
                if self._closed:
                    return None
                self._idle_workers += 1
                self._work.wait()
                self._idle_workers -= 1
            self._taken += 1
            taken = self._calls.popleft()
            self._at_work[id(taken[0])] = taken[0]
            return taken
