from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from waivern.errors import ComponentError, Exit
from waivern.plugins.component import Suspend
from waivern.plugins.context import Context, SharedResults


def test_nothing_counted_gives_no_coverage() -> None:
    assert Context("a", Path("/base")).coverage.document() is None


def test_coverage_adds_up_where_one_name_stands_for_many() -> None:
    ctx = Context("a", Path("/base"))
    ctx.read(3)
    ctx.skipped("a.bin", "binary")
    ctx.skipped("b.bin", "binary")
    ctx.left_out("node_modules/", "excluded", 40)
    ctx.sampled("orders", 10, 500)
    assert ctx.coverage.document() == {
        "seen": 45,
        "read": 3,
        "skipped": 42,
        "left_out": 40,
        "reasons": {"binary": 2, "excluded": 40},
        "items": [
            {"item": "a.bin", "reason": "binary"},
            {"item": "b.bin", "reason": "binary"},
            {"item": "node_modules/", "reason": "excluded", "count": 40},
        ],
        "sampled": [{"item": "orders", "read": 10, "total": 500}],
    }


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), True, "3", None, 1 << 53])
def test_what_is_no_count_is_refused(count: Any) -> None:
    """It would stand in the journal, where nobody could read it any more."""
    ctx = Context("a", Path("/base"))
    tries: list[Callable[[], None]] = [
        lambda: ctx.read(count),
        lambda: ctx.skipped("x", "why", count),
        lambda: ctx.sampled("x", count, None),
    ]
    for tried in tries:
        with pytest.raises(ComponentError, match="not a count"):
            tried()
    assert ctx.coverage.document() is None


def test_log_lines_and_progress_reach_their_sinks() -> None:
    lines: list[str] = []
    steps: list[tuple[int, int | None]] = []
    ctx = Context("a", Path("/base"), lines.append, lambda p: steps.append((p.n, p.total)))
    ctx.log.warning("found %d", 3)
    ctx.progress(1)
    ctx.progress(2, 5)
    assert lines == ["WARNING found 3"]
    assert steps == [(1, None), (2, 5)]


def test_paths_start_from_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    ctx = Context("a", Path("/base"))
    assert ctx.path("x/y") == Path("/base/x/y")
    assert ctx.path("/etc") == Path("/etc")
    assert ctx.path("~/data") == Path("/home/someone/data")


@pytest.mark.parametrize("text", ["a\0b", "~no-such-user-here/x"])
def test_what_is_no_path_is_a_component_error(text: str) -> None:
    with pytest.raises(ComponentError, match="not a path"):
        Context("a", Path("/base")).path(text)


def test_resume_data_is_empty_until_somebody_hands_it_over() -> None:
    assert Context("a", Path("/base")).resume_data == {}
    data = {"decision": "approved"}
    assert Context("a", Path("/base"), resume_data=data).resume_data == data


def test_suspend_says_for_what_and_survives_a_process() -> None:
    raised = pickle.loads(pickle.dumps(Suspend("the export of March", hint="put it into data/")))
    assert isinstance(raised, Suspend)
    assert (raised.reason, raised.hint) == ("the export of March", "put it into data/")
    assert raised.exit_code is Exit.SUSPENDED


def test_what_is_made_once_is_made_once_and_holds_up_nothing_else() -> None:
    memo, began, go_on = SharedResults(), threading.Event(), threading.Event()
    made: list[str] = []

    def slow() -> str:
        began.set()
        assert go_on.wait(10)
        made.append("slow")
        return "x"

    contexts = [Context(name, Path(), memo=memo) for name in "abc"]
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(ctx.once, "slow", slow) for ctx in contexts[:2]]
        assert began.wait(10)
        assert contexts[2].once("other", lambda: "y") == "y"
        go_on.set()
        assert [each.result(10) for each in both] == ["x", "x"]
    assert made == ["slow"]
    with pytest.raises(ZeroDivisionError):
        contexts[0].once("error", lambda: 1 / 0)
    assert contexts[0].once("error", lambda: 1.0) == 1.0
