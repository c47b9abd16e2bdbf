"""The one loop: starts what may start, takes in what comes back, decides when it is over.

    run
     ├─ _start_ready      scheduler: which may start; rebuilder: must it?
     │   └─ executor.submit ─ ─ ▶ producer, elsewhere ─ ─ ▶ inbox
     └─ _handle           every item of the inbox, one at a time
         ├─ _finished     ledger.enter; scheduler: what follows
         └─ _stop         a signal, a wish to cancel; the time limit, a store that fails

Only the loop changes what it knows of the run; workers, timers and signals put items into its
inbox. It runs on asyncio: daemon threads wake it with `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import anyio
from anyio.abc import TaskStatus

from waivern.clock import Clock
from waivern.engine import rebuilder
from waivern.engine.calls import Call, Failed, Outcome, Produced
from waivern.engine.executors import Executor
from waivern.engine.inbox import (
    Began,
    Cancelled,
    Committed,
    Finished,
    GraceOver,
    Inbox,
    Item,
    Signalled,
    StoreFailed,
    TimedOut,
)
from waivern.engine.ledger import Ledger
from waivern.engine.scheduler import Scheduler
from waivern.engine.terms import Ending, Limits, Wishes, store_failure
from waivern.errors import Exit, WaivernError
from waivern.planning.plan import Copy, Node, Plan
from waivern.record.events import (
    ArtifactCompleted,
    ArtifactFailed,
    ArtifactSkipped,
    ArtifactStarted,
    AttemptEnded,
    RunCancelled,
)
from waivern.record.fold import RunRecord
from waivern.record.status import How, RunStatus
from waivern.store.base import ArtifactRef

PATIENCE_S = 0.5
"""How long coroutines are given to clean up when they are cancelled."""
WATCH_S = 0.2
"""How often a run looks whether somebody wants it cancelled."""
MAX_BACKLOG = 512
"""Events that may wait for the disk before nothing more is started."""
LOOK_S = 0.05
"""How soon the loop notices that a call which had to wait has begun."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Loop:
    """One attempt at a plan; made and run inside an event loop.

    `ledger` is given what to call after a commit, and when the store fails. `record` is what is
    known of the run before the attempt: from it come the numbers of steps started before.
    """

    def __init__(
        self,
        plan: Plan,
        evidence: rebuilder.Evidence,
        record: RunRecord,
        ledger: Callable[[Callable[[], None], Callable[[WaivernError], None]], Ledger],
        executor: Executor,
        limits: Limits,
        clock: Clock,
        wishes: Wishes,
    ) -> None:
        self._wishes = wishes
        self._run_id = record.metadata.run_id
        self._evidence = evidence
        self._executor = executor
        self._limits = limits
        self._clock = clock
        self._scheduler = Scheduler(plan)
        self._inbox = Inbox(clock)
        self._ledger = ledger(
            lambda: self._inbox.put(Committed()),
            lambda error: self._inbox.put(StoreFailed(error)),
        )
        self._steps = {name: step.step_index for name, step in record.steps.items()}
        self._next_step = record.next_step
        self._refs: dict[str, ArtifactRef] = {}
        self._waiting: dict[str, Node] = {}
        self._running: dict[str, tuple[Node, float]] = {}
        self._failures: list[tuple[str, Failed]] = []
        self._stopping: Ending | None = None
        """How the attempt will end when what runs has finished."""
        self._ending: Ending | None = None

    async def run(self, *, listen: bool) -> Ending:
        """Carry the attempt out; with `listen`, signals stop it.

        The journal has its end when this returns. Cancellation ends it as `interrupted`.
        """
        began = self._clock.monotonic()
        self._ledger.open()
        async with anyio.create_task_group() as tasks:
            if listen:
                await tasks.start(self._listen)
            tasks.start_soon(self._watch)
            try:
                ending = await self._drive()
            except BaseException:  # cancelled, or a defect: either way the journal says so
                await self._close(Ending(RunStatus.INTERRUPTED, "cancelled"), began)
                raise
            ending = await self._close(ending, began)
            tasks.cancel_scope.cancel()
        return ending

    async def _drive(self) -> Ending:
        timer = None
        if self._limits.timeout_s is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._limits.timeout_s, self._inbox.put, TimedOut())
        self._start_ready()
        while self._ending is None and (self._in_hand or self._scheduler.ready):
            for item in await self._inbox.take(LOOK_S if self._waiting else None):
                if self._ending is None:
                    self._handle(item)
            if self._ending is None:
                self._start_ready()
        if timer:
            timer.cancel()
        return self._ending or self._natural_end()

    async def _close(self, ending: Ending, began: float) -> Ending:
        self._inbox.close()

        def last() -> AttemptEnded:
            took = round((self._clock.monotonic() - began) * 1000)
            status, at = str(ending.status), self._clock.now()
            return AttemptEnded(at, status, ending.reason, ending.error, took)

        with anyio.CancelScope(shield=True):
            stuck = await anyio.to_thread.run_sync(self._executor.close, PATIENCE_S)
            error = await anyio.to_thread.run_sync(self._ledger.close, last)
        if error and ending.exit_code != Exit.STORE:
            ending = self._unsaved(error.message)
        return replace(ending, stuck=stuck)

    def _unsaved(self, message: str) -> Ending:
        """Return the end of an attempt that could not be saved whole, as the journal has it."""
        record = self._ledger.record
        if record.attempt_open:
            return store_failure(message)
        return Ending(record.metadata.status, "store", message, Exit.STORE)

    # starting

    def _start_ready(self) -> None:
        room = 2 * self._executor.width  # as many wait as run, so that no worker waits for the loop
        while self._scheduler.ready and self._in_hand < room and not self._stopping:
            if self._ledger.backlog > MAX_BACKLOG:
                return  # the disk is behind: go on after its next commit
            node = self._scheduler.take()
            inputs = tuple(self._refs[name] for name in self._scheduler.inputs(node))
            decision = rebuilder.decide(node, inputs, self._evidence)
            if isinstance(decision, rebuilder.Keep):
                self._refs[node.id] = decision.ref
                self._scheduler.completed(node.id)
                continue
            call = Call(self._run_id, node.id, node.work, inputs, node.schema)
            self._waiting[node.id] = node
            self._executor.submit(call, self._inbox)

    @property
    def _in_hand(self) -> int:
        return len(self._running) + len(self._waiting)

    # taking in

    def _handle(self, item: Item) -> None:
        match item:
            case Began():
                self._began(item)
            case Finished(call, outcome):
                self._finished(call, outcome)
            case Signalled(number):
                self._stop(Ending(RunStatus.INTERRUPTED, number.name, exit_code=128 + number))
            case Cancelled(by, note):
                self._ledger.enter(RunCancelled(self._clock.now(), by, note))
                self._stop(Ending(RunStatus.CANCELLED, "cancel", exit_code=Exit.FAILED))
            case GraceOver():
                self._ending = self._stopping
            case TimedOut():
                self._time_out()
            case Committed():
                pass  # what it makes room for is started after every look into the inbox
            case StoreFailed(error):
                self._ending = store_failure(error.message)

    def _began(self, item: Began) -> None:
        call, artifact = item.call, item.call.artifact
        self._running[artifact] = (self._waiting.pop(artifact), item.monotonic)
        step = self._steps[artifact]
        if step is None:
            step = self._steps[artifact] = self._next_step
            self._next_step += 1
        inputs = [ref.key for ref in call.inputs]
        self._ledger.enter(ArtifactStarted(item.at, artifact, step, call.work.label, inputs))

    def _finished(self, call: Call, outcome: Outcome) -> None:
        node, _ = self._running.pop(call.artifact)
        match outcome:
            case Produced(receipt):
                self._refs[node.id] = ArtifactRef(
                    receipt.key, receipt.digest, receipt.content_digest, receipt.staged
                )
                self._ledger.enter(self._completed(call, outcome), receipt)
                self._scheduler.completed(node.id)
            case Failed():
                self._failed(node, outcome)
        if self._stopping and not self._in_hand and self._ending is None:
            self._ending = self._stopping

    def _completed(self, call: Call, made: Produced) -> ArtifactCompleted:
        work, receipt = call.work, made.receipt
        copy = work if isinstance(work, Copy) else None
        return ArtifactCompleted(
            at=self._clock.now(),
            artifact=call.artifact,
            how=str(How.REUSED if copy else How.PRODUCED),
            size=receipt.size,
            digest=receipt.digest,
            content_digest=receipt.content_digest,
            schema=receipt.schema,
            component=work.label,
            version=work.version,
            inputs={ref.key: ref.content_digest for ref in call.inputs},
            duration_ms=made.duration_ms,
            origin=copy.origin if copy else None,
            coverage=made.coverage,
        )

    def _failed(self, node: Node, failure: Failed) -> None:
        at = self._clock.now()
        self._ledger.enter(ArtifactFailed(at, node.id, failure.error, failure.duration_ms))
        if failure.store:
            self._ending = store_failure(f"{node.id}: {failure.message}")
            return
        if not node.optional:
            self._failures.append((node.id, failure))
        for skip in self._scheduler.failed(node.id):
            reason = f"it needs '{skip.cause}', which failed"
            self._ledger.enter(ArtifactSkipped(at, skip.artifact, skip.cause, reason))

    # ending

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(*SIGNALS) as received:
            task_status.started()
            first = True
            async for number in received:
                if not first:  # the second: leave at once; resume finds what was committed
                    os._exit(128 + number)
                first = False
                self._inbox.put(Signalled(number))

    async def _watch(self) -> None:
        # other processes can only leave a file: there is no event to wait for
        while (wish := await anyio.to_thread.run_sync(self._wishes.cancelled)) is None:  # noqa: ASYNC110
            await anyio.sleep(WATCH_S)
        note = wish.get("note")
        self._inbox.put(Cancelled(str(wish.get("by")), None if note is None else str(note)))

    def _stop(self, ending: Ending) -> None:
        self._stopping = self._stopping or ending
        for call in self._executor.recall():
            del self._waiting[call.artifact]
        if not self._in_hand:
            self._ending = self._stopping
            return
        self._wishes.on_stop(self._stopping.reason or "")
        loop = asyncio.get_running_loop()
        loop.call_later(self._limits.grace_s, self._inbox.put, GraceOver())

    def _time_out(self) -> None:
        limit = f"the limit of {self._limits.timeout_s:g} s was reached"
        at, now = self._clock.now(), self._clock.monotonic()
        for name, (_, began) in self._running.items():
            error = {"kind": "timeout", "message": f"{limit} while it was being made", "hint": None}
            self._ledger.enter(ArtifactFailed(at, name, error, round((now - began) * 1000)))
        self._ending = Ending(RunStatus.FAILED, "timeout", limit, Exit.TIMEOUT)

    def _natural_end(self) -> Ending:
        if not self._failures:
            return Ending(RunStatus.COMPLETED)
        name, failure = self._failures[0]
        text = f"{name}: {failure.kind}: {failure.message}"
        if more := len(self._failures) - 1:
            text += f" (and {more} more)"
        return Ending(RunStatus.FAILED, error=text, exit_code=Exit.FAILED)
