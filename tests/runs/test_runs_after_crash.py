"""What a crash may leave is no fault to `verify`; what only a person can have done is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.clock import Clock
from waivern.record.journal_events import AttemptEndedRecord, to_record
from waivern.runs import queries
from waivern.runs.cancel import cancel
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


@pytest.fixture
async def run(book: Book) -> Path:
    book.write(make("a"), join("b", "a"))
    await book.start(run_id="r")
    assert verify(book.store, "r").faults == ()
    assert verify(book.store, "r").notes == ()
    return book.run("r")


def cut(run: Path, lines: int) -> None:
    events = run / "_system/events.jsonl"
    kept = events.read_bytes().splitlines(keepends=True)[:lines]
    events.write_bytes(b"".join(kept))


async def test_projections_that_were_not_renewed(book: Book, run: Path, tmp_path: Path) -> None:
    """The process died after the journal's last line, and before run.json and state.json."""
    earlier = {name: (run / "_system" / name).read_bytes() for name in ("run.json", "state.json")}
    book.fail("b")
    book.write(make("a"), join("b", "a"), join("c", "a"))
    await book.resume("r", allow_changed=True)
    for name, data in earlier.items():
        (run / "_system" / name).write_bytes(data)
    found = verify(book.store, "r")
    assert found.faults == ()
    assert [note.split()[0] for note in found.notes] == ["run.json", "state.json"]


async def test_a_resume_with_nothing_to_do_renews_them(book: Book, run: Path) -> None:
    whole = (run / "_system/run.json").read_bytes()
    document = json.loads(whole)
    (run / "_system/run.json").write_text(json.dumps(document | {"journal": {}}))
    assert verify(book.store, "r").faults
    assert (await book.resume("r")).nothing_to_do
    assert (run / "_system/run.json").read_bytes() == whole
    assert verify(book.store, "r").faults == ()


@pytest.mark.parametrize("name", ["run.json", "state.json"])
async def test_a_projection_that_never_was(book: Book, run: Path, name: str) -> None:
    path = run / "_system" / name
    path.write_text(path.read_text().replace('"a"' if name == "state.json" else '"book', '"x"'))
    (fault,) = verify(book.store, "r").faults
    assert (fault.path, fault.what) == (f"_system/{name}", "is not what the journal says")


def die_before_the_last_artifact_is_journaled(run: Path) -> None:
    lines = (run / "_system/events.jsonl").read_text().splitlines()
    cut(run, max(n for n, line in enumerate(lines) if '"artifact_completed"' in line))
    (run / "_system/run.json").unlink()


async def test_an_artifact_that_is_not_completed_yet(book: Book, run: Path) -> None:
    die_before_the_last_artifact_is_journaled(run)
    found = verify(book.store, "r")
    assert found.faults == ()
    assert any(note.startswith("b.json is there, but not completed") for note in found.notes)


async def test_a_file_that_is_no_artifact(book: Book, run: Path) -> None:
    (run / "c.json").write_text("{}")
    assert [fault.path for fault in verify(book.store, "r").faults] == ["c.json"]


async def test_a_resume_that_was_cut_off_in_its_first_line(book: Book, run: Path) -> None:
    with (run / "_system/events.jsonl").open("ab") as events:
        events.write(b'{"seq":99,"syn')
    found = verify(book.store, "r")
    assert found.faults == ()
    assert any("followed by something that is no line" in note for note in found.notes)


async def test_a_resume_of_a_changed_runbook_that_was_cut_off(book: Book, run: Path) -> None:
    lease = book.store.lock("r", this_process())
    lease.replace_runbook(b"another")
    lease.release()
    found = verify(book.store, "r")
    assert found.faults == ()
    assert any(note.startswith("runbook.yaml is not the one") for note in found.notes)


async def test_unpinning_leaves_no_pin(book: Book, run: Path) -> None:
    store = LocalFilesystemStore(book.folder / ".waivern")
    store.pin("r", {"by": "me"})
    store.pin("r", None)
    assert not store.pinned("r")


async def test_cancelling_what_a_crash_left(book: Book, run: Path) -> None:
    """Under an artifact's name lies that artifact or nothing, also when it is never resumed."""
    die_before_the_last_artifact_is_journaled(run)
    assert cancel(book.store, "r", "me", None, Clock())
    assert not (run / "b.json").exists()
    assert verify(book.store, "r").faults == ()


async def test_an_artifact_of_an_attempt_that_the_disk_interrupted(book: Book, run: Path) -> None:
    """It was published, and then its line could not be written; the attempt's end could."""
    die_before_the_last_artifact_is_journaled(run)
    lease = book.store.lock("r", this_process())
    event = AttemptEndedRecord("2026-01-01T00:00:00.000Z", "interrupted", "store", "full", 1)
    lease.append([to_record(event)], sync=True)
    record = queries.load(book.store, "r")
    lease.project(record.metadata.document(), record.state.document(), sync=True)
    lease.release()
    found = verify(book.store, "r")
    assert found.faults == ()
    assert any(note.startswith("b.json is there, but not completed") for note in found.notes)
