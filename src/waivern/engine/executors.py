"""Where the work runs. An executor takes calls and reports outcomes; it never touches the run.

No component runs on the loop that drives the run: plain ones run on daemon threads, coroutines on
an event loop of their own. What blocks there, blocks nothing else, and can be left behind.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from contextvars import copy_context
from typing import Protocol

from waivern.engine.awaiter import CoroutineRunner, carry_out
from waivern.engine.calls import Call, Failed, LeftBehind, Outcome
from waivern.engine.producer import Producer
from waivern.plugins.call_scope import CallScope
from waivern.plugins.restrictions import release, restrict

LOOK_S = 0.002
"""How often the foreman looks, while calls wait that somebody could be put to."""
QUICK = 4
"""Calls taken between two looks; where there are fewer, more workers may be needed."""
BUSY = 5
"""Looks in a row at slow calls, after which more workers are put to them although the interpreter
is busy: a worker may wait as long for its lock."""


class CallReport(Protocol):
    """Who is told about calls, from any thread."""

    def began(self, call: Call) -> None:
        """The work on a call begins now."""
        ...

    def done(self, call: Call, outcome: Outcome) -> None:
        """The call has come to its end."""
        ...


class Executor(Protocol):
    """A place where calls are carried out, so many at a time."""

    width: int
    """How many calls are carried out at once; more may be submitted and wait."""

    def submit(self, call: Call, report: CallReport) -> None:
        """Take a call; it begins now or later, and once begun is reported done exactly once."""
        ...

    def recall(self) -> list[Call]:
        """Give back the calls that have not begun; they will not."""
        ...

    def abandon(self, call: Call) -> None:
        """Stop a call that has begun if that can be, and let another one take its worker's place.

        It is still reported done, when all its work has ended.
        """
        ...

    def lingers(self) -> bool:
        """Say whether a thread that is no daemon still works for a call that has ended."""
        ...

    def close(self, patience_s: float) -> list[LeftBehind]:
        """Stop what can be stopped; return what is left behind."""
        ...


class WorkerThread(threading.Thread):
    """A daemon thread whose own threads are not daemons, unless a component makes them so.

    A thread inherits that from the one that starts it, and a component is written as for the main
    thread of a program: what it starts is to be finished.
    """

    scope: CallScope | None = None
    """The call that is carried out."""

    @property
    def daemon(self) -> bool:  # type: ignore[override]
        return self.scope is None


class ThreadExecutor:
    """Carries calls out on daemon threads, at most `width` of them.

    Quick calls are left to one worker: more would only hand the interpreter's lock to each other.
    Where calls are taken slowly, a foreman puts as many workers to them as there may be.

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
        """Where the foreman waits for calls that nobody takes."""
        self._workers: list[WorkerThread] = []
        self._scopes: list[CallScope] = []
        """The calls that have ended but for their threads."""
        self._at_work: dict[int, Call] = {}
        """The calls that workers have begun, by identity. Whoever takes one out, the worker that
        comes back or `abandon`, decides what became of it: that needs no lock."""
        self._idle = 0
        self._foreman_rests = False
        """Whether the foreman has to be told of calls."""
        self._taken = 0
        self._closed = False
        self._released = False
        self._foreman = threading.Thread(target=self._hurry, name="waivern-foreman", daemon=True)

    def submit(self, call: Call, report: CallReport) -> None:
        with self._lock:
            if self._foreman.ident is None:
                restrict()
                self._foreman.start()
            self._calls.append((call, report))
            if self._idle == len(self._workers) and len(self._calls) == 1:
                self._put_to_work(1)
            elif self._foreman_rests and self._spare:
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
                self._put_to_work(len(self._calls))
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
        foreman = () if self._foreman.ident is None else (self._foreman,)
        for thread in (*foreman, *self._workers):
            thread.join(max(0, deadline - time.monotonic()))
        alive = [worker.scope for worker in tuple(self._workers) if worker.is_alive()]
        scopes = [*self._scopes, *filter(None, alive)]
        if foreman and not self._released:
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
        """Whether anybody could be put to work."""
        return self._idle > 0 or len(self._workers) < self.width

    def _put_to_work(self, count: int) -> None:
        """Wake or start so many workers, as far as there are; the lock is held."""
        self._work.notify(count)
        for _ in range(min(count - self._idle, self.width - len(self._workers))):
            name = f"waivern-worker-{len(self._workers) + 1}"
            self._workers.append(WorkerThread(target=self._serve, name=name, daemon=True))
            self._workers[-1].start()

    def _hurry(self) -> None:
        """Be the foreman: look for calls that have to wait, and put more workers to them.

        Idle ones at once. New ones at once where nobody computes, so that it is something outside
        that is waited for; a little later where the interpreter is busy, which more threads would
        only make busier.
        """
        slow = 0
        with self._lock:
            while not self._closed:
                taken, worked = self._taken, time.process_time()
                self._foreman_rests = not (self._calls and self._spare)
                self._waiting.wait(None if self._foreman_rests else LOOK_S)
                slow = slow + 1 if self._calls and self._taken - taken < QUICK else 0
                if slow >= BUSY or (slow and time.process_time() - worked < LOOK_S / 2):
                    self._put_to_work(len(self._calls))
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
            outcome = copy_context().run(self._outcome, call, scope)
            if not self._wanted(call):
                scope.join()  # its place in a pool is taken until all its work has ended
            worker.scope = None
            if scope.has_threads:
                self._scopes.append(scope)
            lost = self._done(call, worker)
            report.done(call, outcome)
            if lost:
                return

    def _outcome(self, call: Call, scope: CallScope) -> Outcome:
        try:
            return carry_out(call, self._producer, self._awaiter, self._wanted, scope)
        except BaseException as error:  # noqa: BLE001 - a defect here must not leave the run waiting
            said = "internal error (details withheld: they may contain secrets)"
            return Failed(type(error).__name__, said, None, 0)
        finally:
            scope.returned = True
            # the next call on this thread is another component's; asyncio may be half imported
            forget = getattr(sys.modules.get("asyncio"), "set_event_loop", None)
            if forget is not None:
                forget(None)

    def _done(self, call: Call, worker: WorkerThread) -> bool:
        """Say whether another worker has taken the place of the one that comes back."""
        if self._at_work.pop(id(call), None) is not None:
            return False
        with self._lock:
            self.width -= 1
            self._workers.remove(worker)
        return True

    def _wanted(self, call: Call) -> bool:
        return id(call) in self._at_work

    def _next(self) -> tuple[Call, CallReport] | None:
        with self._lock:
            while not self._calls:
                if self._closed:
                    return None
                self._idle += 1
                self._work.wait()
                self._idle -= 1
            self._taken += 1
            taken = self._calls.popleft()
            self._at_work[id(taken[0])] = taken[0]
            return taken
