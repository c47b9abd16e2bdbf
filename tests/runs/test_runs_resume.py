"""Resuming: what is there and intact is kept, the rest is made, and nothing else happens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.diagnostics import InvalidError
from waivern.errors import (
    IntegrityError,
    RefusedError,
    RunLockedError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    to_record,
)
from waivern.runs import queries
from waivern.store.lock import this_process


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


CHAIN = [make("a"), make("x"), join("b", "a"), join("c", "b", "x")]


async def test_a_run(book: Book) -> None:
    book.write(*CHAIN, name="My book", version="7")
    result = await book.start()
    assert (result.status, result.exit_code, result.error) == ("completed", 0, None)
    run = book.document(result.run_id)
    assert run["run_id"] == result.run_id
    assert run["runbook_path"] == str(book.path)
    assert (run["runbook_name"], run["runbook_version"]) == ("My book", "7")
    assert run["completed_at"] is not None
    assert [attempt["status"] for attempt in run["attempts"]] == ["completed"]
    assert book.document(result.run_id, "_system/state")["completed"] == ["a", "b", "c", "x"]
    assert book.content(result.run_id, "c")["of"] == ["b", "x"]
    assert (book.run(result.run_id) / "_system/runbook.yaml").read_bytes() == book.path.read_bytes()
    envelope = book.document(result.run_id, "b")
    assert envelope["source"] == "processor:python"
    assert envelope["run_id"] == result.run_id
    assert book.store.owner(result.run_id) is None


async def test_an_id_of_ones_own(book: Book) -> None:
    book.write(make("a"))
    assert (await book.start(run_id="mine")).run_id == "mine"
    with pytest.raises(RefusedError, match="already"):
        await book.start(run_id="mine")
    for bad in ("../x", "a/b", "_system", ".."):
        with pytest.raises(UsageError):
            await book.start(run_id=bad)
    assert book.store.runs() == ["mine"]
    assert book.calls() == {"a": 1}


async def test_nothing_to_do_appends_nothing(book: Book) -> None:
    book.write(*CHAIN)
    first = await book.start()
    before, history = book.files(first.run_id), book.history()
    book.calls()
    again = await book.resume(first.run_id)
    assert again.nothing_to_do
    assert (again.status, again.exit_code) == ("completed", 0)
    after = book.files(first.run_id)
    del before["_system/lock"], after["_system/lock"]  # who held it last
    assert after == before
    assert book.history() == history
    assert book.calls() == {}
    assert book.store.owner(first.run_id) is None


async def test_failed_then_mended(book: Book) -> None:
    book.write(*CHAIN)
    book.fail("b")
    first = await book.start()
    assert (first.status, first.exit_code) == ("failed", 1)
    assert first.error == "b: RuntimeError: b was told to fail"
    run = book.document(first.run_id)
    assert run["error"] == first.error
    assert run["completed_at"] is not None
    state = book.document(first.run_id, "_system/state")
    assert (state["completed"], state["failed"], state["skipped"]) == (["a", "x"], ["b"], ["c"])
    assert "b.json" not in book.files(first.run_id)
    book.calls()

    book.fail("b", False)
    second = await book.resume(first.run_id)
    assert (second.run_id, second.status) == (first.run_id, "completed")
    assert book.calls() == {"b": 1, "c": 1}
    run = book.document(first.run_id)
    assert (run["error"], run["status"]) == (None, "completed")
    assert [attempt["status"] for attempt in run["attempts"]] == ["failed", "completed"]
    assert run["started_at"] == run["attempts"][0]["started_at"]
    ended = [e.duration_ms for e in book.events(first.run_id) if isinstance(e, AttemptEndedRecord)]
    assert len(ended) == 2
    assert run["duration_ms"] == sum(ended)
    record = queries.load(book.store, first.run_id)
    assert {n: s.attempts for n, s in record.steps.items()} == {"a": 1, "x": 1, "b": 2, "c": 1}
    indexes = sorted(step.step_index or 0 for step in record.steps.values())
    assert indexes == [1, 2, 3, 4]


async def test_resuming_what_still_fails(book: Book) -> None:
    book.write(*CHAIN)
    book.fail("b")
    first = await book.start()
    again = await book.resume(first.run_id)
    assert (again.status, again.exit_code) == ("failed", 1)
    assert book.calls() == {"a": 1, "x": 1, "b": 2}


@pytest.mark.parametrize("damage", ["byte", "longer", "missing", "empty", "link"])
async def test_what_is_not_intact_is_made_again(book: Book, damage: str, tmp_path: Path) -> None:
    book.write(*CHAIN)
    first = await book.start()
    file = book.run(first.run_id) / "b.json"
    data = file.read_bytes()
    outside = tmp_path / "outside.json"
    outside.write_bytes(data)
    file.unlink()
    match damage:
        case "byte":
            file.write_bytes(data.replace(b'"b"', b'"B"', 1))
        case "longer":
            file.write_bytes(data + b"\n")
        case "empty":
            file.write_bytes(b"")
        case "link":
            file.symlink_to(outside)
    book.calls()
    again = await book.resume(first.run_id)
    assert again.status == "completed"
    assert not again.nothing_to_do
    assert book.calls() == {"b": 1, "c": 1}  # and what was made from it
    assert book.content(first.run_id, "b")["name"] == "b"
    assert not file.is_symlink()
    assert outside.read_bytes() == data
    attempt = [e for e in book.events(first.run_id) if isinstance(e, AttemptStartedRecord)][-1]
    assert attempt.invalidated.keys() == {"b", "c"}
    fault = (
        "not a regular file" if damage == "link" else "missing" if damage == "missing" else "alt"
    )
    assert fault in attempt.invalidated["b"]
    assert (await book.resume(first.run_id)).nothing_to_do


async def test_an_attempt_that_was_killed(book: Book) -> None:
    """Its journal has no end; what it completed is kept."""
    book.write(*CHAIN)
    first = await book.start()
    events = book.run(first.run_id) / "_system/events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    done = [
        n for n, e in enumerate(book.events(first.run_id)) if isinstance(e, ArtifactCompletedRecord)
    ]
    for name in ("run.json", "state.json"):
        (events.parent / name).unlink()
    events.write_bytes(b"".join(lines[: done[1] + 1]) + lines[done[1] + 1][:20])
    book.calls()
    row = queries.look(book.store, first.run_id)
    assert row.status in ("interrupted", "corrupt")  # run.json is gone too
    kept = {e.artifact for e in book.events(first.run_id) if isinstance(e, ArtifactCompletedRecord)}
    assert len(kept) == 2
    assert (await book.resume(first.run_id)).status == "completed"
    assert set(book.calls()) == {"a", "b", "c", "x"} - kept
    attempts = book.document(first.run_id)["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["interrupted", "completed"]


async def test_refused_while_it_is_held(book: Book) -> None:
    book.write(make("a"))
    first = await book.start()
    lease = book.store.lock(first.run_id, this_process())
    with pytest.raises(RunLockedError, match="process"):
        await book.resume(first.run_id)
    lease.release()
    assert (await book.resume(first.run_id)).nothing_to_do


async def test_a_damaged_journal_is_refused_and_let_go(book: Book) -> None:
    book.write(make("a"))
    first = await book.start()
    events = book.run(first.run_id) / "_system/events.jsonl"
    events.write_bytes(events.read_bytes().replace(b"run_started", b"run_stopped"))
    with pytest.raises(IntegrityError, match="journal line 1 is damaged"):
        await book.resume(first.run_id)
    assert book.store.owner(first.run_id) is None


async def test_cancelled_needs_force(book: Book) -> None:
    book.write(*CHAIN)
    book.fail("b")
    first = await book.start()
    at = "2026-01-01T00:00:00.000Z"
    lease = book.store.lock(first.run_id, this_process())
    digest = book.document(first.run_id)["runbook_hash"]
    events: list[Event] = [
        AttemptStartedRecord(at, {"host": "h", "pid": 1}, digest),
        AttemptEndedRecord(at, "cancelled", None, None, 1),
    ]
    lease.append(map(to_record, events), sync=True)
    lease.release()
    book.fail("b", False)
    book.calls()
    with pytest.raises(RefusedError, match="was cancelled") as raised:
        await book.resume(first.run_id)
    assert "--force" in (raised.value.hint or "")
    assert book.calls() == {}
    assert book.store.owner(first.run_id) is None

    second = await book.resume(first.run_id, force=True)
    assert second.status == "completed"
    assert book.calls() == {"b": 1, "c": 1}
    last = [e for e in book.events(first.run_id) if isinstance(e, AttemptStartedRecord)][-1]
    assert last.forced == ["force"]


async def test_an_optional_artifact_that_comes_after_all(book: Book) -> None:
    book.write(make("o", optional=True), make("a"), join("b", "o", "a"), join("c", "b"), make("z"))
    book.fail("o")
    first = await book.start()
    assert first.status == "completed"
    assert book.content(first.run_id, "b")["of"] == ["a"]
    book.calls()
    book.fail("o", False)
    second = await book.resume(first.run_id)
    assert second.status == "completed"
    assert book.content(first.run_id, "b")["of"] == ["o", "a"]
    assert book.calls() == {"o": 1, "b": 1, "c": 1}
    assert (await book.resume(first.run_id)).nothing_to_do


async def test_what_is_made_again_alike_changes_nothing_behind_it(book: Book) -> None:
    """`b` is made from other inputs than before, but comes out the same: `c` is kept."""
    steps = book.folder / "steps.py"
    steps.write_text(
        steps.read_text() + "\ndef same(inputs, name):\n    _step(name)\n    return 1\n"
    )
    same = join("b", "o", "a")
    same["b"]["process"]["properties"] = {"call": "steps.py:same", "args": {"name": "b"}}
    after = join("c", "b")
    after["c"]["process"]["properties"] = {"call": "steps.py:same", "args": {"name": "c"}}
    book.write(make("o", optional=True), make("a"), same, after)
    book.fail("o")
    first = await book.start()
    book.calls()
    book.fail("o", False)
    assert (await book.resume(first.run_id)).status == "completed"
    assert book.calls() == {"o": 1, "b": 1}


async def test_what_failed_on_being_made_again_is_not_there(book: Book) -> None:
    """Under an artifact's name lies that artifact or nothing."""
    book.write(make("o", optional=True), make("a"), join("b", "o", "a"))
    book.fail("o")
    first = await book.start()
    book.fail("o", False)
    book.fail("b")
    second = await book.resume(first.run_id)
    assert second.status == "failed"
    assert book.document(first.run_id, "_system/state")["failed"] == ["b"]
    assert "b.json" not in book.files(first.run_id)


async def test_by_reference(book: Book) -> None:
    book.write(make("a"))
    first = await book.start(run_id="abc-def-1")
    await book.start(run_id="abd")
    for text in ("abc-def-1", "abc", "abcdef1", "ABC-D"):
        assert (await book.resume(text)).run_id == first.run_id
    assert (await book.resume("@last")).run_id == "abd"
    assert (await book.resume("@last~1")).run_id == first.run_id
    assert (await book.resume("book@last")).run_id == "abd"
    for text in ("ab", "zzz", "@failed", "@last~2", "other@last", "../x", "", "@", "@first"):
        with pytest.raises((RunNotFoundError, Exception)) as raised:
            await book.resume(text)
        assert raised.value.exit_code == 4  # type: ignore[attr-defined]


async def test_a_runbook_that_is_wrong_writes_nothing(book: Book) -> None:
    book.write(make("a"), join("b", "nobody"))
    with pytest.raises(InvalidError):
        await book.start()
    assert not (book.folder / ".waivern").exists()


async def test_a_store_that_cannot_be_written(book: Book) -> None:
    book.write(make("a"))
    (book.folder / ".waivern").write_text("a file")
    with pytest.raises(StoreError):
        await book.start()
    assert book.calls() == {}


async def test_whoever_interrupts_the_start_leaves_the_run_free(book: Book) -> None:
    from waivern.runs.request import RunRequest
    from waivern.runs.run_options import RunOptions
    from waivern.runs.start import start

    def stop(*_: object) -> None:
        raise RuntimeError("the screen broke")

    book.write(make("a"))
    with pytest.raises(RuntimeError, match="the screen broke"):
        start(
            RunRequest(source=str(book.path)),
            book.store,
            RunOptions(environ={}, on_start=stop),
        )
    (run_id,) = book.store.runs()
    assert book.store.owner(run_id) is None
    assert (await book.resume(run_id)).status == "completed"


async def test_history(book: Book) -> None:
    book.write(*CHAIN)
    book.fail("b")
    first = await book.start()
    book.fail("b", False)
    await book.resume(first.run_id)
    lines = book.history()
    assert [(line["result"], line["attempt"], line["status"]) for line in lines] == [
        ("failed", 1, "failed"),
        ("success", 2, "completed"),
    ]
    assert {line["run_id"] for line in lines} == {first.run_id}
    assert lines[0]["failure_reason"] == first.error
    assert all(line["ended_at"].endswith("Z") for line in lines)
