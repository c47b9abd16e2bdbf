"""Resuming with another runbook: refused, or exactly what the change touches is made again."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from runs_kit import Book, join, make

from waivern.errors import RefusedError
from waivern.record.journal_events import AttemptStartedRecord
from waivern.runs import queries


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


BASE = [make("a"), make("x"), join("b", "a"), join("c", "b", "x")]


async def refused(book: Book, run_id: str) -> str:
    before = book.files(run_id)
    with pytest.raises(RefusedError) as raised:
        await book.resume(run_id)
    after = book.files(run_id)
    del before["_system/lock"], after["_system/lock"]
    assert after == before
    assert book.store.owner(run_id) is None
    assert book.calls() == {}
    assert "--allow-changed" in (raised.value.hint or "")
    return raised.value.message


async def begun(book: Book) -> str:
    book.write(*BASE)
    run_id = (await book.start()).run_id
    book.calls()
    return run_id


async def test_the_refusal_says_what_changed_and_what_it_touches(book: Book) -> None:
    run_id = await begun(book)
    book.write(make("a"), make("x"), join("b", "a", value=5), join("d", "b"))
    message = await refused(book, run_id)
    assert "changed: b: process.properties.args.value (none) → 5" in message
    assert "changed: d: added" in message
    assert "changed: c: removed" in message
    assert "touches completed: b, c" in message
    now = hashlib.sha256(book.path.read_bytes()).hexdigest()
    assert f"it is now   sha256:{now}" in message


async def test_a_comment_is_a_change_and_said_to_be_one(book: Book) -> None:
    run_id = await begun(book)
    book.write(*BASE, comment="a word for people")
    message = await refused(book, run_id)
    assert "only comments, layout or texts for people differ" in message
    assert "touches completed" not in message
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {}


async def test_texts_for_people_are_no_change(book: Book) -> None:
    run_id = await begun(book)
    book.write(make("a", description="why"), *BASE[1:], name="Another name")
    assert "only comments, layout or texts" in await refused(book, run_id)


async def test_allowed_and_exactly_what_it_touches(book: Book) -> None:
    run_id = await begun(book)
    old = book.path.read_bytes()
    book.write(make("a"), make("x"), join("b", "a", value=5), join("c", "b", "x"))
    result = await book.resume(run_id, allow_changed=True)
    assert result.status == "completed"
    assert book.calls() == {"b": 1, "c": 1}
    assert book.content(run_id, "b")["value"] == 5
    attempts = [e for e in book.events(run_id) if isinstance(e, AttemptStartedRecord)]
    assert attempts[1].forced == ["allow-changed"]
    assert attempts[1].invalidated.keys() == {"b", "c"}
    for data, attempt in ((old, attempts[0]), (book.path.read_bytes(), attempts[1])):
        assert book.store.read_runbook(run_id, attempt.runbook_hash) == data
    assert (book.run(run_id) / "_system/runbook.yaml").read_bytes() == book.path.read_bytes()
    assert (await book.resume(run_id)).nothing_to_do  # it is this run's runbook now


async def test_added_and_removed(book: Book) -> None:
    run_id = await begun(book)
    book.write(make("a"), join("b", "a"), join("d", "b"), make("e"))
    result = await book.resume(run_id, allow_changed=True)
    assert result.status == "completed"
    assert book.calls() == {"d": 1, "e": 1}
    assert book.document(run_id, "_system/state")["completed"] == ["a", "b", "d", "e"]
    assert await book.store.list_keys(run_id) == ["a", "b", "d", "e"]

    book.write(*BASE)  # and back again
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {"x": 1, "c": 1}
    assert await book.store.list_keys(run_id) == ["a", "b", "c", "x"]
    assert {n: str(s.status) for n, s in queries.load(book.store, run_id).steps.items()} == (
        dict.fromkeys("abcx", "completed")
    )


async def test_an_artifact_that_becomes_another_kind(book: Book) -> None:
    run_id = await begun(book)
    book.write(make("a"), make("x"), make("b"), join("c", "b", "x"))
    assert "touches completed: b" in await refused(book, run_id)
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {"b": 1, "c": 1}


async def test_the_order_of_inputs_is_a_change(book: Book) -> None:
    run_id = await begun(book)
    book.write(*BASE[:3], join("c", "x", "b"))
    assert "changed: c: inputs ['b', 'x'] → ['x', 'b']" in await refused(book, run_id)
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {"c": 1}
    assert book.content(run_id, "c")["of"] == ["x", "b"]


@pytest.mark.parametrize("after", ["attempt_started", "artifact_completed"])
async def test_a_crash_in_the_attempt_that_was_allowed(book: Book, after: str) -> None:
    """Cut off after its first line, or after the first artifact: nothing of the change is lost."""
    run_id = await begun(book)
    book.write(make("a", 1), make("x"), join("b", "a"), join("c", "b", "x", value=2))
    await book.resume(run_id, allow_changed=True)
    assert book.calls() == {"a": 1, "b": 1, "c": 1}
    events = book.run(run_id) / "_system/events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if b'"attempt_started"' in line)
    if after == "artifact_completed":
        last = next(n for n in range(last, len(lines)) if b'"artifact_completed"' in lines[n])
    events.write_bytes(b"".join(lines[: last + 1]))
    (events.parent / "run.json").unlink()

    result = await book.resume(run_id)  # the same runbook: nothing to allow any more
    assert result.status == "completed"
    expected = {"a", "b", "c"} if after == "attempt_started" else {"b", "c"}
    assert set(book.calls()) == expected
    assert book.content(run_id, "a")["value"] == 1
    assert book.content(run_id, "c")["value"] == 2
    assert (await book.resume(run_id)).nothing_to_do


async def test_a_crash_between_keeping_the_runbook_and_the_journal(book: Book) -> None:
    run_id = await begun(book)
    book.write(make("a", 1), *BASE[1:])
    from waivern.store.lock import this_process

    lease = book.store.lock(run_id, this_process())
    lease.replace_runbook(book.path.read_bytes())
    lease.release()
    message = await refused(book, run_id)
    assert "changed: a: source.properties.args.value (none) → 1" in message
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {"a": 1, "b": 1, "c": 1}


async def test_an_allowed_change_that_is_wrong_writes_nothing(book: Book) -> None:
    from waivern.diagnostics import InvalidError

    run_id = await begun(book)
    before = book.files(run_id)
    book.write(make("a"), join("b", "nobody"))
    with pytest.raises(InvalidError, match="nobody"):
        await book.resume(run_id, allow_changed=True)
    after = book.files(run_id)
    del before["_system/lock"], after["_system/lock"]
    assert after == before


async def test_a_variable_that_the_old_runbook_had(book: Book) -> None:
    """It is compared, not run: what is not set any more does not matter."""
    book.environ["OLD"] = "value"
    book.write(make("a", "${OLD}"), make("x"))
    run_id = (await book.start()).run_id
    assert b"value" in book.files(run_id)["a.json"]  # the content is the component's own
    book.environ.clear()
    book.calls()
    book.write(make("a", "plain"), make("x"))
    assert "a: source.properties.args.value '${OLD}' → 'plain'" in await refused(book, run_id)
    assert (await book.resume(run_id, allow_changed=True)).status == "completed"
    assert book.calls() == {"a": 1}
