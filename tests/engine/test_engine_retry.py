"""Trying again: when, how often, after how long, and never what was asked to end."""

from __future__ import annotations

import pytest
from engine_kit import FastClock, Ran, Settings, Spec, execute, inline, runbook
from engine_steps import Stage
from hypothesis import given
from hypothesis import strategies as st

from waivern.engine.calls import Failed
from waivern.engine.retry import delay_s
from waivern.language.artifact_spec import RetrySpec
from waivern.message import Json
from waivern.record.journal_events import (
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactStartedRecord,
)

FAST = Settings(FastClock())


def retried(times: int, terms: Json, *, kind: str = "Flaky", settings: Settings = FAST) -> Ran:
    stage = Stage()
    book = runbook(
        stage,
        Spec("a", call="flaky", args={"times": times, "kind": kind}),
        Spec("b", ("a",)),
    )
    book["artifacts"]["a"]["retry"] = terms
    ran = execute(book, settings=settings)
    assert len(ran.of(ArtifactStartedRecord)) - (
        "b" in [e.artifact for e in ran.of(ArtifactStartedRecord)]
    ) == (ran.record.steps["a"].attempts)
    return ran


def test_until_it_is_well() -> None:
    ran = retried(2, {"max": 3})
    assert ran.statuses == {"a": "completed", "b": "completed"}
    assert ran.ending.exit_code == 0
    assert [(e.artifact, e.error["kind"]) for e in ran.of(ArtifactRetriedRecord)] == [
        ("a", "Flaky")
    ] * 2
    assert ran.record.steps["a"].attempts == 3
    assert ran.record.steps["a"].error is None
    assert [e.step for e in ran.of(ArtifactStartedRecord)] == [1, 1, 1, 2]


def test_no_more_often_than_may_be() -> None:
    ran = retried(9, {"max": 3})
    assert ran.statuses == {"a": "failed", "b": "skipped"}
    assert len(ran.of(ArtifactRetriedRecord)) == 3
    assert ran.record.steps["a"].attempts == 4
    assert len(ran.of(ArtifactFailedRecord)) == 1
    assert ran.ending.exit_code == 1


@pytest.mark.parametrize(
    ("on", "kind", "again"),
    [
        (["Flaky"], "Flaky", True),
        (["Flaky"], "FlakyNetwork", True),
        ("ComponentError", "FlakyNetwork", True),
        (["Exception"], "ValueError", True),
        (["FlakyNetwork"], "Flaky", False),
        (["Flaky"], "ValueError", False),
        (["flaky", "Flak"], "Flaky", False),
        (["KeyError", "ValueError"], "ValueError", True),
        ([], "ValueError", True),
    ],
)
def test_on_what(on: Json, kind: str, again: bool) -> None:
    ran = retried(1, {"max": 1, "on": on}, kind=kind)
    assert ran.statuses["a"] == ("completed" if again else "failed")
    assert len(ran.of(ArtifactRetriedRecord)) == again


@pytest.mark.parametrize("which", ["exit", "interrupt", "cancelled", "generator"])
@pytest.mark.parametrize("call", ["raises", "raises_async"])
def test_what_was_asked_to_end_is_not_tried_again(which: str, call: str) -> None:
    book = runbook(Stage(), Spec("a", call=call, args={"which": which}))
    book["artifacts"]["a"]["retry"] = {"max": 5}
    ran = execute(book, settings=FAST)
    assert ran.statuses == {"a": "failed"}
    assert not ran.of(ArtifactRetriedRecord)


def test_delays_double_and_stay_below_the_most() -> None:
    ran = retried(9, {"max": 6, "delay": "2s", "max_delay": "20s"})
    assert [e.delay_ms for e in ran.of(ArtifactRetriedRecord)] == [
        2000,
        4000,
        8000,
        16000,
        20000,
        20000,
    ]
    ran = retried(9, {"max": 3}, settings=Settings(FastClock(), chance=0.5))
    assert [e.delay_ms for e in ran.of(ArtifactRetriedRecord)] == [500, 1000, 2000]


def test_nothing_else_waits_for_a_delay() -> None:
    """The one waits a year; the run ends when the rest has, for nothing more is to be started."""
    stage = Stage()
    book = runbook(
        stage,
        Spec("a", call="flaky", args={"times": 1}),
        Spec("b"),
        Spec("c", ("b",)),
        Spec("d", ("c",), args={"fail": True}),
    )
    book["artifacts"]["a"]["retry"] = {"max": 1, "delay": "300d", "max_delay": "300d"}
    ran = execute(book, settings=Settings(max_failures=1))
    assert ran.statuses["c"] == "completed"
    assert ran.statuses["d"] == "failed"
    assert ran.statuses["a"] == "not_started"


def test_a_retry_holds_no_place() -> None:
    stage = Stage()
    specs = [Spec(f"a{n}", call="flaky", args={"times": 2}) for n in range(8)]
    book = runbook(stage, *specs)
    for artifact in book["artifacts"].values():
        artifact["retry"] = {"max": 2}
    ran = execute(book, executor=inline, settings=FAST)
    assert set(ran.statuses.values()) == {"completed"}
    assert [kind for kind, _ in stage.trace].count("start") == 24


def test_terms_of_the_component() -> None:
    """Declared by the component where the artifact says nothing."""
    from waivern.builtin.python_function import PythonConnector

    assert not hasattr(PythonConnector, "retry")
    PythonConnector.retry = {"max": 2, "on": "Flaky"}  # type: ignore[attr-defined]
    try:
        book = runbook(Stage(), Spec("a", call="flaky", args={"times": 2}))
        assert execute(book, settings=FAST).statuses == {"a": "completed"}
        book = runbook(Stage(), Spec("a", call="flaky", args={"times": 2}))
        book["artifacts"]["a"]["retry"] = {"max": 1}
        assert execute(book, settings=FAST).statuses == {"a": "failed"}
    finally:
        del PythonConnector.retry  # type: ignore[attr-defined]


# the delay alone

NUMBERS = st.floats(0.001, 1e7)


@given(NUMBERS, NUMBERS, st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_is_within_its_bounds(delay: float, most: float, tried: int, chance: float) -> None:
    failed = Failed("E", "", None, 0, kinds=("E", "Exception", "BaseException", "object"))
    wait = delay_s(
        RetrySpec.model_construct(max=10_000, delay=delay, max_delay=most), failed, tried, chance
    )
    assert wait is not None
    assert 0 <= wait <= most
    longest = delay_s(
        RetrySpec.model_construct(max=10_000, delay=delay, max_delay=most), failed, tried, 1.0
    )
    assert longest is not None
    assert longest == pytest.approx(most) or longest == pytest.approx(delay * 2 ** (tried - 1))
    assert wait == pytest.approx(chance * longest)


@given(st.integers(1, 50), st.integers(1, 60))
def test_there_is_no_delay_after_the_last_try(most: int, tried: int) -> None:
    failed = Failed("E", "", None, 0, kinds=("E", "Exception"))
    assert (delay_s(RetrySpec(max=most), failed, tried, 0.5) is None) == (tried > most)
    assert delay_s(None, failed, tried, 0.5) is None


def test_a_store_that_fails_is_not_asked_again() -> None:
    failed = Failed("StoreError", "", None, 0, store=True, kinds=("StoreError", "Exception"))
    assert delay_s(RetrySpec(max=9), failed, 1, 0.5) is None
