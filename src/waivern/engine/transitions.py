"""The transitions of artifacts in one attempt, which the loop makes on its thread.

    _start             kept; a question to people; or a call, submitted to the executor
    _began             started
    _finished          a call has ended, or was lost, or its try was abandoned before
     └─ _settle        completed, skipped, suspended
         └─ _failed_try    retried; or failed: what depends on it is skipped, or the attempt stops

Each is entered into the ledger. Small parts decide nothing by themselves: `tries` counts,
`blocked_pools` reports, `step_events` writes down what was completed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never, cast

from waivern.clock import Clock
from waivern.engine import retry, step_events, stop_reasons
from waivern.engine.blocked_pools import BlockedPools
from waivern.engine.calls import Call, Failed, Lost, NotProduced, Outcome, Produced, Suspended
from waivern.engine.decision_walk import Action, DecisionWalk
from waivern.engine.executor import Executor
from waivern.engine.inbox import CallBegan, CallWaits, Inbox, LedgerCommitted, LedgerFailed
from waivern.engine.ledger import Ledger
from waivern.engine.outcome import AttemptOutcome, OutcomeTracker, store_failure
from waivern.engine.pools import Pools
from waivern.engine.rebuilder import Evidence
from waivern.engine.run_controls import Limits, RunControls
from waivern.engine.scheduler import Skip
from waivern.engine.timers import Timers
from waivern.engine.tries import Tries
from waivern.ids import ArtifactId
from waivern.language.error_names import DIED
from waivern.message import Json
from waivern.planning.plan import AskPeople, Node, Plan
from waivern.record import gates
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
)
from waivern.store.store_values import ArtifactRef

WAITING = 64
"""Calls that wait for a worker, beside those that have one."""
ROUNDING_S = 0.001
"""How much earlier than its limit a timer may be due."""


class Transitions:
    """The state of one attempt at a plan, and the transitions of its artifacts.

    `ledger` is called with a function for each commit and one for the error that stops it.
    `record` is the run before the attempt: the numbers of its steps, the decisions on its gates.
    `data` returns what a resume hands to an artifact that waited.
    """

    def __init__(
        self,
        plan: Plan,
        evidence: Evidence,
        record: RunRecord,
        ledger: Callable[[Callable[[], None], Callable[[Exception], None]], Ledger],
        executor: Executor,
        limits: Limits,
        clock: Clock,
        controls: RunControls,
        data: Callable[[ArtifactId], dict[str, Json]] = lambda _artifact: {},
    ) -> None:
        self._controls = controls
        self._run_id = record.metadata.run_id
        self._runbook_hash = record.metadata.runbook_hash
        self._gates = record.decisions
        self._data = data
        self._executor = executor
        self._limits = limits
        self._clock = clock
        self._decisions = DecisionWalk(plan, evidence, limits.only)
        self._inbox = Inbox(clock)
        self._timers = Timers(clock)
        self._ledger = ledger(
            lambda: self._inbox.put(LedgerCommitted()),
            lambda error: self._inbox.put(LedgerFailed(error)),
        )
        self._tries = Tries(record)
        self._waiting: dict[str, Call] = {}
        self._running: dict[str, tuple[Call, float]] = {}
        self._paused: dict[str, float] = {}
        """The calls of these that wait for their place to work, and since when."""
        self._retrying: dict[str, Node] = {}
        """Failed, and about to be tried again."""
        self._pools = Pools(limits.pools)
        self._blocked_pools = BlockedPools(self._pools)
        careful = limits.max_failures or any(node.fail_fast for node in plan.nodes.values())
        self._queue_room = 0 if careful else WAITING
        """How many calls wait, so that no worker waits for the loop; none if a failure may be the
        last thing that happens."""
        self._tracker = OutcomeTracker()

    @property
    def _in_hand(self) -> int:
        return len(self._running) + len(self._waiting) + len(self._retrying)

    # starting

    def _start(self, node: Node) -> None:
        decision = self._decisions.decide(node)
        if decision is None:
            return  # it is not selected: it stays as it is, and what needs it waits
        if decision.action is Action.KEEP:
            assert decision.ref is not None
            self._skip(self._decisions.completed(node.id, decision.ref))
        elif decision.action is Action.GATE:
            self._ask(node)
        elif isinstance(node.work, AskPeople):
            self._submit(node, {})  # for its tests: a decision comes from the journal only
        else:
            self._submit(node, self._data(node.id))

    def _submit(self, node: Node, data: dict[str, Json]) -> None:
        known = self._decisions
        results = {
            test.result: known.refs[test.result] for test in node.tests if test.result is not None
        }
        call = Call(self._run_id, node, known.inputs(node), known.asked(node), results, data)
        self._pools.enter(node)
        self._waiting[node.id] = call
        self._executor.submit(call, self._inbox)

    def _ask(self, node: Node) -> None:
        """Look whether people have decided on what is there now; else let the gate wait."""
        ask = cast(AskPeople, node.work)
        shown = {ref.key: ref.digest for ref in self._decisions.inputs(node)}
        at, digest = self._clock.now(), self._runbook_hash
        question = gates.GateQuestionRecord(ask.question, ask.approvers, ask.expires, shown, digest)
        match gates.judge(self._gates.get(node.id), question, at):
            case gates.GateApproved(document):
                self._submit(node, {"decision": document})
            case gates.GateRefused(kind, reason):
                self._failed(node, Failed(kind, reason, gates.AGAIN, 0))
            case gates.GateOpen():
                self._ledger.enter(
                    ArtifactSuspendedRecord(at, node.id, ask.question, True, shown, question.asked)
                )
                self._tracker.suspended(node.id, ask.question)

    # taking in

    def _began(self, item: CallBegan) -> None:
        call, artifact = item.call, item.call.artifact
        if self._waiting.get(artifact) is not call:
            return  # a cluster may report it twice, or after the call was recalled or abandoned
        del self._waiting[artifact]
        self._running[artifact] = (call, item.monotonic)
        self._paused.pop(artifact, None)
        if call.node.timeout is not None:
            self._limit(call, call.node.timeout, item.monotonic)
        step, new = self._tries.begin(artifact)
        if new:
            inputs = [ref.key for ref in call.inputs]
            self._ledger.enter(
                ArtifactStartedRecord(item.at, artifact, step, call.node.work.label, inputs)
            )

    def _limit(self, call: Call, timeout_s: float, began: float) -> None:
        left = timeout_s - (self._clock.monotonic() - began)
        self._timers.after(left, lambda: self._timed_out(call))

    def _waits(self, item: CallWaits) -> None:
        """Let the time in which a call waits not count towards its limit."""
        call, artifact = item.call, item.call.artifact
        running = self._running.get(artifact)
        if running is None or running[0] is not call:
            return
        if item.waiting:
            self._paused[artifact] = item.monotonic
        elif (since := self._paused.pop(artifact, None)) is not None:
            began = running[1] + item.monotonic - since
            self._running[artifact] = (call, began)
            if call.node.timeout is not None:
                self._limit(call, call.node.timeout, began)

    def _finished(self, call: Call, outcome: Outcome) -> None:
        if self._waiting.get(call.artifact) is call:  # the report that it began is late or lost
            self._began(CallBegan(call, self._clock.now(), self._clock.monotonic()))
        running = self._running.get(call.artifact)
        if running is None or running[0] is not call:
            self._pools.release(call)  # it is late: the try was abandoned
            return
        del self._running[call.artifact]
        self._pools.leave(call.node)
        self._settle(call, outcome)

    def _settle(self, call: Call, outcome: Outcome) -> None:
        node, at = call.node, self._clock.now()
        match outcome:
            case Produced(receipt):
                ref = ArtifactRef(
                    receipt.key,
                    receipt.digest,
                    receipt.content_digest,
                    receipt.staged,
                    receipt.schema,
                    outcome.keep == "reference",
                )
                event = step_events.completed(call, outcome, at, self._runbook_hash)
                self._ledger.enter(event, receipt)
                self._skip(self._decisions.completed(node.id, ref))
            case NotProduced(reason) if isinstance(node.work, AskPeople) and not reason:
                self._ask(node)  # its condition holds: people may be asked
            case NotProduced(reason):
                self._ledger.enter(ArtifactSkippedRecord(at, node.id, node.id, reason))
                self._skip(self._decisions.lost(node.id, left_out=True))
            case Suspended(reason):
                self._tracker.suspended(node.id, reason)
                self._ledger.enter(ArtifactSuspendedRecord(at, node.id, reason, False))
            case Failed():
                self._failed_try(node, outcome, at)
            case Lost():
                self._lost(call, outcome, at)
            case _:
                assert_never(outcome)

    # failing

    def _lost(self, call: Call, lost: Lost, at: str) -> None:
        """Submit a call again whose outcome is unknown; fail it if it is to blame for that.

        It is no retry: the artifact did not fail. After MAX_LOSSES it does: a call that is lost
        again and again would keep the run for ever.
        """
        node = call.node
        if lost.blame:
            self._failed_try(node, Failed(DIED, lost.reason, None, 0, kinds=(DIED,)), at)
            return
        if self._tracker.stopping or not self._tries.lose(node.id):
            self._failed(node, Failed("lost", lost.reason, None, 0))
        elif self._pools.admits(node):
            self._start(node)

    def _failed_try(self, node: Node, failure: Failed, at: str) -> None:
        tried = self._tries.count(node.id)
        wait = retry.delay_s(node.retry, failure, tried, self._controls.chance())
        if wait is None or self._tracker.stopping:
            self._failed(node, failure)
            return
        delay_ms = round(wait * 1000)
        most = 1 + (node.retry.max if node.retry else 0)
        self._ledger.enter(
            ArtifactRetriedRecord(
                at, node.id, failure.error, failure.duration_ms, delay_ms, tried, most
            )
        )
        self._retrying[node.id] = node
        self._timers.after(wait, lambda: self._try_again(node))

    def _try_again(self, node: Node) -> None:
        if self._retrying.pop(node.id, None) is not None and self._pools.admits(node):
            self._start(node)

    def _failed(self, node: Node, failure: Failed) -> None:
        at = self._clock.now()
        self._ledger.enter(ArtifactFailedRecord(at, node.id, failure.error, failure.duration_ms))
        if failure.store:
            self._tracker.end(store_failure(f"{node.id}: {failure.message}"))
            return
        missed = node.optional or node.tolerated
        self._skip(self._decisions.lost(node.id))
        if missed:
            return
        most, failures = self._limits.max_failures, self._tracker.failed(node.id, failure)
        if node.fail_fast or (most and failures >= most):
            self._stop(self._tracker.natural._replace(reason="fail_fast"), hurry=False)

    def _skip(self, skips: list[Skip]) -> None:
        if not skips:
            return
        at = self._clock.now()
        for skip in skips:
            causes: list[str] = list(skip.causes)
            self._ledger.enter(
                ArtifactSkippedRecord(at, skip.artifact, causes[0], skip.reason, causes[1:])
            )

    def _timed_out(self, call: Call) -> None:
        running = self._running.get(call.artifact)
        if running is None or running[0] is not call or call.artifact in self._paused:
            return
        now = self._clock.monotonic()
        if now - running[1] < (call.node.timeout or 0) - ROUNDING_S:
            return  # it has waited, and another timer is set
        del self._running[call.artifact]
        self._timers.after(self._blocked_pools.hold(call, now), self._look_at_pools)
        self._executor.abandon(call)
        took = round((now - running[1]) * 1000)
        message = f"it took longer than its limit of {call.node.timeout:g} s"
        self._settle(
            call, Failed("timeout", message, None, took, kinds=("timeout", "TimeoutError"))
        )

    def _look_at_pools(self) -> None:
        """Report what waits for timed-out work; fail it when that work does not end."""
        if self._tracker.stopping:
            return  # what waits is not started anyway
        notices, hopeless = self._blocked_pools.look(self._clock.monotonic())
        for notice in notices:
            self._controls.on_wait(notice)
        for nodes, failure in hopeless:
            for node in nodes:
                self._failed(node, failure)

    # ending

    def _stop(self, ending: AttemptOutcome, *, hurry: bool = True) -> None:
        """Start nothing more, and end so when what runs has finished; if need be, without it."""
        self._tracker.stop(ending)
        self._retrying.clear()
        for call in self._executor.recall():
            del self._waiting[call.artifact]
        if not self._in_hand:
            self._tracker.settle()
        elif hurry:
            self._controls.on_stop(ending.reason or "")
            self._timers.after(self._limits.grace_s, self._tracker.settle)

    def _time_out(self) -> None:
        limit = f"the limit of {self._limits.timeout_s:g} s was reached"
        at, now = self._clock.now(), self._clock.monotonic()
        for name, (_, began) in self._running.items():
            took = round((now - began) * 1000)
            self._ledger.enter(step_events.out_of_time(name, at, limit, took))
        self._tracker.end(stop_reasons.out_of_time(limit))
