"""Children of a run, and going on from what it kept: its runbook, its children, its parameters."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.errors import IntegrityError, RefusedError
from waivern.message import Json
from waivern.record.journal_events import AttemptStartedRecord
from waivern.runs import verify
from waivern.runs.replay import replay
from waivern.runs.request import RunRequest
from waivern.runs.run_params import RequestedParams
from waivern.store.memory import AsyncInMemoryStore

CHILD = {
    "inputs": {"data": {"input_schema": "json/1.0.0"}},
    "outputs": {"result": {"artifact": "deep"}},
    "artifacts": join("deep", "data"),
}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


def write_child(book: Book, path: str = "mod/child.yaml", value: Json = None) -> Path:
    child = {**CHILD, "artifacts": join("deep", "data", value=value)}
    for one in child["artifacts"].values():
        one["process"]["properties"]["call"] = str(book.folder / "steps.py") + ":join"
    file = book.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(child))
    return file


def write_parent(book: Book, path: str = "mod/child.yaml") -> None:
    directive = {"path": path, "input_mapping": {"data": "a"}, "output_mapping": {"result": "r"}}
    one = {"one": {"inputs": ["a"], "child_runbook": directive}}
    book.write(make("a"), one, join("end", "r"))


def digest(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", ["mod/child.yaml", ".hidden/child.yaml", "child.yaml"])
async def test_children_are_kept_and_named(book: Book, path: str) -> None:
    file = write_child(book, path)
    write_parent(book, path)
    first = await book.start()
    assert first.status == "completed"
    assert book.document(first.run_id)["children"] == [{"path": path, "sha256": digest(file)}]
    kept = book.run(first.run_id) / "_system/children" / path
    assert kept.read_bytes() == file.read_bytes()
    assert verify.verify(book.store, first.run_id).faults == ()


async def test_a_changed_child_is_refused_and_named(book: Book) -> None:
    write_child(book)
    write_parent(book)
    run_id = (await book.start()).run_id
    book.calls()
    write_child(book, value=5)
    with pytest.raises(RefusedError) as raised:
        await book.resume(run_id)
    assert "changed child: mod/child.yaml" in raised.value.message
    assert "touches completed: one/deep" in raised.value.message
    assert "changed: one/deep: process.properties.args.value (none) → 5" in raised.value.message
    assert "wct runs resume" in (raised.value.hint or "")
    assert book.calls() == {}


async def test_a_changed_child_is_allowed_and_its_bytes_are_kept_beside_the_old(book: Book) -> None:
    file = write_child(book)
    old = file.read_bytes()
    write_parent(book)
    run_id = (await book.start()).run_id
    was = book.document(run_id)["children"][0]
    book.calls()
    write_child(book, value=5)
    result = await book.resume(run_id, allow_changed=True)
    assert result.status == "completed"
    assert book.calls() == {"deep": 1, "end": 1}
    now = book.document(run_id)["children"][0]
    assert now == {"path": "mod/child.yaml", "sha256": digest(file)}
    assert book.store.read_child(run_id, **_key(was)) == old
    assert book.store.read_child(run_id, **_key(now)) == file.read_bytes()
    assert verify.verify(book.store, run_id).faults == ()
    assert (await book.resume(run_id)).nothing_to_do
    last = [e for e in book.events(run_id) if isinstance(e, AttemptStartedRecord)][-1]
    assert last.children == [now]


async def test_a_child_that_goes_and_another_that_comes(book: Book) -> None:
    write_child(book)
    write_parent(book)
    run_id = (await book.start()).run_id
    was = book.document(run_id)["children"][0]
    write_child(book, "other/child.yaml", value=5)
    write_parent(book, "other/child.yaml")
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert [c["path"] for c in book.document(run_id)["children"]] == ["other/child.yaml"]
    assert not (book.run(run_id) / "_system/children/mod/child.yaml").exists()
    assert b"deep" in book.store.read_child(run_id, **_key(was))
    assert verify.verify(book.store, run_id).faults == ()


def _key(child: dict[str, str]) -> dict[str, str]:
    return {"path": child["path"], "digest": child["sha256"]}


async def test_a_kept_child_that_was_altered_is_corruption(book: Book) -> None:
    write_child(book)
    write_parent(book)
    book.fail("end")
    run_id = (await book.start()).run_id
    (book.run(run_id) / "_system/children/mod/child.yaml").write_text("artifacts: {}")
    (fault,) = verify.verify(book.store, run_id).faults
    assert fault.path == "_system/children/mod/child.yaml"
    with pytest.raises(IntegrityError, match=r"lost the bytes of its child mod/child\.yaml"):
        book.go_on(run_id)
    assert book.store.owner(run_id) is None


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "a//b", "."])
async def test_a_path_of_a_child_never_leads_out(book: Book, path: str) -> None:
    book.write(make("a"))
    run_id = (await book.start()).run_id
    with pytest.raises(IntegrityError, match="cannot be"):
        book.store.read_child(run_id, path, "sha256:0")


async def test_going_on_when_all_files_are_gone(book: Book) -> None:
    """The steps stay where they are: their code is no part of a run."""
    write_child(book)
    write_parent(book)
    book.fail("end")
    run_id = (await book.start()).run_id
    book.fail("end", False)
    book.calls()
    shutil.rmtree(book.folder / "mod")
    book.path.unlink()
    result = book.go_on(run_id)
    assert result.status == "completed"
    assert book.calls() == {"end": 1}
    said = [warning.partition(":")[0] for warning in result.warnings]
    assert said == [f"{book.path} is not there any more", "mod/child.yaml is not there any more"]


async def test_going_on_when_the_files_have_changed_and_saying_so(book: Book) -> None:
    write_child(book)
    write_parent(book)
    book.fail("end")
    run_id = (await book.start()).run_id
    book.fail("end", False)
    book.calls()
    write_child(book, value=5)
    book.path.write_text("nothing of a runbook")
    result = book.go_on(run_id)
    assert result.status == "completed"
    assert book.calls() == {"end": 1}
    assert [w.partition(":")[0] for w in result.warnings] == [
        f"{book.path} has changed since",
        "mod/child.yaml has changed since",
    ]
    again = book.go_on(run_id)
    assert again.nothing_to_do
    assert len(again.warnings) == 2


async def test_nothing_is_said_of_files_that_are_as_they_were(book: Book) -> None:
    write_child(book)
    write_parent(book)
    book.fail("end")
    run_id = (await book.start()).run_id
    book.fail("end", False)
    assert book.go_on(run_id).warnings == ()


async def test_children_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    book = Book(tmp_path / "place", store=AsyncInMemoryStore())
    file = write_child(book)
    write_parent(book)
    book.fail("end")
    first = await book.start()
    book.fail("end", False)
    old = file.read_bytes()
    (child,) = first.metadata.children
    write_child(book, value=5)
    assert book.go_on(first.run_id).status == "completed"
    assert (await book.resume(first.run_id, allow_changed=True)).status == "completed"
    assert book.store.read_child(first.run_id, **_key(child)) == old
    assert not (book.folder / ".waivern").exists()


# replay


async def test_a_replay_is_a_new_run_of_what_was_kept(book: Book) -> None:
    write_child(book)
    write_parent(book)
    first = await book.start()
    book.calls()
    shutil.rmtree(book.folder / "mod")
    book.path.unlink()
    again = replay(RunRequest(run=first.run_id[:8]), book.store, book.options())
    assert again.status == "completed"
    assert again.run_id != first.run_id
    assert book.calls() == {"a": 1, "deep": 1, "end": 1}
    assert book.document(again.run_id)["replay_of"] == first.run_id
    for name in ("runbook_hash", "children", "params", "runbook_path"):
        assert book.document(again.run_id)[name] == book.document(first.run_id)[name]
    for name in ("a", "one/deep", "end"):
        assert book.content(again.run_id, name) == book.content(first.run_id, name)
    twice = replay(RunRequest(run=again.run_id), book.store, book.options())
    assert book.document(twice.run_id)["replay_of"] == again.run_id


async def test_a_replay_has_the_parameters_of_the_run(book: Book) -> None:
    params = {"region": {"type": "string", "default": "eu"}}
    book.write(make("a", value="${params.region}"), params=params)
    first = await book.start(params=RequestedParams(typed={"region": "us"}))
    again = replay(RunRequest(run=first.run_id), book.store, book.options())
    assert book.content(again.run_id, "a")["value"] == "us"
    other = RequestedParams(typed={"region": "eu"})
    with pytest.raises(RefusedError, match="another value for: region"):
        replay(RunRequest(run=first.run_id, params=other), book.store, book.options())
    assert len(book.store.runs()) == 2


async def test_a_replay_reuses_from_the_same_run(book: Book) -> None:
    book.write(make("a", value=1))
    source = await book.start()
    other = Book(book.folder, "other", book.store)
    other.write({"b": {"reuse": {"from_run": "book@last", "artifact": "a"}}})
    first = await other.start()
    book.write(make("a", value=2))
    await book.start()
    again = replay(RunRequest(run=first.run_id), book.store, book.options())
    assert book.content(again.run_id, "b")["value"] == 1
    assert book.document(again.run_id)["reuses"] == [source.run_id]
