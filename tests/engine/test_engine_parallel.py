"""What runs at the same time as what, and where. Components wait for each other, never for time."""

from __future__ import annotations

import threading

import pytest
from engine_kit import Spec, execute, runbook, threads
from engine_steps import Stage


def test_no_barrier_between_levels() -> None:
    """`slow` is of the first level, and ends only when `fast3`, of the fourth, has begun."""
    stage = Stage()
    ran = execute(
        runbook(
            stage,
            Spec("slow", call="blocked"),
            Spec("fast"),
            Spec("fast1", ("fast",)),
            Spec("fast2", ("fast1",)),
            Spec("fast3", ("fast2",), call="sets", args={"event": "slow"}),
            Spec("last", ("slow", "fast3")),
        ),
        executor=threads(2),
    )
    assert ran.ending.status == "completed"
    assert stage.place("end", "fast3") < stage.place("end", "slow")


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("call", ["together", "together_async"])
def test_as_many_as_allowed_and_no_more(call: str, width: int) -> None:
    """Every one waits until `width` are at it; more than that never are."""
    stage = Stage()
    stage.barrier = threading.Barrier(width)
    specs = [Spec(f"a{n}", call=call) for n in range(3 * width)]
    ran = execute(runbook(stage, *specs), executor=threads(width))
    assert ran.ending.status == "completed"
    assert stage.most == width


@pytest.mark.parametrize("width", [2, 4])
def test_those_that_follow_an_idle_worker_begin_together(width: int) -> None:
    """They are submitted at one go while the one worker there is has nothing to do."""
    for _ in range(20):
        stage = Stage()
        stage.barrier = threading.Barrier(width)
        specs = [Spec(f"a{n}", ("first",), call="together_after") for n in range(width)]
        ran = execute(runbook(stage, Spec("first"), *specs), executor=threads(width))
        assert ran.ending.status == "completed"


def test_sync_and_async_count_together() -> None:
    stage = Stage()
    specs = [Spec(f"a{n}", call="source" if n % 2 else "source_async", args={}) for n in range(40)]
    ran = execute(runbook(stage, *specs), executor=threads(3))
    assert ran.ending.status == "completed"
    assert 1 <= stage.most <= 3


def test_where_components_run() -> None:
    """Plain functions on threads without an event loop, coroutines on a loop of their own."""
    stage = Stage()
    ran = execute(
        runbook(
            stage,
            Spec("sync"),
            Spec("async", call="source_async"),
            Spec("after", ("async",)),
            Spec("after_async", ("sync",), call="derived_async"),
        )
    )
    assert ran.ending.status == "completed"
    assert stage.on_loop == {"sync": False, "async": True, "after": False, "after_async": True}
    assert threading.current_thread().name not in stage.threads.values()


def test_a_blocked_thread_holds_up_no_coroutine() -> None:
    stage = Stage()
    ran = execute(
        runbook(
            stage,
            Spec("slow", call="blocked"),
            Spec("async", call="source_async"),
            Spec("async2", ("async",), call="derived_async"),
            Spec("then", ("async2",), call="sets", args={"event": "slow"}),
        ),
        executor=threads(2),
    )
    assert ran.ending.status == "completed"
    assert stage.place("end", "async2") < stage.place("end", "slow")


def test_a_blocked_coroutine_holds_up_no_thread() -> None:
    stage = Stage()
    ran = execute(
        runbook(
            stage,
            Spec("slow", call="blocked_async"),
            Spec("sync"),
            Spec("then", ("sync",), call="sets", args={"event": "slow"}),
        ),
        executor=threads(2),
    )
    assert ran.ending.status == "completed"
    assert stage.place("end", "then") < stage.place("end", "slow")


def test_a_run_ends_its_threads() -> None:
    stage = Stage()
    execute(runbook(stage, *(Spec(f"a{n}") for n in range(10))), executor=threads(4))
    left = [t for t in threading.enumerate() if t.name.startswith("waivern-worker")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
