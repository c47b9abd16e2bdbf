"""What a loop makes of the reports of executors that lose calls, repeat themselves or go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from engine_kit import InlineExecutor, MakeExecutor, Ran, Settings, Spec, execute, runbook
from engine_steps import Stage

from waivern.engine.calls import Call, Failed, Lost, Outcome
from waivern.engine.executor import CallReport
from waivern.engine.producer import Producer
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactStartedRecord,
)

Tamper = Callable[[CallReport, Call, Outcome, int], None]
"""Reports the outcome of a call in its own way; the number counts the calls of its artifact."""


class Tampering(InlineExecutor):
    """Carries calls out as it should, and reports them otherwise."""

    def __init__(self, producer: Producer, tamper: Tamper) -> None:
        super().__init__(producer)
        self._tamper = tamper
        self._calls: dict[str, int] = {}

    def submit(self, call: Call, report: CallReport) -> None:
        number = self._calls[call.artifact] = self._calls.get(call.artifact, 0) + 1
        executor = self

        class Kept:
            def began(self, call: Call) -> None:
                pass

            def waits(self, call: Call, *, waiting: bool) -> None:
                pass

            def gone(self, reason: str) -> None:
                pass

            def done(self, call: Call, outcome: Outcome) -> None:
                executor._tamper(report, call, outcome, number)

        super().submit(call, Kept())


def tampered(tamper: Tamper) -> MakeExecutor:
    return lambda producer: Tampering(producer, tamper)


def run(tamper: Tamper, retry: dict[str, object] | None = None) -> Ran:
    document = runbook(Stage(), Spec("a"), Spec("b", ("a",)))
    if retry:
        document["artifacts"]["a"]["retry"] = retry
    return execute(document, executor=tampered(tamper), settings=Settings(chance=0.0))


def starts(ran: Ran, name: str) -> int:
    return len([each for each in ran.of(ArtifactStartedRecord) if each.artifact == name])


def test_reports_may_come_twice_late_and_out_of_order() -> None:
    def tamper(report: CallReport, call: Call, outcome: Outcome, _number: int) -> None:
        report.done(call, outcome)
        report.began(call)
        report.began(call)
        report.done(call, outcome)

    ran = run(tamper)
    assert ran.statuses == {"a": "completed", "b": "completed"}
    assert len(ran.of(ArtifactCompletedRecord)) == 2
    assert [starts(ran, name) for name in "ab"] == [1, 1]


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_lost_call_is_submitted_again_twice(losses: int) -> None:
    def tamper(report: CallReport, call: Call, outcome: Outcome, number: int) -> None:
        report.began(call)
        lost = call.artifact == "a" and number <= losses
        report.done(call, Lost("its worker is gone") if lost else outcome)

    ran = run(tamper)
    assert not ran.of(ArtifactRetriedRecord), "a lost call is no retry"
    assert starts(ran, "a") == 1
    if losses <= 2:
        assert ran.statuses == {"a": "completed", "b": "completed"}
    else:
        assert ran.statuses == {"a": "failed", "b": "skipped"}
        assert ran.error("a")["kind"] == "lost"


@pytest.mark.parametrize("on", [["died"], ["timeout"], None])
def test_a_call_that_ended_its_worker_fails(on: list[str] | None) -> None:
    def tamper(report: CallReport, call: Call, outcome: Outcome, number: int) -> None:
        report.began(call)
        died = call.artifact == "a" and number == 1
        report.done(call, Lost("killed by SIGSEGV", blame=True) if died else outcome)

    ran = run(tamper, {"max": 1, "on": on, "delay": 0.001} if on else None)
    if on == ["died"]:
        assert ran.statuses == {"a": "completed", "b": "completed"}
        assert len(ran.of(ArtifactRetriedRecord)) == 1
    else:
        (failed,) = ran.of(ArtifactFailedRecord)
        assert failed.error == {"kind": "died", "message": "killed by SIGSEGV", "hint": None}


def test_without_an_executor_the_attempt_is_interrupted() -> None:
    def tamper(report: CallReport, call: Call, outcome: Outcome, _number: int) -> None:
        report.began(call)
        if call.artifact == "b":
            report.gone("the scheduler does not answer")
        else:
            report.done(call, outcome)

    ran = run(tamper)
    assert (str(ran.ending.status), ran.ending.reason) == ("interrupted", "executor")
    assert ran.ending.error == "the scheduler does not answer"
    assert ran.statuses["a"] == "completed"
    assert ran.statuses["b"] in ("not_started", "running")
    assert not isinstance(ran.record.steps["b"].completed, Failed)


@pytest.mark.parametrize(("works_s", "status"), [(0.0, "completed"), (0.6, "failed")])
def test_what_a_call_waits_does_not_count_towards_its_limit(works_s: float, status: str) -> None:
    def report_slowly(report: CallReport, call: Call, outcome: Outcome) -> None:
        for waiting in (True, False):
            report.waits(call, waiting=waiting)
            time.sleep(0.4 if waiting else works_s)
        report.done(call, outcome)

    def tamper(report: CallReport, call: Call, outcome: Outcome, _number: int) -> None:
        report.began(call)
        threading.Thread(target=report_slowly, args=(report, call, outcome)).start()

    document = runbook(Stage(), Spec("a"))
    document["artifacts"]["a"]["timeout"] = 0.2
    assert execute(document, executor=tampered(tamper)).statuses == {"a": status}
