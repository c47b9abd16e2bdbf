"""The time limit of one artifact: nothing else has to wait for what is blocked."""

from __future__ import annotations

import time

import pytest
from engine_kit import FastClock, Ran, Settings, Spec, execute, join_workers, runbook, threads
from engine_steps import Stage

from waivern.message import Json
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactRetriedRecord,
    ArtifactStartedRecord,
)


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("call", ["blocked", "blocked_async", "never"])
def test_a_blocked_artifact_fails_and_the_rest_goes_on(call: str, width: int) -> None:
    stage = Stage()
    specs = [Spec("a", call=call), *(Spec(f"b{n}") for n in range(5)), Spec("c", ("a",))]
    book = runbook(stage, *specs)
    book["artifacts"]["a"]["timeout"] = 0.05
    began = time.monotonic()
    ran = execute(book, executor=threads(width))
    took = time.monotonic() - began
    stage.events["a"].set()
    assert took < 5
    assert ran.statuses == {"a": "failed", "c": "skipped"} | {
        f"b{n}": "completed" for n in range(5)
    }
    assert ran.error("a")["kind"] == "timeout"
    assert "limit of 0.05 s" in str(ran.error("a")["message"])
    assert ran.ending.exit_code == 1
    join_workers()
    assert "a" not in [event.artifact for event in ran.of(ArtifactCompletedRecord)]
    assert ran.store.verify("r", "a", size=1, digest="x") == "missing"


def test_a_retry_finds_somebody_to_do_it_when_all_that_were_left_behind_are_gone() -> None:
    stage = Stage()
    book = runbook(stage, Spec("a", call="blocked"))
    book["artifacts"]["a"] |= {
        "timeout": 0.05,
        "retry": {"max": 1, "on": "timeout", "delay": 0.3},
    }

    def release(_seq: int, event: object) -> None:
        if isinstance(event, ArtifactRetriedRecord):
            stage.events["a"].set()

    ran = execute(book, executor=threads(1), observers=(release,))
    assert ran.statuses == {"a": "completed"}


def test_a_late_result_is_not_published() -> None:
    """It comes back while the run still goes on."""
    stage = Stage()
    book = runbook(
        stage,
        Spec("a", call="blocked"),
        Spec("b", call="blocked"),
        Spec("c", ("b",), call="sets", args={"event": "none"}),
    )
    book["artifacts"]["a"]["timeout"] = 0.05
    book["artifacts"]["a"]["optional"] = True

    def release(_seq: int, event: object) -> None:
        if getattr(event, "error", None) and getattr(event, "artifact", "") == "a":
            stage.events["a"].set()
            stage.events["b"].set()

    ran = execute(book, executor=threads(2), observers=(release,))
    join_workers()
    assert ran.statuses == {"a": "failed", "b": "completed", "c": "completed"}
    assert ran.ending.status == "completed"
    assert [e.artifact for e in ran.of(ArtifactCompletedRecord)] == ["b", "c"]


def test_a_coroutine_is_cancelled_at_once() -> None:
    """What `never` sets when it is cancelled, `cancelled` waits for while the run goes on."""
    stage = Stage()
    book = runbook(stage, Spec("a", call="never"), Spec("cancelled", call="blocked"))
    book["artifacts"]["a"]["timeout"] = 0.05
    ran = execute(book, executor=threads(2))
    assert ran.statuses == {"a": "failed", "cancelled": "completed"}
    assert ran.error("a")["kind"] == "timeout"
    assert not ran.ending.stuck


def test_the_end_of_the_run_does_not_break_off_a_clean_up() -> None:
    """`a` is cancelled at its own limit, and still cleans up when the run's limit ends all."""
    stage = Stage()
    specs = [Spec("a", call="cleans_up"), Spec("b", call="ends_last")]
    book = runbook(stage, *specs, timeout="0.5s")
    book["artifacts"]["a"]["timeout"] = 0.05
    ran = execute(book, executor=threads(2))
    assert ran.statuses == {"a": "failed", "b": "failed"}
    assert "limit of 0.05 s" in str(ran.error("a")["message"])
    assert stage.events["cleaned up"].wait(5)


def _with_pool(stage: Stage, settings: Settings, **more: Json) -> Ran:
    book = runbook(stage, Spec("a", call="blocked"), *(Spec(f"b{n}") for n in range(3)))
    book["config"] = {"pools": {"db": 1}}
    for artifact in book["artifacts"].values():
        artifact["pool"] = "db"
    book["artifacts"]["a"] |= {"timeout": 0.05, **more}
    return execute(book, executor=threads(2), settings=settings)


HELD = "waiting for pool 'db': held by a timed-out attempt of 'a'"


def test_its_place_in_the_pool_is_taken_until_it_ends() -> None:
    stage, reports = Stage(), list[str]()

    def release(why: str) -> None:
        reports.append(why)
        stage.events["a"].set()

    ran = _with_pool(stage, Settings(on_wait=release))
    assert ran.statuses == {"a": "failed", "b0": "completed", "b1": "completed", "b2": "completed"}
    assert reports == [HELD]
    assert stage.most == 1
    join_workers()


def test_a_retry_waits_for_its_place_in_the_pool() -> None:
    stage, reports = Stage(), list[str]()

    def release(why: str) -> None:
        reports.append(why)
        stage.events["a"].set()

    retry: Json = {"max": 1, "on": "timeout", "delay": 0.01}
    ran = _with_pool(stage, Settings(on_wait=release), retry=retry)
    assert ran.statuses == {"a": "completed"} | {f"b{n}": "completed" for n in range(3)}
    assert reports == [HELD]
    assert stage.most == 1
    join_workers()


def test_what_waits_for_a_place_that_is_never_free_fails() -> None:
    stage = Stage()
    ran = _with_pool(stage, Settings(clock=FastClock()))
    stage.events["a"].set()
    assert set(ran.statuses.values()) == {"failed"}
    assert ran.error("b0")["kind"] == "pool"
    assert ran.error("b2")["message"] == (
        "pool 'db' is held by a timed-out attempt of 'a' that has not ended"
    )
    assert [str(each) for each in ran.ending.left] == [
        "'a' was still at work when the run ended, and was left behind"
    ]
    join_workers()


def test_each_try_has_its_own_limit() -> None:
    stage = Stage()
    book = runbook(stage, Spec("a", call="blocked"))
    book["artifacts"]["a"] |= {"timeout": 0.05, "retry": {"max": 2, "on": "TimeoutError"}}
    ran = execute(book, executor=threads(1), settings=Settings(chance=0))
    assert ran.statuses == {"a": "failed"}
    assert len(ran.of(ArtifactStartedRecord)) == 3
    assert [e.error["kind"] for e in ran.of(ArtifactRetriedRecord)] == ["timeout"] * 2
    stage.events["a"].set()
    join_workers()


def test_those_who_come_back_do_not_make_more_workers() -> None:
    """Ten are given up and come back: there are never more at work than there may be."""
    stage = Stage()
    lost = [Spec(f"a{n}", call="blocked") for n in range(10)]
    free = Spec("free", tuple(spec.name for spec in lost), call="sets", args={"event": "x"})
    rest = [Spec(f"c{n}", ("free",)) for n in range(40)]
    book = runbook(stage, *lost, Spec("ok"), free, *rest)
    book["artifacts"]["free"]["inputs"].append("ok")
    for spec in lost:
        book["artifacts"][spec.name] |= {"timeout": 0.05, "optional": True}

    def release(_seq: int, event: object) -> None:
        if getattr(event, "error", None):
            stage.events[getattr(event, "artifact", "")].set()

    ran = execute(book, executor=threads(2), observers=(release,))
    assert ran.statuses["free"] == "completed"
    assert ran.ending.status == "completed"
    late = stage.trace[stage.place("end", "free") :]
    running = most = 0
    for kind, name in late:
        if name.startswith("c"):
            running += 1 if kind == "start" else -1
            most = max(most, running)
    assert 0 < most <= 2
    join_workers()


def test_what_ends_in_time_is_not_touched() -> None:
    stage = Stage()
    book = runbook(stage, *(Spec(f"a{n}") for n in range(50)))
    for artifact in book["artifacts"].values():
        artifact["timeout"] = "1h"
    began = time.monotonic()
    assert set(execute(book).statuses.values()) == {"completed"}
    assert time.monotonic() - began < 5
