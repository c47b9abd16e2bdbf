"""The conformance suite of an executor: what every executor does, as tests that any can run.

    from waivern.testing.executors import ExecutorConformance

    class TestMyExecutor(ExecutorConformance):
        def make_executor(self, producer: Producer, width: int) -> Executor:
            return MyExecutor(producer, width)

pytest finds the tests in the subclass. Each carries out calls of a small plan in a store in memory,
and looks at the reports only.
"""

from __future__ import annotations

import json
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from waivern.clock import Clock
from waivern.engine.calls import Call, Failed, Outcome, Produced
from waivern.engine.executor import Executor
from waivern.engine.logs import RunLogs
from waivern.engine.producer import Producer
from waivern.language.loader import draft
from waivern.language.secrets import Secrets
from waivern.planning.plan import Node
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue
from waivern.runs.child_files import ChildFiles
from waivern.runs.reuse_resolver import StoreResolver
from waivern.store.base import RunStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.store_values import InitialState, Owner
from waivern.yamldoc.document import YamlDocument

WAIT_S = 20.0
"""Seconds that a test waits for a report before it fails."""

_FUNCTIONS = "waivern.testing.executor_functions"


class RecordedReports:
    """The reports of an executor, in the order in which they arrive."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.began_calls: list[Call] = []
        self.outcomes: list[tuple[Call, Outcome]] = []

    def began(self, call: Call) -> None:
        with self._changed:
            self.began_calls.append(call)
            self._changed.notify_all()

    def waits(self, call: Call, *, waiting: bool) -> None:
        """Record nothing: how long calls wait is no part of what is tested."""

    def done(self, call: Call, outcome: Outcome) -> None:
        with self._changed:
            self.outcomes.append((call, outcome))
            self._changed.notify_all()

    def gone(self, reason: str) -> None:
        raise AssertionError(f"the executor is gone: {reason}")

    def wait(self, *, began: int = 0, done: int = 0) -> None:
        """Wait for so many reports of each kind."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.began_calls) >= began and len(self.outcomes) >= done, WAIT_S
            ), f"{len(self.began_calls)} began, {len(self.outcomes)} done"


class ExecutorConformance:
    """Tests of one executor; a subclass says how to make it."""

    @abstractmethod
    def make_executor(self, producer: Producer, width: int) -> Executor:
        """Return a new executor."""

    def make_store(self) -> RunStore:
        """Return an empty store; one in memory, unless the executor has other processes work."""
        return AsyncInMemoryStore()

    @contextmanager
    def _running(self, width: int, *calls: str) -> Iterator[tuple[Executor, list[Call]]]:
        """Yield an executor, and calls of the named functions of `executor_functions`."""
        artifacts = {
            f"a{n}": {
                "source": {"type": "python", "properties": {"call": f"{_FUNCTIONS}:{function}"}}
            }
            for n, function in enumerate(calls)
        }
        store, clock = self.make_store(), Clock()
        document = YamlDocument(None, Path.cwd(), json.dumps({"artifacts": artifacts}).encode())
        runbook = draft(document, "conformance", {})
        plan = plan_at_once(
            runbook, LocalResolver(StoreResolver(store, ChildFiles(Path.cwd()))), {}
        )
        lease = store.begin("r", InitialState(b"", (), {}, {}), Owner("host", 1, clock.now()))
        secrets = Secrets({}, {})
        logs = RunLogs(partial(store.log, "r"), secrets.hide)
        producer = Producer(store, Path.cwd(), {}, secrets, clock, catalogue=Catalogue(), logs=logs)
        executor = self.make_executor(producer, width)
        nodes: list[Node] = list(plan.nodes.values())
        try:
            yield executor, [Call("r", node, ()) for node in nodes]
        finally:
            executor.close(1.0)
            logs.close()
            lease.release()

    def test_every_call_begins_and_is_done(self) -> None:
        with self._running(3, *["plain"] * 20) as (executor, calls):
            reports = RecordedReports()
            for call in calls:
                executor.submit(call, reports)
            reports.wait(began=20, done=20)
            assert sorted(call.artifact for call in reports.began_calls) == sorted(
                call.artifact for call in calls
            )
            assert all(isinstance(outcome, Produced) for _, outcome in reports.outcomes)
            assert not executor.lingers()

    def test_what_a_call_raises_is_its_outcome(self) -> None:
        with self._running(2, "raises", "plain", "coroutine") as (executor, calls):
            reports = RecordedReports()
            for call in calls:
                executor.submit(call, reports)
            reports.wait(done=3)
            outcomes = {call.artifact: outcome for call, outcome in reports.outcomes}
            failed = outcomes[calls[0].artifact]
            assert isinstance(failed, Failed)
            assert (failed.kind, failed.message) == ("ValueError", "it raises")
            assert all(isinstance(outcomes[call.artifact], Produced) for call in calls[1:])

    def test_no_more_calls_than_its_width_are_carried_out_at_once(self) -> None:
        with self._running(2, *["slow"] * 6) as (executor, calls):
            reports = RecordedReports()
            for call in calls:
                executor.submit(call, reports)
            most = 0
            deadline = time.monotonic() + WAIT_S
            while len(reports.outcomes) < 6 and time.monotonic() < deadline:
                most = max(most, len(reports.began_calls) - len(reports.outcomes))
                time.sleep(0.002)
            reports.wait(done=6)
            assert most <= 2

    def test_recalled_calls_do_not_begin(self) -> None:
        with self._running(1, *["slow"] * 5) as (executor, calls):
            reports = RecordedReports()
            for call in calls:
                executor.submit(call, reports)
            reports.wait(began=1)
            recalled = executor.recall()
            reports.wait(done=len(calls) - len(recalled))
            time.sleep(0.1)
            began = {call.artifact for call in reports.began_calls}
            assert began.isdisjoint({call.artifact for call in recalled})
            assert len(began) + len(recalled) == len(calls)

    def test_an_abandoned_call_holds_up_no_other(self) -> None:
        with self._running(1, "very_slow", "plain") as (executor, calls):
            reports = RecordedReports()
            for call in calls:
                executor.submit(call, reports)
            reports.wait(began=1)
            executor.abandon(reports.began_calls[0])
            reports.wait(began=2, done=1)
            if reports.outcomes[0][0] is calls[0]:  # it was ended, and did not end by itself
                assert not isinstance(reports.outcomes[0][1], Produced)
                reports.wait(done=2)
            assert calls[1] in [call for call, _ in reports.outcomes]

    def test_close_reports_what_is_left_behind(self) -> None:
        with self._running(1, "very_slow") as (executor, calls):
            reports = RecordedReports()
            executor.submit(calls[0], reports)
            reports.wait(began=1)
            left = executor.close(0.1)
            assert all(each.artifact == calls[0].artifact for each in left)
