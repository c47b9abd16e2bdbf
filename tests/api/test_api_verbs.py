"""The verbs for plain code: load, plan, run, resume, replay, approve."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from api_kit import Book, journal

import waivern
from waivern.store.base import RunStore


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return waivern.open_store("memory:" if request.param == "memory" else tmp_path / "store")


def two() -> Book:
    book = Book()
    book.step("a", value={"n": 1})
    book.step("b", "a", value="made")
    return book


# load


def test_a_text_is_a_runbook_without_a_path(store: RunStore) -> None:
    book = two()
    assert book.runbook.document.path is None
    result = waivern.run(book.runbook, store=store, run_id="r")
    assert result.metadata.runbook_path is None
    assert result.metadata.runbook_name == "book"
    assert store.read_json("r", "run")["runbook_path"] is None


def test_relative_paths_of_a_text_start_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("hello")
    text = "artifacts: {files: {source: {type: filesystem, properties: {path: data}}}}"
    result = waivern.run(waivern.load(text=text, folder=tmp_path), store="memory:")
    assert result.error is None
    assert "one.txt" in json.dumps(result.artifacts["files"].message().content)


def test_what_is_loaded_from_a_file_is_run_as_it_was_then(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(two().text)
    runbook = waivern.load(path)
    path.write_text("no: good")
    result = waivern.run(runbook, store="memory:")
    assert result.status is waivern.RunStatus.COMPLETED
    assert result.metadata.runbook_path == str(path)


def test_all_problems_of_a_text_are_told_with_their_places() -> None:
    with pytest.raises(waivern.InvalidError) as caught:
        waivern.load(text="artifacts:\n  a: {source: {typ: x}}\n  b: {inputs: []}\n")
    assert len(caught.value.problems) >= 2
    assert {str(problem.position)[:10] for problem in caught.value.problems} == {"<runbook>:"}


def test_half_a_character_in_a_text_is_refused_as_a_byte_is() -> None:
    with pytest.raises(waivern.InvalidError):
        waivern.load(text="name: \udcff")


def test_a_runbook_comes_from_one_place() -> None:
    with pytest.raises(waivern.UsageError, match="from a path or from a text"):
        waivern.load()
    with pytest.raises(waivern.UsageError, match="from a path or from a text"):
        waivern.load("a.yaml", text="b")


# plan


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    plan = waivern.plan(two().runbook, store=tmp_path / "store")
    assert list(plan.nodes) == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


# run


def test_a_run_gives_its_artifacts_by_name(store: RunStore) -> None:
    result = waivern.run(two().runbook, store=store)
    assert list(result.artifacts) == ["a", "b"]
    made = result.artifacts["b"]
    assert made.message().content == [["a"], "made"]
    assert (made.how, made.schema) == (waivern.How.PRODUCED, "json/1.0.0")
    assert [step.artifact for step in result.steps] == ["a", "b"]
    assert result.state.completed == ("a", "b")
    assert (result.suspended, result.suspended_at, result.error) == (False, None, None)


def test_a_failed_run_is_returned_not_raised(store: RunStore) -> None:
    book = Book()
    book.step("bad", fail=1)
    book.step("left", "bad")
    result = waivern.run(book.runbook, store=store)
    assert result.status is waivern.RunStatus.FAILED
    assert result.error == "bad: ComponentError: it was told to fail"
    assert dict(result.artifacts) == {}
    assert result.state.skipped == ("left",)


def test_an_artifact_that_was_altered_is_not_given(tmp_path: Path) -> None:
    result = waivern.run(two().runbook, store=tmp_path, run_id="r")
    with (tmp_path / "runs" / "r" / "a.json").open("a") as file:
        file.write(" ")
    with pytest.raises(waivern.IntegrityError):
        result.artifacts["a"].message()
    assert waivern.delete_run("r", store=tmp_path)
    with pytest.raises(waivern.NotFoundError):
        result.artifacts["a"].message()


def test_parameters_are_given_as_values(store: RunStore) -> None:
    book = Book()
    book.step("a", value="${params.word}")
    document = json.loads(book.text) | {"params": {"word": {"type": "string"}}}
    runbook = waivern.load(text=json.dumps(document))
    result = waivern.run(runbook, params={"word": "yes"}, store=store, run_id="r")
    assert result.artifacts["a"].message().content == "yes"
    assert result.metadata.params == {"word": "yes"}
    assert waivern.replay("r", store=store).metadata.params == {"word": "yes"}
    with pytest.raises(waivern.InvalidError, match="needs a value"):
        waivern.run(runbook, store=store)
    with pytest.raises(waivern.InvalidError, match="unknown parameter"):
        waivern.plan(runbook, params={"word": "yes", "wort": "no"}, store=store)


def test_an_id_is_used_once(store: RunStore) -> None:
    waivern.run(two().runbook, store=store, run_id="mine")
    with pytest.raises(waivern.RefusedError, match="mine"):
        waivern.run(two().runbook, store=store, run_id="mine")
    with pytest.raises(waivern.UsageError):
        waivern.run(two().runbook, store=store, run_id="../mine")


def test_a_run_works_in_a_thread() -> None:
    results: list[waivern.RunResult] = []
    thread = threading.Thread(
        target=lambda: results.append(waivern.run(two().runbook, store="memory:"))
    )
    thread.start()
    thread.join()
    assert [result.status for result in results] == ["completed"]


async def test_blocking_verbs_are_refused_in_an_event_loop(tmp_path: Path) -> None:
    with pytest.raises(waivern.RefusedError, match="would block") as caught:
        waivern.run(two().runbook, store=tmp_path)
    assert "waivern.stream" in str(caught.value.hint)
    for verb in (waivern.resume, waivern.replay):
        with pytest.raises(waivern.RefusedError, match="would block"):
            verb("r", store=tmp_path)
    with pytest.raises(waivern.RefusedError, match="would block"):
        waivern.approve("r", by="me", store=tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    result = await asyncio.to_thread(waivern.run, two().runbook, store="memory:")
    assert result.status is waivern.RunStatus.COMPLETED


def test_a_project_says_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAIVERN_STORE", raising=False)
    (tmp_path / "waivern.yaml").write_text("persistence: {path: kept}\n")
    (tmp_path / "deep").mkdir()
    waivern.run(two().runbook, project_root=tmp_path / "deep", run_id="r")
    assert (tmp_path / "kept" / "runs" / "r").is_dir()
    assert [run.run_id for run in waivern.list_runs(project_root=tmp_path)] == ["r"]


def test_a_project_without_persistence_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAIVERN_STORE", raising=False)
    (tmp_path / "waivern.yaml").write_text("persistence: {enabled: false}\n")
    result = waivern.run(two().runbook, project_root=tmp_path)
    assert result.artifacts["a"].message().content == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["waivern.yaml"]


# resume, replay, approve


def test_a_failed_run_is_resumed_from_what_it_kept(store: RunStore) -> None:
    book = two()
    book.step("c", "b", fail=1)
    assert waivern.run(book.runbook, store=store, run_id="r").status == "failed"
    result = waivern.resume("r", store=store)
    assert result.status is waivern.RunStatus.COMPLETED
    assert book.stage.calls == ["a", "b", "c", "c"]


def test_what_waits_is_resumed_with_data(store: RunStore) -> None:
    book = Book()
    book.step("waits", ask=True)
    book.step("next", "waits")
    first = waivern.run(book.runbook, store=store, run_id="r")
    assert (first.suspended, first.waiting) == (True, ("waits",))
    assert first.suspended_at is not None
    assert first.reason == "waits: an answer is needed"
    second = waivern.resume("r", data={"answer": 42}, store=store)
    assert second.artifacts["waits"].message().content == 42
    assert (second.suspended, second.suspended_at) == (False, None)


def gate() -> Book:
    book = two()
    book.artifacts["agree"] = {"gate": {"question": "shall we?", "show": ["a"]}}
    book.step("after", "agree")
    return book


def test_a_decision_lets_the_run_go_on(store: RunStore) -> None:
    book = gate()
    assert waivern.run(book.runbook, store=store, run_id="r").waiting == ("agree",)
    decided = waivern.approve("r/agree", by="ada", note="fine", store=store)
    assert decided.result is not None
    assert decided.result.status is waivern.RunStatus.COMPLETED
    assert decided.result.artifacts["agree"].message().content["approved"] is True
    assert book.stage.calls.count("a") == 1


def test_a_decision_can_be_left_for_later(store: RunStore) -> None:
    waivern.run(gate().runbook, store=store, run_id="r")
    decided = waivern.approve("r", by="ada", approved=False, resume=False, store=store)
    assert decided.result is None
    assert journal(store, "r")[-1] == "gate_decided"
    assert waivern.resume("r", store=store).state.failed == ("agree",)


def test_a_replay_is_a_new_run(store: RunStore) -> None:
    book = two()
    waivern.run(book.runbook, store=store, run_id="r")
    result = waivern.replay("r", store=store, run_id="again")
    assert (result.run_id, result.metadata.replay_of) == ("again", "r")
    assert book.stage.calls == ["a", "b", "a", "b"]


async def test_a_stream_is_of_one_thing() -> None:
    for wrong in (
        {"resume": "r", "replay": "r"},
        {"resume": "r", "run_id": "x"},
        {"replay": "r", "data": {"a": 1}},
    ):
        with pytest.raises(waivern.UsageError, match="cannot be combined"):
            waivern.stream(store="memory:", **wrong)


async def test_a_stream_replays(store: RunStore) -> None:
    book = two()
    await waivern.run_async(book.runbook, store=store, run_id="r")
    result = await waivern.run_async(replay="r", store=store)
    assert result.metadata.replay_of == "r"


async def test_a_stream_resumes_with_data(store: RunStore) -> None:
    book = Book()
    book.step("waits", ask=True)
    await waivern.run_async(book.runbook, store=store, run_id="r")
    result = await waivern.run_async(resume="r", data={"answer": "x"}, store=store)
    assert result.artifacts["waits"].message().content == "x"


# the package


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = {*sys.modules}; import waivern; print(*({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["waivern"]


def test_plain_runs_do_not_import_asyncio(tmp_path: Path) -> None:
    """It costs more than all that a small run does."""
    text = "artifacts: {a: {source: {type: filesystem, properties: {path: '.'}}}}"
    code = (
        f"import sys, waivern; r = waivern.run(waivern.load(text={text!r}), store='memory:');"
        "print(r.status, 'asyncio' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["completed", "False"]


def test_every_public_name_is_there_and_documented() -> None:
    names = [name for name in dir(waivern) if name[0] != "_"]
    assert {"run", "stream", "RunFailed", "ExecutionState"} <= {*names}
    for name in names:
        value = getattr(waivern, name)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        waivern.nonsense  # type: ignore[attr-defined]  # noqa: B018


# forecast


def test_a_forecast_takes_the_selection_of_a_run(store: RunStore) -> None:
    book = two()
    assert [each.artifact for each in waivern.forecast(book.runbook, store=store)] == ["a", "b"]
    (only,) = waivern.forecast(book.runbook, store=store, exclude="b")
    assert only.artifact == "a"
