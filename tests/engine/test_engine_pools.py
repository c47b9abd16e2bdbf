"""Pools, and what a failure comes to: skip, continue, fail."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from engine_kit import FastClock, Settings, Spec, execute, runbook, threads
from engine_steps import STAGES, Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.message import Json


def pooled(token: str, name: str, pool: str, times: int) -> Json:
    """Fail so many times; count how many of the pool are at work."""
    stage = STAGES[token]
    with stage.lock:
        counts: Counter[str] = vars(stage).setdefault("counts", Counter())
        most: Counter[str] = vars(stage).setdefault("high", Counter())
        tries: Counter[str] = vars(stage).setdefault("tries", Counter())
        counts[pool] += 1
        most[pool] = max(most[pool], counts[pool])
        tries[name] += 1
        tried = tries[name]
    threading.Event().wait(0.0005)  # let others in, if they may
    with stage.lock:
        counts[pool] -= 1
    if tried <= times:
        raise ValueError(name)
    return name


@settings(max_examples=25, deadline=None)
@given(
    pools=st.dictionaries(st.sampled_from("xyz"), st.integers(1, 3), min_size=1),
    data=st.data(),
)
def test_a_pool_never_holds_more_than_it_may(pools: dict[str, int], data: st.DataObject) -> None:
    stage = Stage()
    book: dict[str, Json] = {"artifacts": {}, "config": {"pools": pools}}
    for n in range(data.draw(st.integers(1, 16))):
        pool = data.draw(st.sampled_from(sorted(pools)))
        args: dict[str, Json] = {"token": stage.token, "name": f"a{n}", "pool": pool}
        args["times"] = data.draw(st.integers(0, 2))
        call = {"call": "test_engine_pools:pooled", "args": args}
        book["artifacts"][f"a{n}"] = {
            "source": {"type": "python", "properties": call},
            "pool": pool,
            "retry": {"max": 2},
        }
    ran = execute(book, executor=threads(6), settings=Settings(FastClock()))
    assert set(ran.statuses.values()) == {"completed"}
    high = vars(stage)["high"]
    assert high
    assert all(high[pool] <= pools[pool] for pool in high)


def test_a_full_pool_holds_up_nobody_else() -> None:
    stage = Stage()
    book = runbook(
        stage,
        Spec("a", call="blocked"),
        *(Spec(f"b{n}") for n in range(100)),
        Spec("c"),
        Spec("d", ("c",), call="sets", args={"event": "a"}),
    )
    book["config"] = {"pools": {"db": 1}}
    for name, artifact in book["artifacts"].items():
        if name[0] in "ab":
            artifact["pool"] = "db"
    ran = execute(book, executor=threads(2))
    assert set(ran.statuses.values()) == {"completed"}
    assert stage.place("end", "d") < stage.place("end", "a")


# what a failure comes to


def failing(terms: dict[str, Json], config: dict[str, Json] | None = None) -> dict[str, Json]:
    book = runbook(
        Stage(),
        Spec("a", args={"fail": True}),
        Spec("b", ("a",)),
        Spec("both", ("a", "ok")),
        Spec("ok"),
        Spec("later", ("ok",)),
    )
    book["artifacts"]["a"] |= terms
    book["artifacts"]["ok"]["after"] = ["start"]
    book["artifacts"]["start"] = book["artifacts"]["ok"] | {"after": None}
    return book | ({"config": config} if config else {})


@pytest.mark.parametrize(
    ("terms", "config"),
    [({"on_error": "continue"}, None), ({"optional": True}, None), ({}, {"on_error": "continue"})],
)
def test_continue(terms: dict[str, Json], config: dict[str, Json] | None) -> None:
    ran = execute(failing(terms, config))
    assert ran.statuses["a"] == "failed"
    assert ran.statuses["b"] == "skipped"
    assert ran.statuses["both"] == ran.statuses["later"] == "completed"
    assert (ran.ending.status, ran.ending.exit_code) == ("completed", 0)


@pytest.mark.parametrize(
    ("terms", "config"), [({"on_error": "skip"}, {"on_error": "fail"}), ({}, None)]
)
def test_skip(terms: dict[str, Json], config: dict[str, Json] | None) -> None:
    ran = execute(failing(terms, config))
    assert ran.statuses["b"] == ran.statuses["both"] == "skipped"
    assert ran.statuses["later"] == "completed"
    assert (ran.ending.status, ran.ending.exit_code) == ("failed", 1)


@pytest.mark.parametrize(
    ("terms", "config", "most"),
    [
        ({"on_error": "fail"}, None, None),
        ({}, {"on_error": "fail"}, None),
        ({}, None, 1),
    ],
)
def test_fail(terms: dict[str, Json], config: dict[str, Json] | None, most: int | None) -> None:
    """Nothing more is started, what was not is `not_started`, and a resume would go on."""
    ran = execute(failing(terms, config), executor=threads(1), settings=Settings(max_failures=most))
    assert ran.statuses["a"] == "failed"
    assert ran.statuses["b"] == ran.statuses["both"] == "skipped"
    assert ran.statuses["later"] == "not_started"
    assert (ran.ending.status, ran.ending.exit_code) == ("failed", 1)
    assert ran.ending.reason == "fail_fast"
    assert "told to fail" in str(ran.ending.error)


def test_so_many_failures_and_no_more() -> None:
    stage = Stage()
    specs = [Spec(f"a{n}", (f"b{n}",), args={"fail": True}) for n in range(10)]
    starts = [Spec(f"b{n}", (f"a{n - 1}",) if n else ()) for n in range(10)]
    book = runbook(stage, *specs, *starts)
    for n in range(1, 10):  # each after the failure of the one before, without needing it
        del book["artifacts"][f"b{n}"]["inputs"], book["artifacts"][f"b{n}"]["process"]
        own = runbook(stage, Spec(f"b{n}"))["artifacts"][f"b{n}"]
        own["when"] = f"status.a{n - 1} == 'failed'"
        book["artifacts"][f"b{n}"] = own
    ran = execute(book, settings=Settings(max_failures=3))
    assert Counter(ran.statuses.values()) == {"failed": 3, "completed": 3, "not_started": 14}
    assert "(and 2 more)" in str(ran.ending.error)


def test_after_is_order_that_is_needed() -> None:
    stage = Stage()
    book = runbook(
        stage,
        Spec("a"),
        Spec("b", args={"fail": True}),
        Spec("c"),
        Spec("d"),
        Spec("e"),
        Spec("o", args={"fail": True}, optional=True),
    )
    book["artifacts"]["c"]["after"] = "a"
    book["artifacts"]["d"]["after"] = ["a", "b"]
    book["artifacts"]["e"]["after"] = ["o", "c"]
    ran = execute(book)
    assert ran.statuses["c"] == ran.statuses["e"] == "completed"
    assert ran.statuses["d"] == "skipped"
    assert ran.error("d")["cause"] == "b"
    assert stage.place("end", "a") < stage.place("start", "c")
    assert stage.place("end", "o") < stage.place("start", "e")
