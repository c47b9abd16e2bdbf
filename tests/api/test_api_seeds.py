"""The usage examples of the systems that this one replaces, up to their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from api_kit import Book

import waivern
from waivern import RunHistory, RunStatus, open_store


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes the current folder a project with these settings."""
    monkeypatch.delenv("WAIVERN_STORE", raising=False)
    monkeypatch.chdir(tmp_path)

    def make(settings: str) -> None:
        (tmp_path / "waivern.yaml").write_text(settings)

    return make


def ended() -> None:
    """Run a runbook that completes, one that fails and one that waits, in the default store."""
    for name, do in (("done", {}), ("failed", {"fail": 1}), ("waits", {"ask": True})):
        book = Book()
        book.step("a", **do)
        waivern.run(book.runbook, run_id=name)


def test_the_jsonl_history(project: Callable[[str], None]) -> None:
    """`RunHistory(...).list_runs(limit=, result_filter=)`, `get_run`, `get_run_count`."""
    project("persistence: {enabled: true}")
    ended()
    store = open_store()
    history = RunHistory(store)
    recent_runs = history.list_runs(limit=10)
    failed_runs = history.list_runs(limit=10, result_filter="failed")
    run = history.get_run("done")
    missing = history.get_run("absent")
    total = history.get_run_count()
    successes = history.get_run_count(result_filter="success")
    assert [summary.run_id for summary in recent_runs] == ["waits", "failed", "done"]
    assert [summary.stages_failed for summary in failed_runs] == [["a"]]
    assert run is not None
    assert (run.result, run.failure_reason, run.stages_executed) == ("success", None, ["a"])
    assert (missing, total, successes) == (None, 3, 1)
    # "one object per line, append-only, easy to parse"
    lines = Path(".waivern/runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["run_id"] for line in lines] == ["done", "failed", "waits"]


async def test_the_suspended_runs_of_the_configured_store(
    project: Callable[[str], None],
) -> None:
    """`store = build_run_store(config)`, `for run in store.list_runs(status=...)`."""
    project("persistence: {enabled: true, path: data/runs, persist_step_snapshots: false}")
    from anyio import to_thread

    await to_thread.run_sync(ended)
    store = open_store()
    assert (store.folder or "").endswith("/data/runs")
    found = [
        (run.run_id, run.suspended_at_node) for run in await store.list_runs(status="suspended")
    ]
    assert found == [("waits", "a")]
    assert [run.run_id for run in await store.list_runs(status=RunStatus.FAILED)] == ["failed"]
    assert [run.run_id for run in await store.list_runs(status="completed", limit=0)] == []
    assert await store.list_runs() == ["done", "failed", "waits"]
    with pytest.raises(waivern.UsageError):
        await store.list_runs(status="done")


def test_the_steps_of_a_run(project: Callable[[str], None]) -> None:
    """`(run_id, step_index)` is the key, from 1; errors have a structure; `output_keys`."""
    project("{}")
    book = Book()
    book.step("a")
    book.step("b", "a", fail=9, terms={"retry": {"max": 1, "delay": 0.001}})
    book.step("c", "b")
    waivern.run(book.runbook, run_id="r")
    first, second, third = waivern.load_steps("r")
    assert [(step.run_id, step.step_index) for step in (first, second)] == [("r", 1), ("r", 2)]
    assert (third.run_id, third.step_index, third.component) == ("r", None, None)
    assert first.output_keys == ["a"]
    assert second.output_keys == []
    assert second.duration_ms is not None
    assert second.error is not None
    assert second.error.keys() == {"kind", "message", "hint"}
    assert third.error is not None
    assert (third.error["kind"], third.error["cause"]) == ("skipped", "b")
    assert second.document()["run_id"] == "r"
    assert second.document()["component"] == second.component == "processor:api_step"


def test_a_component_means_the_same_everywhere(project: Callable[[str], None]) -> None:
    project("{}")
    book = Book()
    book.step("a")
    waivern.run(book.runbook, run_id="r")
    (step,) = waivern.load_steps("r")
    (forecast,) = waivern.forecast(book.runbook)
    assert step.completed is not None
    names = {step.component, step.completed.component, forecast.component}
    names |= {step.document()["component"], forecast.document()["component"]}
    assert names == {"connector:api_step"}


async def test_a_retry_says_which_try_of_how_many(project: Callable[[str], None]) -> None:
    project("{}")
    book = Book()
    book.step("a", fail=9, terms={"retry": {"max": 2, "delay": 0.001}})
    retried = [
        (event.attempt, event.max_attempts)
        async for event in waivern.stream(book.runbook, check=False)
        if isinstance(event, waivern.ArtifactRetried)
    ]
    assert retried == [(1, 3), (2, 3)]


@pytest.mark.parametrize("settings", ["{enabled: false}", "{backend: memory}"])
def test_a_store_that_is_switched_off_is_in_memory(
    project: Callable[[str], None], settings: str
) -> None:
    project(f"persistence: {settings}")
    assert open_store().folder is None
    assert open_store("elsewhere").folder is not None
