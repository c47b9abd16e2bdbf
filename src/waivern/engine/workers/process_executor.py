"""The executors with worker processes: `processes`, and `auto`, which uses them where they pay.

    submit ─▶ Slots ─▶ ThreadExecutor ─▶ Producer: conditions, earlier results
                                            └─▶ ProcessExecutor: CallSession ═══▶ worker

A thread has each call, and decides what needs no worker. It then gives the call to a worker and
waits for it. What waits for something outside, and what is taken from the cache, stays on threads.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from waivern.engine.calls import Call, Failed, LeftBehind, Lost, Outcome
from waivern.engine.executor import CallReport, ThreadExecutor
from waivern.engine.producer import Producer
from waivern.engine.workers.computing_call import ComputingCall
from waivern.engine.workers.kept_sessions import KeptSessions
from waivern.engine.workers.slots import (
    MORE_PATIENCE_S,
    PATIENCE_S,
    Slots,
    Turn,
    cores,
)
from waivern.errors import WaivernError
from waivern.planning.plan import Extract, Transform

if TYPE_CHECKING:
    from waivern.engine.artifact_identity import ComponentUse
    from waivern.engine.calls import CacheLookup
    from waivern.engine.site import Site
    from waivern.engine.workers.call_documents import WorkerCall
    from waivern.engine.workers.call_session import CallSession
    from waivern.engine.workers.worker_handle import ComponentKey
    from waivern.engine.workers.worker_pool import WorkerPool


SMALL_BYTES = 256 << 10
"""A source below it is searched in less time than a worker for it takes to start."""
LARGE_BYTES = 8 << 20
"""The size of the sources from which on a call is worth a worker although nothing was computed yet:
a detector takes about a second for them."""


class ProcessExecutor:
    """Threads that give calls to worker processes: all those of components that do not wait."""

    every = True
    """Whether calls go to workers that compute little or nothing."""

    def __init__(self, producer: Producer, width: int) -> None:
        self._producer = producer
        self._components = producer.components
        self._threads = ThreadExecutor(producer, width)
        self._slots = Slots(min(width, cores()))
        self._computing: dict[int, ComputingCall] = {}
        """The calls that have a slot or wait for one, by identity."""
        self._sessions: dict[int, CallSession] = {}
        """The calls that workers have, by identity."""
        self._pool: WorkerPool | None = None
        self._pays = False
        """Whether a call was worth a worker: all that compute are then, for the start is paid."""
        self._site: Site | None = None
        self._waiting: set[str] = set()
        """Uses of components that turned out to wait, as `_use` describes them."""
        self._kept = KeptSessions(self._slots.count)
        self._turn = Turn()
        self._closed = False

    # as an executor

    @property
    def width(self) -> int:
        """The number of calls that are carried out at once."""
        return self._threads.width

    def submit(self, call: Call, report: CallReport) -> None:
        """Accept a call; one that computes waits for a slot before it begins."""
        if not self._computes_at_all(call):
            self._threads.submit(call, report)
            return
        self._components.elsewhere = self._on_worker  # now: most runs have nothing for a worker
        computing = ComputingCall(call, report, self)
        self._computing[id(call)] = computing
        self._slots.enter(computing.begin)

    def recall(self) -> list[Call]:
        """Return the calls that have not begun; they will not."""
        self._slots.withdraw()
        recalled = self._threads.recall()
        for call in recalled:
            if (computing := self._computing.pop(id(call), None)) is not None:
                computing.leave()
        waiting = [each for each in list(self._computing.values()) if not each.submitted]
        for each in waiting:
            del self._computing[id(each.call)]
        return [*recalled, *(each.call for each in waiting)]

    def abandon(self, call: Call) -> None:
        """End the worker of a call, or do what can be done to its thread."""
        self._threads.abandon(call)
        if (session := self._sessions.get(id(call))) is not None:
            session.abandon()
        if (computing := self._computing.get(id(call))) is not None:
            computing.leave()

    def lingers(self) -> bool:
        """Report whether a thread that is no daemon still works for a call that has ended."""
        return self._threads.lingers() or any(each.threads for each in self._kept.at_work())

    def close(self, patience_s: float) -> list[LeftBehind]:
        """End all workers, and close the threads; return what is left behind there."""
        self._closed = True
        self._slots.withdraw()
        left = [
            LeftBehind(session.artifact, name, holds_process=False)
            for session in self._kept.at_work()
            for name in session.threads
        ]
        at_work = list(self._sessions.values())
        for session in at_work:
            session.abandon()
        for session in at_work:
            session.abandoned()
        if self._pool is not None:
            self._pool.close()
            for session in self._kept.at_work():
                session.end()
        return [*left, *self._threads.close(patience_s)]

    def ended(self, computing: ComputingCall) -> None:
        """Note the end of a call that had a slot, and take the slot back."""
        self._computing.pop(id(computing.call), None)
        computing.leave()

    def start(self, call: Call, report: CallReport) -> None:
        """Give a call that has a slot to a thread."""
        if not self._closed:
            self._threads.submit(call, report)

    def give_slot(self) -> None:
        """Take a slot back."""
        self._slots.give()

    # what goes to a worker

    def _computes_at_all(self, call: Call) -> bool:
        """Report whether a call may go to a worker, as far as its declaration says."""
        work = call.node.work
        if not isinstance(work, (Extract, Transform)):
            return False
        if call.node.max_memory is not None:
            return True
        try:
            return not self._waits(call) if self.every else self._components.computes(work)
        except WaivernError:  # it cannot be loaded: the work meets and reports the same problem
            return False

    def _on_worker(
        self, call: Call, tool: ComponentUse, lookup: CacheLookup | None
    ) -> Outcome | None:
        """Have a worker carry out a call; None if it is to be carried out here."""
        if id(call) not in self._computing:
            return None
        limited = call.node.max_memory is not None
        if not (limited or self.every or self._is_worth(call, tool, lookup)):
            return None if self._threads.wanted(call) else _UNWANTED
        if (pool := self._pool_for(call, tool)) is None:
            return self._refused(limited=limited) if limited or self.every else None
        self._pays = True
        from waivern.engine.workers.call_session import CallSession, WaitsError
        from waivern.engine.workers.worker_pool import PoolError

        request, key = self._request(call, tool, lookup)
        session = CallSession(
            pool,
            self._slots,
            self._producer.store,
            self._producer.logs,
            lambda progress: self._producer.on_progress(call.artifact, progress),
            self._computing[id(call)].waiting,
            request,
            key,
        )
        self._sessions[id(call)] = session
        try:
            if not self._threads.wanted(call):
                return _UNWANTED
            outcome = session.carry_out()
        except WaitsError:
            self._waiting.add(_use(call))
            self._computing[id(call)].leave()  # to wait takes no core
            return None
        except PoolError as error:
            return Lost(str(error)) if limited or self.every else None
        finally:
            del self._sessions[id(call)]
        if session.lingers:
            for artifact, text in self._kept.add(session):
                self._producer.logs.of(artifact).line(text, echo=True)
        return outcome

    def _request(
        self, call: Call, tool: ComponentUse, lookup: CacheLookup | None
    ) -> tuple[WorkerCall, ComponentKey]:
        from waivern.engine.artifact_identity import UnknownIdentity
        from waivern.engine.workers.call_documents import WorkerCall
        from waivern.engine.workers.worker_handle import ComponentKey

        known = lookup or self._components.lookup(call.node, tool, UnknownIdentity(""))
        code = self._components.code(known)
        work = call.node.work
        assert isinstance(work, (Extract, Transform))
        kind = type(work).__name__
        splits = self._slots.count > 1 and self._components.computes(work)
        identity = None if lookup is None else lookup.identity
        return (
            WorkerCall(call, identity, code, splits),
            ComponentKey(kind, work.type, f"{code} {call.node.base}"),
        )

    def _waits(self, call: Call) -> bool:
        """Report whether a component waits for something outside, as far as that is known."""
        work = call.node.work
        assert isinstance(work, (Extract, Transform))
        known = bool(self._waiting) and _use(call) in self._waiting
        return known or self._components.waits(work)

    def _is_worth(self, call: Call, tool: ComponentUse, lookup: CacheLookup | None) -> bool:
        """Report whether a call computes, and others do too or it has a large source to work on."""
        work = call.node.work
        assert isinstance(work, (Extract, Transform))
        if self._slots.count < 2 or not self._components.computes(work):
            return False
        if self._pays:
            return True
        size = self._components.input_bytes(call)
        if size >= LARGE_BYTES and (size * self._components.new_share(call, lookup) >= LARGE_BYTES):
            return True
        start_ahead = partial(self._start_ahead, call, tool)
        patience = MORE_PATIENCE_S if 0 < size < SMALL_BYTES else PATIENCE_S
        return not self._computing[id(call)].takes(self._turn, start_ahead, patience)

    def _start_ahead(self, call: Call, tool: ComponentUse) -> threading.Event:
        """Start what workers need, and return the event that one can be had at once."""
        from waivern.engine.workers.handover import brisk

        with brisk():
            from waivern.engine.workers.worker_pool import PoolError

            ready = threading.Event()
            if (pool := self._pool_for(call, tool)) is not None:
                with suppress(PoolError):  # a call that needs a worker meets it, too
                    ready = pool.start_ahead()
            import waivern.engine.workers.call_session  # noqa: F401 - while the template starts
        return ready

    def _pool_for(self, call: Call, tool: ComponentUse) -> WorkerPool | None:
        """Return the pool; None if no other process can take part in the run."""
        if self._pool is None and _has_interpreter():
            from waivern.engine.workers.worker_pool import WorkerPool

            with self._slots.lock:
                if self._pool is None and (site := self._producer.site(call.run_id)) is not None:
                    module = type(tool.component).__module__
                    shipped = module.startswith("waivern.")  # others must not reach each other
                    self._pool = WorkerPool(site, self._slots.count, module if shipped else "")
        return self._pool

    def _refused(self, *, limited: bool) -> Failed:
        """Return the failure of a call that only a worker may carry out."""
        message = "worker processes cannot reach a store that is in memory"
        hint = "use a store on a disk" + ("" if limited else ", or `--executor threads`")
        if not _has_interpreter():
            message = f"worker processes need a Python interpreter, and {sys.executable!r} is none"
            hint = "set `sys.executable` before the run"
        return Failed("RefusedError", message, hint, 0, kinds=("RefusedError", "WaivernError"))


class AutoExecutor(ProcessExecutor):
    """Threads that give calls to worker processes once that is worth the start of a process.

    Calls that do not compute stay on threads; those with a limit of memory go to a worker at once.
    """

    every = False


_UNWANTED = Lost("the call is not wanted any more")


def _use(call: Call) -> str:
    """Return a description of a component with its properties."""
    work = call.node.work
    assert isinstance(work, (Extract, Transform))
    return json.dumps([work.label, dict(work.properties)])


def _has_interpreter() -> bool:
    """Report whether this process knows its interpreter: a program that embeds one may not."""
    return "py" in os.path.basename(sys.executable or "").lower()  # noqa: PTH119
