"""Copies from other runs: pinned once, checked, and never looked up again."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from runs_kit import Book, join, make, reuse

from waivern.diagnostics import InvalidError
from waivern.errors import IntegrityError
from waivern.record.journal_events import ArtifactCompletedRecord, RunStartedRecord
from waivern.store.memory import AsyncInMemoryStore


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


@pytest.fixture
def source(tmp_path: Path) -> Book:
    """A run `source-1` of another runbook in the same store, with `a`, `b` and a failed `bad`."""
    made = Book(tmp_path / "place", "source")
    made.write(make("a", 1), join("b", "a"), make("bad", optional=True))
    made.fail("bad")
    return made


async def begin(source: Book, run_id: str = "source-1") -> None:
    await source.start(run_id=run_id)
    source.calls()


@pytest.mark.parametrize(
    "reference", ["source-1", "sour", "source1", "@last", "source@last", "@last~0"]
)
async def test_by_any_reference(source: Book, book: Book, reference: str) -> None:
    await begin(source)
    book.write(reuse("copy", reference, "b"), join("c", "copy"))
    result = await book.start()
    assert result.status == "completed"
    assert book.calls() == {"c": 1}
    original, copy = book.document("source-1", "b"), book.document(result.run_id, "copy")
    assert copy["content"] == original["content"]
    assert copy["schema"] == original["schema"]
    assert (copy["id"], copy["run_id"]) == ("copy", result.run_id)
    assert copy["source"] == "reuse:source-1/b"
    done = {
        e.artifact: e for e in book.events(result.run_id) if isinstance(e, ArtifactCompletedRecord)
    }
    theirs = {
        e.artifact: e for e in book.events("source-1") if isinstance(e, ArtifactCompletedRecord)
    }
    assert done["copy"].how == "reused"
    assert done["copy"].content_digest == theirs["b"].content_digest
    origin = done["copy"].origin
    assert origin is not None
    assert (origin["run"], origin["artifact"]) == ("source-1", "b")
    assert origin["digest"] == theirs["b"].digest
    line = book.store.read_journal("source-1").lines[origin["seq"] - 1]
    assert (line.record["type"], line.record["artifact"]) == ("artifact_completed", "b")
    first = book.events(result.run_id)[0]
    assert isinstance(first, RunStartedRecord)
    assert first.reuse["copy"]["run"] == "source-1"


async def test_a_copy_is_a_copy(source: Book, book: Book) -> None:
    await begin(source)
    book.write(reuse("copy", "source-1", "a"))
    result = await book.start()
    file = book.run(result.run_id) / "copy.json"
    assert not file.is_symlink()
    assert file.stat().st_nlink == 1
    shutil.rmtree(book.run("source-1"))
    assert (await book.resume(result.run_id)).nothing_to_do
    assert book.content(result.run_id, "copy") == {"name": "a", "value": 1}


async def test_what_was_found_first_stays(source: Book, book: Book) -> None:
    """A resume copies from the run that was pinned, however many are newer."""
    await begin(source)
    book.write(reuse("copy", "source@last", "a"), join("c", "copy"))
    book.fail("c")
    first = await book.start()
    book.fail("c", False)
    source.write(make("a", 2))
    await begin(source, "source-2")
    (book.run(first.run_id) / "copy.json").unlink()
    again = await book.resume(first.run_id)
    assert again.status == "completed"
    assert book.content(first.run_id, "copy")["value"] == 1
    assert book.document(first.run_id, "copy")["source"] == "reuse:source-1/a"
    fresh = await book.start()
    assert book.content(fresh.run_id, "copy")["value"] == 2


@pytest.mark.parametrize(
    ("reference", "value"), [("@last", 3), ("source@last", 3), ("@last~1", 2), ("source@last~2", 1)]
)
async def test_the_last_run_that_has_it(
    source: Book, book: Book, reference: str, value: int
) -> None:
    """Only runs that completed the artifact count."""
    for n in (1, 2, 3):
        source.write(make("a", n))
        await begin(source, f"source-{n}")
    source.write(make("other"))
    await begin(source, "source-4")
    book.write(reuse("copy", reference, "a"))
    result = await book.start()
    assert book.content(result.run_id, "copy")["value"] == value


def _altered(run: Path) -> None:
    (run / "a.json").write_text("damaged")


def _missing(run: Path) -> None:
    (run / "a.json").unlink()


def _bad_line(run: Path) -> None:
    events = run / "_system/events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"a"', b'"b"', 1))


def _no_journal(run: Path) -> None:
    (run / "_system/events.jsonl").unlink()


def _bad_state(run: Path) -> None:
    (run / "_system/state.json").write_text("{")


def _no_records(run: Path) -> None:
    shutil.rmtree(run / "_system")


@pytest.mark.parametrize("reference", ["@last", "source@last", "@last~1"])
@pytest.mark.parametrize(
    "damage", [_altered, _missing, _bad_line, _no_journal, _bad_state, _no_records]
)
async def test_never_an_older_run(
    source: Book, book: Book, reference: str, damage: Callable[[Path], None]
) -> None:
    for n in (1, 2, 3):
        source.write(make("a", n))
        await begin(source, f"source-{n}")
    damaged = "source-2" if reference == "@last~1" else "source-3"
    damage(source.run(damaged))
    book.write(reuse("copy", reference, "a"))
    with pytest.raises(IntegrityError, match=f"'copy' cannot be reused: .*{damaged}") as raised:
        await book.start()
    assert damaged in str(raised.value.hint)
    assert len(book.store.runs()) == 3


async def test_the_last_run_is_never_the_run_itself(book: Book) -> None:
    book.write(make("a", 1))
    await book.start(run_id="old")
    book.write(make("a", 2))
    await book.start(run_id="new")
    book.write(make("a", 2), reuse("before", "book@last", "a"))
    result = await book.resume("new", allow_changed=True)
    assert result.status == "completed"
    assert book.document("new", "before")["source"] == "reuse:old/a"
    assert book.content("new", "before")["value"] == 1


async def test_a_run_cannot_reuse_itself(book: Book) -> None:
    book.write(make("a", 1))
    await book.start(run_id="only")
    book.write(make("a", 1), reuse("again", "only", "a"))
    with pytest.raises(InvalidError, match="'again' cannot be reused"):
        await book.resume("only", allow_changed=True)
    book.write(make("a", 1), reuse("again", "@last", "a"))
    with pytest.raises(InvalidError, match="'again' cannot be reused"):
        await book.resume("only", allow_changed=True)


async def test_one_runbook_after_the_other_of_itself(book: Book) -> None:
    """The usual use of @last: a run builds on the one before."""
    book.write(make("a", 1))
    await book.start(run_id="r1")
    book.write(reuse("before", "book@last", "a"), make("a", 2))
    await book.start(run_id="r2")
    assert book.content("r2", "before")["value"] == 1
    await book.start(run_id="r3")
    assert book.content("r3", "before")["value"] == 2


@pytest.mark.parametrize(
    ("from_run", "artifact", "said"),
    [
        ("source-1", "bad", "is failed, not completed"),
        ("source-1", "nobody", "has no artifact 'nobody'"),
        ("nobody", "a", "no run 'nobody'"),
        ("source", "a", "fits 2 runs: source-1, source-2"),
        ("../source-1", "a", "no run '../source-1'"),
        ("../../../../etc", "passwd", "no run '../../../../etc'"),
        ("/etc", "passwd", "no run '/etc'"),
        ("source-1/../source-1", "a", "no run"),
        ("..", "a", "no run '..'"),
        ("@first", "a", "does not name a run"),
        ("nothing@last", "a", "has completed 'a'"),
        ("@failed", "a", "has completed 'a'"),
    ],
)
async def test_what_cannot_be_reused(
    source: Book, book: Book, from_run: str, artifact: str, said: str
) -> None:
    await begin(source)
    await begin(source, "source-2")
    book.write(reuse("copy", from_run, artifact), make("m"))
    with pytest.raises(InvalidError) as raised:
        await book.start()
    (problem,) = raised.value.problems
    assert "'copy' cannot be reused: " in problem.message
    assert said in problem.message
    assert problem.position is not None
    assert problem.position.text.strip().startswith('"from_run"')
    assert book.store.runs() == ["source-1", "source-2"]  # nothing was written
    assert book.calls() == {}


@pytest.mark.parametrize("artifact", ["../a", "_system/run", "/etc/passwd", "a/../b", ".."])
async def test_no_way_out_by_the_artifact(source: Book, book: Book, artifact: str) -> None:
    await begin(source)
    book.write(reuse("copy", "source-1", artifact))
    with pytest.raises(InvalidError):
        await book.start()
    assert book.store.runs() == ["source-1"]


@pytest.mark.parametrize("damage", ["altered", "missing"])
async def test_a_damaged_original_is_refused(source: Book, book: Book, damage: str) -> None:
    await begin(source)
    file = book.run("source-1") / "a.json"
    if damage == "altered":
        file.write_bytes(file.read_bytes() + b" ")
    else:
        file.unlink()
    book.write(reuse("copy", "source-1", "a"))
    with pytest.raises(IntegrityError, match=f"artifact 'a' of run source-1 is {damage}") as raised:
        await book.start()
    assert "`wct runs resume source-1` rebuilds it" in str(raised.value.hint)
    assert book.store.runs() == ["source-1"]


async def test_a_damaged_journal_is_refused(source: Book, book: Book) -> None:
    await begin(source)
    events = book.run("source-1") / "_system/events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"a"', b'"b"', 1))
    book.write(reuse("copy", "source-1", "a"))
    with pytest.raises(IntegrityError, match="journal line 1 is damaged"):
        await book.start()


async def test_what_vanishes_after_planning_is_a_failure(source: Book, book: Book) -> None:
    from waivern.runs.request import RunRequest
    from waivern.runs.run_options import RunOptions
    from waivern.runs.start import start

    await begin(source)
    book.write(reuse("copy", "source-1", "a"), join("c", "copy"), make("m"))

    def vanish(*_: object) -> None:
        (book.run("source-1") / "a.json").unlink()

    options = RunOptions(environ={}, on_start=vanish)
    result = start(RunRequest(source=str(book.path)), book.store, options)
    assert result.status == "failed"
    state = book.document(result.run_id, "_system/state")
    assert (state["completed"], state["failed"], state["skipped"]) == (["m"], ["copy"], ["c"])


async def test_another_declaration_is_another_pin(source: Book, book: Book) -> None:
    await begin(source)
    book.write(reuse("copy", "source-1", "a"))
    first = await book.start()
    book.write(reuse("copy", "source-1", "b"))
    result = await book.resume(first.run_id, allow_changed=True)
    assert result.status == "completed"
    assert book.document(first.run_id, "copy")["source"] == "reuse:source-1/b"


async def test_in_memory(tmp_path: Path) -> None:
    store = AsyncInMemoryStore()
    book = Book(tmp_path / "place", "source", store)
    book.write(make("a", 1), join("b", "a"))
    await book.start(run_id="one")
    book.write(reuse("copy", "source@last", "b"))
    await book.start(run_id="two")
    assert (await store.get("two", "copy")).content["of"] == ["a"]
    assert (await book.resume("two")).nothing_to_do
    assert not (tmp_path / "place" / ".waivern").exists()
