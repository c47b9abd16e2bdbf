"""Looking at runs: the truth at this moment, and nothing is touched."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    RefusedError,
    RunNotFoundError,
    StoreError,
)
from waivern.record.journal_events import AttemptStartedRecord, RunCancelledRecord, to_record
from waivern.runs import listing, queries, verify
from waivern.runs.prepare import check
from waivern.runs.run_references import find
from waivern.store.lock import this_process


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


def statuses(book: Book) -> dict[str, str]:
    return {row.run_id: str(row.status) for row in listing.every(book.store)}


def reopen(book: Book, run_id: str) -> None:
    """Let an attempt begin and its process die: the journal has no end, the lock is free."""
    lease = book.store.lock(run_id, this_process())
    digest = book.document(run_id)["runbook_hash"]
    started = AttemptStartedRecord("2026-01-01T00:00:00.000Z", {"host": "h", "pid": 1}, digest)
    lease.append([to_record(started)], sync=True)
    lease.release()


async def test_newest_first(book: Book) -> None:
    book.write(make("a"))
    for run_id in ("zz", "aa", "mm"):
        await book.start(run_id=run_id)
    rows = listing.every(book.store)
    starts = [row.metadata.started_at for row in rows if row.metadata]
    assert starts == sorted(starts, reverse=True)
    assert len(rows) == 3
    assert rows[0].run_id == "mm" or starts[0] == starts[1]


async def test_counts(book: Book) -> None:
    book.write(make("a"), make("x"), join("b", "a"), join("c", "b", "x"))
    book.fail("b")
    await book.start(run_id="r")
    (row,) = listing.every(book.store)
    counts = {"completed": 2, "failed": 1, "skipped": 1, "not_started": 0, "suspended": 0}
    assert (row.status, row.counts, row.fault) == ("failed", counts, None)
    document = row.document()
    assert document["artifacts"] == counts
    assert document["runbook_name"] == "book"
    assert document["error"] == "b: RuntimeError: b was told to fail"


async def test_interrupted_when_nobody_is_at_it(book: Book) -> None:
    book.write(make("a"))
    await book.start(run_id="r")
    reopen(book, "r")
    before = book.files("r")
    assert statuses(book) == {"r": "interrupted"}
    assert queries.load(book.store, "r").metadata.status == "interrupted"
    assert book.files("r") == before  # said, not written

    lease = book.store.lock("r", this_process())
    assert statuses(book) == {"r": "running"}
    assert queries.load(book.store, "r").metadata.status == "running"
    lease.release()
    assert (await book.resume("r")).status == "completed"
    assert statuses(book) == {"r": "completed"}
    assert [a["status"] for a in book.document("r")["attempts"]] == [
        "completed",
        "interrupted",
        "completed",
    ]


async def test_cancelled_and_then_killed(book: Book) -> None:
    """It stays cancelled, whoever looks: nobody resumes it by mistake."""
    book.write(make("a"), make("b", when="false"))
    await book.start(run_id="r")
    reopen(book, "r")
    lease = book.store.lock("r", this_process())
    (book.run("r") / "b.json").touch()  # it was made, and not yet journaled
    lease.append(
        [to_record(RunCancelledRecord("2026-01-01T00:00:01.000Z", "ann", None))], sync=True
    )
    assert statuses(book) == {"r": "running"}  # it is let finish
    lease.release()
    assert statuses(book) == {"r": "cancelled"}
    assert queries.load(book.store, "r").metadata.status == "cancelled"
    assert verify.verify(book.store, "r").faults == ()
    with pytest.raises(RefusedError, match="was cancelled"):
        await book.resume("r")
    assert (await book.resume("r", force=True)).status == "completed"


async def test_a_projection_that_lags_behind(book: Book) -> None:
    """The journal has the end of the attempt; the process died before `run.json` had it."""
    book.write(make("a"), join("b", "a"))
    await book.start(run_id="r")
    system = book.run("r") / "_system"
    run = system / "run.json"
    ended = book.document("r")["updated_at"]
    lagging = run.read_text().replace('"status": "completed"', '"status": "running"')
    run.write_text(lagging.replace(f'"updated_at": "{ended}"', '"updated_at": "2026-01-01"'))
    (system / "state.json").write_text("{}")
    (row,) = listing.every(book.store)
    assert (row.status, row.counts["completed"]) == ("completed", 2)


@pytest.mark.parametrize("name", ["run.json", "state.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
async def test_corrupt_is_shown_and_hides_no_other(book: Book, name: str, text: str) -> None:
    book.write(make("a"))
    await book.start(run_id="good")
    await book.start(run_id="bad")
    (book.run("bad") / "_system" / name).write_text(text)
    rows = listing.every(book.store)
    assert [(row.run_id, row.status) for row in rows] == [("good", "completed"), ("bad", "corrupt")]
    assert rows[1].fault
    assert rows[1].document()["status"] == "corrupt"


async def test_strangers_in_the_folder_of_runs(book: Book) -> None:
    book.write(make("a"))
    await book.start(run_id="good")
    runs = book.run("good").parent
    (runs / "empty").mkdir()
    (runs / "my notes.txt").write_text("x")
    (runs / "file").write_text("x")
    (runs / "link").symlink_to(runs / "good")
    (runs / ".new-x").mkdir()
    assert statuses(book) == {
        "good": "completed",
        "empty": "corrupt",
        "file": "corrupt",
        "link": "corrupt",
    }


async def test_runs_that_are_removed_meanwhile(book: Book) -> None:
    book.write(make("a"))
    await book.start(run_id="stays")
    for n in range(30):
        shutil.copytree(book.run("stays"), book.run(f"goes{n}"))

    def remove() -> None:
        for n in range(30):
            book.store.remove(f"goes{n}", this_process())

    thread = threading.Thread(target=remove)
    thread.start()
    looks = 0
    while thread.is_alive():
        assert "stays" in statuses(book)
        looks += 1
    thread.join()
    assert looks > 0
    assert statuses(book) == {"stays": "completed"}


async def test_a_damaged_journal(book: Book) -> None:
    book.write(make("a"))
    await book.start(run_id="r")
    events = book.run("r") / "_system/events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"step":1', b'"step":2'))
    with pytest.raises(IntegrityError, match="journal line 3 is damaged"):
        queries.load(book.store, "r")


async def test_one_artifact(book: Book) -> None:
    book.write(make("a", 7), make("bad", optional=True))
    book.fail("bad")
    await book.start(run_id="r")
    record = queries.load(book.store, "r")
    assert queries.content(book.store, record, "a") == {"name": "a", "value": 7}
    with pytest.raises(ArtifactNotFoundError, match="is failed, not completed"):
        queries.artifact(record, "bad")
    with pytest.raises(ArtifactNotFoundError, match="has no artifact 'nobody'"):
        queries.artifact(record, "nobody")
    (book.run("r") / "a.json").write_text("{}")
    with pytest.raises(IntegrityError):
        queries.content(book.store, record, "a")
    with pytest.raises(RunNotFoundError):
        queries.load(book.store, "nobody")


async def test_reading_changes_nothing(book: Book) -> None:
    book.write(make("a"))
    await book.start(run_id="r")
    events = book.run("r") / "_system/events.jsonl"
    events.write_bytes(events.read_bytes() + b'{"torn')
    before = book.files("r")
    times = {path: path.stat().st_mtime_ns for path in book.run("r").rglob("*")}
    listing.every(book.store)
    queries.content(book.store, queries.load(book.store, "r"), "a")
    assert book.files("r") == before
    assert {path: path.stat().st_mtime_ns for path in book.run("r").rglob("*")} == times


async def test_checking_a_runbook_makes_no_store(book: Book) -> None:
    book.write(make("a"), join("b", "a"))
    plan = check(str(book.path), book.store, {})
    assert list(plan.nodes) == ["a", "b"]
    assert not (book.folder / ".waivern").exists()
    assert book.calls() == {}


async def test_a_reference_to_a_run_whose_disk_fails_is_a_fault_of_the_store(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 74 says that nothing is damaged: another attempt may succeed."""
    book.write(make("a"))
    await book.start()

    def fails(*_: object) -> object:
        raise StoreError("cannot read: Input/output error")

    monkeypatch.setattr(type(book.store), "read_json", fails)
    monkeypatch.setattr(type(book.store), "last_record", fails)
    with pytest.raises(StoreError, match=r"cannot be read: .*Input/output error") as raised:
        find(book.store, "@last")
    assert raised.value.exit_code == 74
