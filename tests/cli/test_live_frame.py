"""The lines of the live view, for states and terminals of any size."""

from __future__ import annotations

import pytest

from waivern.cli.ui.live_frame import Terminal, frame, remaining_s
from waivern.cli.ui.progress_state import ProgressState
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactFailedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    RunStartedRecord,
)

AT = "2026-11-30T12:00:00.000Z"


def state_of(names: list[str], aliases: dict[str, list[str]] | None = None) -> ProgressState:
    started = RunStartedRecord(AT, "r", names, {}, {}, "/", "book", "", None, aliases=aliases or {})
    state = ProgressState()
    state.begin(RunRecord(started), lambda name: f"processor:kind_of_{name}", 0.0)
    return state


def start(state: ProgressState, *names: str, at: float = 0.0) -> None:
    for name in names:
        state.apply(ArtifactStartedRecord(AT, name, 1, "connector:python", []), at)


def fail(state: ProgressState, name: str, message: str = "no") -> None:
    state.apply(ArtifactFailedRecord(AT, name, {"kind": "E", "message": message}, 5), 1.0)


def shown(
    state: ProgressState, width: int = 100, height: int = 24, *, unicode: bool = True
) -> list[str]:
    lines = frame(state, 10.0, 0, Terminal(width, height, unicode), lambda _name: 25_000, None)
    return [line.text for line in lines]


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40, 20])
@pytest.mark.parametrize("height", [50, 8, 3])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_and_all_fit(width: int, height: int, *, unicode: bool) -> None:
    names = [f"artifact_with_a_long_name_{n}" for n in range(9)]
    state = state_of(names)
    start(state, *names[:6])
    fail(state, names[1], "the server said \x1b[31m 日本語 " + "x" * 300)
    state.progress(names[0], Progress(3, 10, 1 << 20, 1 << 22, 1234))
    lines = shown(state, width, height, unicode=unicode)
    assert len(lines) < height
    for line in lines:
        wide = sum(2 if "\u3000" <= each <= "\u9fff" else 1 for each in line)
        assert wide < width
        assert line.isprintable()
        assert unicode or line.isascii()


def test_progress_findings_and_what_is_left_by_speed_or_as_usual() -> None:
    state = state_of(["a", "b"])
    start(state, "a", "b")
    state.progress("a", Progress(120, 400, 3 << 20, 12 << 20, 12))
    a, b, totals = shown(state, 120)
    assert a.endswith("120/400  3.0 MiB of 12.0 MiB  25%  12 findings  about 30s left")
    assert b.endswith("10.0s  about 15s left")
    assert totals == "  0/2  2 running  12 findings  10s"


def test_what_failed_then_what_runs_then_what_waits_where_not_all_have_room() -> None:
    names = [f"a{n:02}" for n in range(40)]
    state = state_of(names)
    start(state, *names[:4])
    state.apply(ArtifactSuspendedRecord(AT, "a00", "why", gate=False), 1.0)
    fail(state, "a03")
    lines = [line.split() for line in shown(state, height=8)]
    assert [line[1] for line in lines[:4]] == ["a03", "a01", "a02", "a00"]
    assert " ".join(lines[4]) == "… 36 not started"
    assert lines[5][0] == "1/40"


def test_a_fan_out_is_one_line_and_what_runs_of_it_is_below_if_there_is_room() -> None:
    parts = [f"scan/{n}" for n in range(9)]
    state = state_of(["a", *parts, "z"], {"scan": parts})
    start(state, *parts[:3])
    fail(state, parts[1], "no route")
    lines = shown(state, height=8)
    assert [" ".join(line.split()[1:4]) for line in lines[:-1]] == [
        "a not started",
        "scan (9) failed",
        "scan/0 running python",
        "scan/1 failed python",
        "scan/2 running python",
        "z not started",
    ]
    assert "0 of 9  1 failed  2 running" in lines[1]
    assert len(shown(state, height=5)) == 4


def test_the_rest_is_the_longest_chain_or_the_work_on_all_slots() -> None:
    state = state_of(["a", "b", "c", "d"])
    start(state, "a")
    chain = {"a": [], "b": ["a"], "c": ["b"], "d": []}
    usual = {"a": 4_000, "b": 1_000, "c": 2_000, "d": 500}
    assert remaining_s(state, 1.0, chain, usual.get, 2) == 6.0
    assert remaining_s(state, 1.0, {key: [] for key in usual}, usual.get, 1) == 6.5
    assert remaining_s(state, 1.0, chain, {"a": 1}.get, 1) is None
