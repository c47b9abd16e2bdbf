"""The history for programs: one row for each run that ended, whatever lies in `runs.jsonl`."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from api_kit import Book

import waivern
from waivern import RunHistory, RunSummary
from waivern.clock import Clock, rfc3339
from waivern.record.journal_events import AttemptStartedRecord, to_record
from waivern.runs import history
from waivern.runs.cancel import cancel
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process

NAMES = (
    "run_id",
    "started_at",
    "ended_at",
    "result",
    "failure_reason",
    "stages_executed",
    "stages_failed",
    "retry_count",
    "metadata",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> RunStore:
    return LocalFilesystemStore(folder)


def run(store: RunStore, run_id: str, **do: Any) -> waivern.RunResult:
    book = Book()
    book.step("a", **do)
    return waivern.run(book.runbook, store=store, run_id=run_id)


def write(folder: Path, *lines: object) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "runs.jsonl").write_text("".join(f"{text}\n" for text in texts))


def line(run_id: str, number: int = 1, **more: Any) -> dict[str, Any]:
    at = rfc3339(1_800_000_000 + number)
    first = {"run_id": run_id, "started_at": at, "ended_at": at, "result": "success"}
    rest = {"failure_reason": None, "stages_executed": ["a"], "stages_failed": []}
    return first | rest | {"retry_count": 0, "metadata": {}} | more


def crash(store: RunStore, run_id: str) -> None:
    """Leave an attempt without an end and without a process."""
    lease = store.lock(run_id, this_process())
    owner = {"host": "h", "pid": 1}
    event = AttemptStartedRecord(Clock().now(), owner, "sha256:0")
    lease.append([to_record(event)], sync=True)
    lease.release()


def test_the_rows_of_the_seed(store: RunStore) -> None:
    run(store, "good")
    run(store, "bad", fail=1)
    run(store, "waits", ask=True)
    found = RunHistory(store)
    assert [row.run_id for row in found.list_runs()] == ["waits", "bad", "good"]
    assert [row.result for row in found.list_runs()] == ["stopped", "failed", "success"]
    (bad,) = found.list_runs(limit=10, result_filter="failed")
    assert isinstance(bad, RunSummary)
    assert tuple(bad.document())[:9] == NAMES
    assert (bad.stages_executed, bad.stages_failed, bad.retry_count) == (["a"], ["a"], 0)
    assert bad.failure_reason is not None
    assert bad.failure_reason.startswith("a: ")
    assert found.get_run("bad") == bad
    assert found.get_run("absent") is None
    assert (found.get_run_count(), found.get_run_count("failed")) == (3, 1)
    assert found.get_run_count(result_filter="success") == 1
    assert [row.run_id for row in found.list_runs(1)] == ["waits"]
    assert found.list_runs(0) == []


def test_a_store_is_a_path_too_and_may_be_empty(folder: Path) -> None:
    assert RunHistory(folder).list_runs() == []
    assert RunHistory(folder).get_run_count() == 0


@pytest.mark.parametrize("wrong", [{"result_filter": "failure"}, {"limit": -1}, {"limit": "3"}])
def test_arguments_are_checked(store: RunStore, wrong: dict[str, Any]) -> None:
    with pytest.raises(waivern.UsageError):
        RunHistory(store).list_runs(**wrong)


def test_a_run_has_one_row_its_latest_ended_attempt(store: RunStore) -> None:
    run(store, "r", ask=True)
    waivern.resume("r", data={"x": 1}, store=store)
    (row,) = RunHistory(store).list_runs()
    assert row.attempt == 2
    lease = store.lock("r", this_process())
    crashed = AttemptStartedRecord(Clock().now(), {"host": "h", "pid": 1}, "sha256:0")
    lease.append([to_record(crashed)], sync=True)
    (live,) = RunHistory(store).list_runs()
    assert live.attempt == 2  # the third one is at work
    lease.release()
    (row,) = RunHistory(store).list_runs()  # without a writer: it crashed
    assert (row.attempt, row.result, row.status) == (3, "stopped", "interrupted")
    assert len(store.read_history("r")) == 2, "a reader wrote a line"


def test_a_first_attempt_that_runs_is_no_row_and_one_that_crashed_is(store: RunStore) -> None:
    run(store, "r")
    history_file = Path(store.folder or "") / "runs.jsonl"
    history_file.unlink()
    (row,) = RunHistory(store).list_runs()  # its line is lost, its folder is the truth
    assert (row.result, row.stages_executed) == ("success", ["a"])
    crash(store, "r")
    (row,) = RunHistory(store).list_runs(result_filter="stopped")
    assert "killed" in str(row.failure_reason)


def test_a_removed_run_stays_a_row_and_its_id_may_be_used_again(store: RunStore) -> None:
    run(store, "r", fail=1)
    assert waivern.delete_run("r", store=store)
    (gone,) = RunHistory(store).list_runs()
    assert gone.result == "failed"
    run(store, "r", ask=True)
    rows = RunHistory(store).list_runs()
    assert [row.result for row in rows] == ["stopped", "failed"]
    newest = RunHistory(store).get_run("r")
    assert newest is not None
    assert newest.result == "stopped"
    # the lines of the removed run are not those of this one: its crash is recorded
    crash(store, "r")
    cancel(store, "r", "ann", None, Clock())
    assert [each["attempt"] for each in store.read_history("r")][-1] == 2
    assert RunHistory(store).get_run_count() == 2


def test_lines_whose_folder_is_gone_and_lines_of_other_programs_are_kept(folder: Path) -> None:
    write(folder, line("old"), line("newer", 5, result="failed", other={"x": 1}, attempt=2))
    rows = RunHistory(folder).list_runs()
    assert [(row.run_id, row.result) for row in rows] == [("newer", "failed"), ("old", "success")]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[" * 100_000,
        "1" * 10_000,
        "\0\x1b[2J\ud7ff",
        "[]",
        line("r", result="well"),
        line("r", result=None),
        line("r", ended_at=None),
        line("r", retry_count="0"),
        line("r", stages_executed=[1]),
        line("r", metadata=[]),
        {"run_id": "r", "result": "success"},
        line("r", attempt=True),
    ],
)
def test_a_bad_line_is_skipped_with_a_warning(folder: Path, bad: object) -> None:
    write(folder, line("one"), bad, line("two", 2))
    with pytest.warns(waivern.CorruptRunWarning, match="1 line is no summary") as caught:
        rows = RunHistory(folder).list_runs()
    assert [row.run_id for row in rows] == ["two", "one"]
    assert caught[0].filename == __file__


def test_an_empty_line_and_a_torn_one_lose_nothing(folder: Path) -> None:
    write(folder, line("one"), "", "  ")
    with (folder / "runs.jsonl").open("a") as file:
        file.write('{"run_id": "torn"')
    with pytest.warns(waivern.CorruptRunWarning):
        assert [row.run_id for row in RunHistory(folder).list_runs()] == ["one"]


def test_a_run_of_the_first_form_is_a_row(folder: Path) -> None:
    system = folder / "runs/old/_system"
    system.mkdir(parents=True)
    head = {"run_id": "old", "runbook_path": "b.yaml", "runbook_hash": "sha256:0"}
    at = {"started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:02Z"}
    (system / "run.json").write_text(json.dumps(head | at | {"status": "failed"}))
    state = {"completed": [], "not_started": [], "failed": ["x"], "skipped": []}
    (system / "state.json").write_text(json.dumps(state | {"last_checkpoint": None}))
    (row,) = RunHistory(folder).list_runs()
    assert (row.result, row.stages_failed, row.duration_ms) == ("failed", ["x"], 2000)


def test_a_damaged_run_raises_nothing(store: RunStore, folder: Path) -> None:
    run(store, "r")
    (folder / "runs/r/_system/events.jsonl").write_text("{}\n")
    (folder / "runs.jsonl").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert RunHistory(store).get_run_count() in (0, 1)


def test_annotations_are_those_of_now(store: RunStore) -> None:
    book = Book()
    book.step("a")
    text = {"name": "nightly", "tags": ["b", "a", "b"], "meta": {"ticket": "P-17"}}
    waivern.run(book.runbook, store=store, run_id="r", metadata=text)
    (row,) = RunHistory(store).list_runs()
    assert row.metadata == {"name": "nightly", "tags": ["a", "b"], "meta": {"ticket": "P-17"}}
    assert [run.run_id for run in waivern.list_runs(tags="a", store=store)] == ["r"]
    assert waivern.list_runs(tags=["a", "c"], store=store) == []
    assert waivern.list_runs(since="1h", until="2200-01-01", store=store) != []
    assert waivern.list_runs(until="2020-01-01", store=store) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": []},
        {"tags": "audit"},
        {"tags": ["a,b"]},
        {"tags": [3]},
        {"tags": [f"t{n}" for n in range(33)]},
        {"name": "two\nlines"},
        {"note": "\x1b[2J"},
        {"note": "x" * 2001},
        {"meta": {"k": 1}},
        {"meta": {"k=": "v"}},
        {"meta": {"k": "v" * 501}},
        {"note": "\udcff"},
    ],
)
def test_annotations_are_bounded(store: RunStore, wrong: dict[str, Any]) -> None:
    book = Book()
    book.step("a")
    with pytest.raises(waivern.UsageError):
        waivern.run(book.runbook, store=store, metadata=wrong)
    assert store.runs() == []


def test_ten_thousand_lines_are_read_at_once(folder: Path) -> None:
    write(folder, *(line(f"run-{n}", n, stages_executed=["a"] * 20) for n in range(10_000)))
    begin = time.process_time()
    assert RunHistory(folder).get_run_count() == 10_000
    assert time.process_time() - begin < 3, "it takes about 0.2 s"
    assert len(history.rows(LocalFilesystemStore(folder)).rows) == 10_000
