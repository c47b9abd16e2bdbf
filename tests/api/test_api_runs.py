"""Runs of all kinds, as a program sees them: ended, waiting, at work elsewhere, killed, damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_kit import Book

import waivern
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

STEPS = """
def first():
    return 1

def meet(inputs, ready, go):
    with open(ready, "w") as out:  # both are FIFOs: this waits for the test to read
        out.write("here")
    with open(go) as word:         # and this until it writes
        return word.read()
"""
BOOK = """
name: elsewhere
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:first"}}}
  met:
    inputs: first
    process: {type: python, properties: {call: "steps.py:meet", args: {ready: ready, go: go}}}
"""
RUN = "import waivern; waivern.run('book.yaml', store='store', run_id='live')"


@contextmanager
def elsewhere(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the run `live` in another process, which is at work on `met`."""
    (folder / "steps.py").write_text(STEPS)
    (folder / "book.yaml").write_text(BOOK)
    for name in ("ready", "go"):
        if not (folder / name).exists():
            os.mkfifo(folder / name)
    process = subprocess.Popen([sys.executable, "-c", RUN], cwd=folder, stderr=subprocess.DEVNULL)
    try:
        assert (folder / "ready").read_text() == "here"
        yield process
    finally:
        process.kill()
        process.wait()


def ended(store: RunStore) -> None:
    """Put a completed, a failed and a suspended run there, in this order."""
    for name, do in (("done", {}), ("failed", {"fail": 1}), ("waits", {"ask": True})):
        book = Book()
        book.step("a", **do)
        text = book.text.replace('"name": "book"', f'"name": "{name}"')
        waivern.run(waivern.load(text=text), store=store, run_id=name)


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return waivern.open_store("memory:" if request.param == "memory" else tmp_path / "store")


def ids(runs: list[waivern.RunMetadata]) -> list[str]:
    return [run.run_id for run in runs]


# all kinds of stores


def test_runs_are_listed_newest_first_by_status_and_runbook(store: RunStore) -> None:
    assert waivern.list_runs(store=store) == []
    ended(store)
    assert ids(waivern.list_runs(store=store)) == ["waits", "failed", "done"]
    assert ids(waivern.list_runs(store=store, limit=2)) == ["waits", "failed"]
    assert ids(waivern.list_runs("suspended", store=store)) == ["waits"]
    assert ids(waivern.list_runs(waivern.RunStatus.FAILED, store=store)) == ["failed"]
    assert ids(waivern.list_runs(runbook="done", store=store)) == ["done"]
    assert waivern.list_runs(runbook="other", store=store) == []


def test_a_filter_comes_before_the_limit(store: RunStore) -> None:
    ended(store)
    assert ids(waivern.list_runs("completed", limit=1, store=store)) == ["done"]


def test_a_run_is_loaded_by_any_reference_and_is_none_when_absent(store: RunStore) -> None:
    ended(store)
    for reference in ("failed", "fail", "@last~1", "@failed"):
        run = waivern.load_run(reference, store=store)
        assert run is not None
        assert (run.run_id, run.status) == ("failed", waivern.RunStatus.FAILED)
    assert waivern.load_run("nobody", store=store) is None
    assert waivern.load_run("other@last", store=store) is None
    with pytest.raises(waivern.RunNotFoundError):
        waivern.load_steps("nobody", store=store)


def test_steps_and_state_of_a_run(store: RunStore) -> None:
    book = Book()
    book.step("z", value=1)
    book.step("bad", fail=1)
    book.step("left", "bad", "z")
    waivern.run(book.runbook, store=store, run_id="r")
    steps = waivern.load_steps("r", store=store)
    assert {step.artifact for step in steps[:2]} == {"z", "bad"}
    assert [step.step_index for step in steps] == [1, 2, None]
    assert steps[2].artifact == "left"  # never started
    assert {step.artifact: str(step.status) for step in steps} == {
        "z": "completed",
        "bad": "failed",
        "left": "skipped",
    }
    state = waivern.load_state("r", store=store)
    assert (state.completed, state.failed, state.skipped) == (("z",), ("bad",), ("left",))


def test_a_run_is_deleted_whole(store: RunStore) -> None:
    ended(store)
    assert waivern.delete_run("failed", store=store)
    assert ids(waivern.list_runs(store=store)) == ["waits", "done"]
    assert not waivern.delete_run("failed", store=store)
    assert not waivern.delete_run("fail", store=store)  # a prefix is not enough to delete
    with pytest.raises(waivern.UsageError):
        waivern.delete_run("../store", store=store)


def test_a_run_that_waits_for_a_decision_is_deleted_by_force_only(store: RunStore) -> None:
    ended(store)
    with pytest.raises(waivern.RefusedError, match="waits stays: it waits for a decision"):
        waivern.delete_run("waits", store=store)
    assert ids(waivern.list_runs("suspended", store=store)) == ["waits"]
    assert waivern.delete_run("waits", force=True, store=store)
    assert waivern.list_runs("suspended", store=store) == []


def store_ref(store: RunStore, run: str, name: str) -> ArtifactRef:
    (step,) = [each for each in waivern.load_steps(run, store=store) if each.artifact == name]
    assert step.completed
    return ArtifactRef(name, step.completed.digest, step.completed.content_digest)


def test_a_run_is_redacted(store: RunStore) -> None:
    ended(store)
    before = waivern.load_run("done", store=store)
    assert before is not None
    assert before.holds
    done = waivern.redact_run("done", by="ann", reason="why", store=store)
    assert [item.artifact for item in done.redacted] == list(before.holds)
    assert (dict(done.retained), done.outside) == ({}, ())
    after = waivern.load_run("done", store=store)
    assert after is not None
    assert (after.holds, list(after.redacted)) == ({}, list(before.holds))
    (first, *_) = [step for step in waivern.load_steps("done", store=store) if step.redacted]
    assert first.redacted
    assert (first.redacted.by, first.redacted.reason) == ("ann", "why")
    (name, *_) = before.holds
    ref = store_ref(store, "done", name)
    with pytest.raises(waivern.RedactedError, match=f"'{name}' of run done was redacted on"):
        store.fetch("done", ref)
    with pytest.raises(waivern.RunNotFoundError):
        waivern.redact_run("don", by="ann", store=store)
    with pytest.raises(waivern.ArtifactNotFoundError):
        waivern.redact_run("done", "nothing", by="ann", store=store)
    with pytest.raises(waivern.UsageError):
        waivern.redact_run("done", by="", store=store)


async def test_a_run_that_was_just_left_can_be_deleted(store: RunStore) -> None:
    book = Book()
    book.step("a", value=1)
    book.step("slow", "a", block="coroutine")
    async for event in waivern.stream(book.runbook, store=store, run_id="r"):
        if event.artifact == "slow":
            break
    assert waivern.delete_run("r", store=store)
    assert waivern.load_run("r", store=store) is None


# what only a folder can have


def test_a_run_of_another_process_is_seen_at_work(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with elsewhere(tmp_path) as process:
        (run,) = waivern.list_runs("running", store=store)
        assert (run.run_id, run.runbook_path) == ("live", "book.yaml")
        assert run.attempts[-1]["pid"] == process.pid
        assert ids(waivern.list_runs(runbook="book", store=store)) == ["live"]
        assert waivern.load_state("live", store=store).completed in ((), ("first",))
        with pytest.raises(waivern.RefusedError, match="running"):
            waivern.delete_run("live", store=store)
        with pytest.raises(waivern.RunLockedError):
            waivern.resume("live", store=store)
        (tmp_path / "go").write_text("go")
        process.wait()
    assert ids(waivern.list_runs("completed", store=store)) == ["live"]
    assert waivern.list_runs("running", store=store) == []


def test_a_run_whose_process_was_killed_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
    assert ids(waivern.list_runs("interrupted", store=store)) == ["live"]
    run = waivern.load_run("live", store=store)
    assert run is not None
    assert run.status is waivern.RunStatus.INTERRUPTED
    kept = waivern.load_state("live", store=store).completed

    (tmp_path / "steps.py").write_text(STEPS.replace("with open", "return 'met'\n    with open", 1))
    result = waivern.resume("live", store=store)
    assert result.status is waivern.RunStatus.COMPLETED
    assert result.artifacts["met"].message().content == "met"
    assert result.metadata.attempts[0]["status"] == "interrupted"
    assert set(kept) <= set(result.artifacts)


def test_what_a_signal_raises_ends_the_run_in_its_journal(tmp_path: Path) -> None:
    store = waivern.open_store(tmp_path / "store")
    with elsewhere(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.wait()
    last = store.read_journal("live").lines[-1].record
    assert (last["type"], last["status"], last["reason"]) == (
        "attempt_ended",
        "interrupted",
        "SIGINT",
    )


def test_a_killed_run_can_be_deleted(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as process:
        process.kill()
        process.wait()
    assert waivern.delete_run("live", store=tmp_path / "store")
    assert list((tmp_path / "store" / "runs").iterdir()) == []


def test_a_damaged_run_is_told_of_and_does_not_hide_the_others(tmp_path: Path) -> None:
    ended(waivern.open_store(tmp_path))
    (tmp_path / "runs" / "failed" / "_system" / "run.json").write_text("{")
    with pytest.warns(waivern.CorruptRunWarning, match="run failed: "):
        runs = waivern.list_runs(store=tmp_path)
    assert ids(runs) == ["waits", "done"]
