"""People decide on gates: as many of them as have to, and on exactly what they were shown."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from runs_kit import Book, gate, join, make

from waivern.clock import Clock
from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    RefusedError,
    UsageError,
    WaivernError,
)
from waivern.message import Json
from waivern.record.journal_events import (
    ArtifactSuspendedRecord,
    AttemptStartedRecord,
    GateDecidedRecord,
)
from waivern.record.status import RunStatus
from waivern.runs import cancel, decisions, verify
from waivern.runs.decisions import Decision
from waivern.runs.request import RunRequest
from waivern.runs.resume import approve
from waivern.runs.run_params import RequestedParams
from waivern.store.lock import this_process

ASKED = [make("a"), join("report", "a"), gate("sign", "report"), join("publish", "report", "sign")]
WAITS = """
def waits(inputs):
    from waivern.plugins.component import Suspend
    if not (HERE / "answer").exists():
        raise Suspend("an answer")
    return 1
"""
NAMED = [make("a"), gate("one", "a"), gate("two", "a"), join("end", "one", "two")]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    book = Book(tmp_path / "place")
    steps = book.folder / "steps.py"  # a decision has no name
    steps.write_text(steps.read_text().replace('each["name"]', 'each.get("name", "?")'))
    return book


@dataclass(frozen=True, slots=True)
class At(Clock):
    """A clock that stands."""

    at: str = "2020-01-01T00:00:00.000Z"

    def now(self) -> str:
        return self.at


def decided(book: Book, run_id: str) -> list[GateDecidedRecord]:
    return [event for event in book.events(run_id) if isinstance(event, GateDecidedRecord)]


async def suspended(book: Book) -> str:
    book.write(*ASKED)
    first = await book.start()
    assert first.status == "suspended"
    assert first.exit_code == 7
    assert first.waiting == ("sign",)
    assert book.store.owner(first.run_id) is None
    assert book.calls() == {"a": 1, "report": 1}
    return first.run_id


async def test_the_question_is_kept(book: Book) -> None:
    run_id = await suspended(book)
    run = book.document(run_id)
    assert run["status"] == "suspended"
    assert "Is sign well?" in str(run["suspension_reason"])
    assert run["suspended_at"]
    (asked,) = [e for e in book.events(run_id) if isinstance(e, ArtifactSuspendedRecord)]
    assert asked.shown.keys() == {"report"}


async def test_approved_and_continued_where_it_stopped(book: Book) -> None:
    run_id = await suspended(book)
    done = book.approve(run_id, "ann", note="fine", data={"risk": 3})
    assert done.missing == 0
    assert done.result is not None
    assert done.result.status == "completed"
    assert done.result.exit_code == 0
    assert book.calls() == {"publish": 1}
    content = book.content(run_id, "sign")
    assert content["approved"] is True
    assert content["data"] == {"risk": 3}
    (said,) = content["decisions"]
    assert (said["by"], said["note"]) == ("ann", "fine")
    assert content["shown"] == done.event.shown
    assert content["runbook_hash"] == book.document(run_id)["runbook_hash"]
    assert verify.verify(book.store, run_id).faults == ()
    assert book.go_on(run_id).nothing_to_do


async def test_rejected(book: Book) -> None:
    run_id = await suspended(book)
    done = book.approve(f"{run_id}/sign", "ann", reject=True, note="too much in it")
    assert done.result is not None
    assert done.result.status == "failed"
    assert done.result.exit_code == 1
    assert "ann rejected it: too much in it" in str(done.result.error)
    state = book.document(run_id, "_system/state")
    assert state["failed"] == ["sign"]
    assert state["skipped"] == ["publish"]
    assert book.calls() == {}
    assert book.go_on(run_id).status == "failed"  # it stays rejected
    again = book.go_on(run_id, ask_again=True)
    assert again.status == "suspended"
    last = [e for e in book.events(run_id) if isinstance(e, AttemptStartedRecord)][-1]
    assert last.forced == ["ask-again"]
    done = book.approve(run_id, "bob")
    assert done.result is not None
    assert done.result.status == "completed"


async def test_only_recorded(book: Book) -> None:
    run_id = await suspended(book)
    done = book.approve(run_id, "ann", resume=False)
    assert done.result is None
    assert [event.by for event in decided(book, run_id)] == ["ann"]
    assert book.document(run_id)["status"] == "suspended"
    assert book.store.owner(run_id) is None
    assert verify.verify(book.store, run_id).faults == ()
    assert book.calls() == {}
    with pytest.raises(RefusedError, match="is approved already") as raised:
        book.approve(run_id, "bob")
    assert "wct runs resume" in (raised.value.hint or "")
    assert len(decided(book, run_id)) == 1
    assert (await book.resume(run_id)).status == "completed"


async def test_a_recorded_rejection_cannot_be_overruled(book: Book) -> None:
    run_id = await suspended(book)
    book.approve(run_id, "ann", reject=True, resume=False)
    with pytest.raises(RefusedError, match="it is decided: ann rejected it") as raised:
        book.approve(run_id, "bob")
    assert "--ask-again" in (raised.value.hint or "")


async def test_it_is_durable_before_it_is_said(book: Book) -> None:
    run_id = await suspended(book)
    seen: list[list[str]] = []
    approve(
        RunRequest(run=run_id),
        Decision(True, "ann"),
        book.store,
        book.options(),
        on_decided=lambda _event: seen.append([e.by for e in decided(book, run_id)]),
    )
    assert seen == [["ann"]]


async def test_several_people(book: Book) -> None:
    book.write(make("a"), gate("sign", "a", approvers=3))
    run_id = (await book.start()).run_id
    assert book.approve(run_id, "ann").missing == 2
    with pytest.raises(RefusedError, match="ann has approved 'sign' already: 2 other people"):
        book.approve(run_id, "ann")
    second = book.approve(run_id, "bob")
    assert second.missing == 1
    assert second.result is None
    with pytest.raises(RefusedError, match="bob has approved 'sign' already: 1 other person"):
        book.approve(run_id, "bob", resume=False)
    third = book.approve(run_id, "cleo")
    assert third.result is not None
    assert third.result.status == "completed"
    assert [each["by"] for each in book.content(run_id, "sign")["decisions"]] == [
        "ann",
        "bob",
        "cleo",
    ]


async def test_who_has_approved_may_still_reject(book: Book) -> None:
    book.write(make("a"), gate("sign", "a", approvers=2))
    run_id = (await book.start()).run_id
    book.approve(run_id, "ann")
    done = book.approve(run_id, "ann", reject=True)
    assert done.result is not None
    assert done.result.status == "failed"


async def test_several_gates_have_to_be_named(book: Book) -> None:
    book.write(*NAMED)
    run_id = (await book.start()).run_id
    with pytest.raises(RefusedError, match=r"2 gates of run .* wait: one, two"):
        book.approve(run_id)
    with pytest.raises(RefusedError, match=r"2 gates of run .* wait: one, two"):
        book.go_on(run_id, data={"approved": True}, by="ann")
    assert decided(book, run_id) == []
    first = book.approve(f"{run_id}/two")
    assert first.result is not None
    assert first.result.status == "suspended"
    last = book.approve(run_id)
    assert last.event.artifact == "one"
    assert last.result is not None
    assert last.result.status == "completed"


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("report", RefusedError, "'report' is not a gate: it is completed"),
        ("publish", RefusedError, "'publish' is not a gate: it is not_started"),
        ("signn", ArtifactNotFoundError, "has no artifact 'signn'"),
        ("../sign", ArtifactNotFoundError, "has no artifact"),
    ],
)
async def test_what_is_no_gate(book: Book, name: str, error: type[WaivernError], text: str) -> None:
    run_id = await suspended(book)
    with pytest.raises(error, match=text):
        book.approve(f"{run_id}/{name}")
    assert decided(book, run_id) == []


async def test_a_run_that_waits_for_nobody(book: Book) -> None:
    run_id = await suspended(book)
    book.approve(run_id)
    for name in ("", "/sign"):
        with pytest.raises(RefusedError, match="is completed; nothing is waiting for approval"):
            book.approve(run_id + name)
    lease = book.store.lock(run_id, this_process())
    with pytest.raises(RefusedError, match="process"):
        book.approve(run_id)
    lease.release()


async def test_what_was_shown_has_been_altered(book: Book) -> None:
    run_id = await suspended(book)
    file = book.run(run_id) / "report.json"
    file.write_text(file.read_text().replace("report", "rep0rt"))
    with pytest.raises(IntegrityError, match="'report', which 'sign' shows, is altered") as raised:
        book.approve(run_id)
    assert raised.value.exit_code == 9
    assert decided(book, run_id) == []
    again = book.go_on(run_id)  # made again, and asked anew
    assert again.status == "suspended"
    assert book.calls() == {"report": 1}
    assert len([e for e in book.events(run_id) if isinstance(e, ArtifactSuspendedRecord)]) == 2
    done = book.approve(run_id)
    assert done.result is not None
    assert done.result.status == "completed"


async def test_a_decision_counts_only_for_what_was_shown(book: Book) -> None:
    """Approved, then altered before the run went on: the gate asks again."""
    run_id = await suspended(book)
    book.approve(run_id, resume=False)
    (book.run(run_id) / "report.json").unlink()
    assert book.go_on(run_id).status == "suspended"


async def test_a_decision_counts_only_for_the_runbook_that_was_shown(book: Book) -> None:
    run_id = await suspended(book)
    book.approve(run_id, resume=False)
    book.write(*ASKED, comment="another")
    assert (await book.resume(run_id, allow_changed=True)).status == "suspended"


def child(book: Book, **ask: Json) -> None:
    """Write a runbook whose gate is in a child, so that its own bytes stay."""
    terms = {"question": "Send this to ${params.who}?", "show": "m", **ask}
    params = {"who": {"type": "string", "default": "us"}}
    inner = {
        "params": params,
        "inputs": {"m": {"input_schema": "json"}},
        "outputs": {"ok": {"artifact": "ok"}},
        "artifacts": {"ok": {"gate": terms}},
    }
    (book.folder / "child.yaml").write_text(json.dumps(inner))
    use = {"path": "child.yaml", "input_mapping": {"m": "a"}, "output": "ok"}
    book.write(make("a"), {"sent": {"child_runbook": use}}, params=params)


@pytest.mark.parametrize(
    "change",
    [{"question": "Send it to ${params.who}?"}, {"approvers": 2}, {"expires": "2h"}, None],
    ids=["question", "approvers", "expires", "parameter"],
)
async def test_a_decision_counts_only_for_what_was_asked(
    book: Book, change: dict[str, Json] | None
) -> None:
    """The files and the runbook's bytes are the same: the child is another, or a parameter."""
    child(book, approvers=3, expires="1h")
    run_id = (await book.start()).run_id
    for name in ("ann", "bob", "cleo"):
        book.approve(run_id, name, resume=False)
    who = RequestedParams(values={"who": "everybody"} if change is None else {})
    child(book, **{"approvers": 3, "expires": "1h", **(change or {})})
    with pytest.raises(RefusedError, match="has changed since its question was asked"):
        await book.resume(
            run_id, allow_changed=True, params=who, data={"approved": True}, by="dora"
        )
    assert len(decided(book, run_id)) == 3
    again = await book.resume(run_id, allow_changed=True, params=who)
    assert again.status == "suspended"
    asked = [e for e in book.events(run_id) if isinstance(e, ArtifactSuspendedRecord)]
    assert len({event.asked for event in asked}) == 2
    assert len({(tuple(event.shown.items())) for event in asked}) == 1
    assert book.approve(run_id, "ann").missing == (1 if change == {"approvers": 2} else 2)
    last = book.approve(run_id, "bob")
    done = last.result or book.approve(run_id, "cleo").result
    assert done is not None
    assert done.status == "completed"
    assert book.content(run_id, "sent/ok")["question"] == asked[-1].reason


async def test_a_gate_that_was_approved_is_asked_anew_when_its_question_changes(book: Book) -> None:
    child(book)
    run_id = (await book.start()).run_id
    assert book.approve(run_id).result is not None
    everybody = RequestedParams(values={"who": "everybody"})
    again = await book.resume(run_id, allow_changed=True, params=everybody)
    assert again.status == "suspended"
    assert again.state.suspended == ("sent/ok",)


async def test_another_question_has_a_time_of_its_own(book: Book) -> None:
    child(book, expires="1h")
    run_id = (await book.start(book.options(clock=At()))).run_id
    late = book.options(clock=At("2020-01-02T00:00:00.000Z"))
    child(book, expires="2h")
    assert (await book.resume(run_id, late, allow_changed=True)).status == "suspended"


async def test_a_gate_that_becomes_a_component_that_waits(book: Book) -> None:
    run_id = await suspended(book)
    steps = book.folder / "steps.py"
    steps.write_text(steps.read_text() + WAITS)
    waits = {"type": "python", "properties": {"call": "steps.py:waits", "args": {}}}
    book.write(*ASKED[:2], {"sign": {"inputs": "report", "process": waits}})
    again = await book.resume(run_id, allow_changed=True)
    assert (again.status, again.exit_code) == ("suspended", 7)
    assert decisions.open_gates(again.record, again.plan, Clock().now()) == []
    with pytest.raises(RefusedError, match="'sign' is not a gate: it waits for data"):
        book.approve(f"{run_id}/sign")
    (book.folder / "answer").touch()
    assert book.go_on(run_id, data={"answer": 1}).status == "completed"


async def test_an_expired_question(book: Book) -> None:
    book.write(make("a"), gate("sign", "a", expires="1h"), join("end", "a", "sign"))
    first = await book.start(book.options(clock=At()))
    late = At("2020-01-01T01:00:01.000Z")
    with pytest.raises(RefusedError, match="the question has expired") as raised:
        book.approve(first.run_id, clock=late)
    assert "--ask-again" in (raised.value.hint or "")
    assert decided(book, first.run_id) == []
    failed = book.go_on(first.run_id, book.options(clock=late))
    assert failed.status == "failed"
    assert "expired" in str(failed.error)
    asked = book.go_on(first.run_id, book.options(clock=late), ask_again=True)
    assert asked.status == "suspended"
    done = book.approve(first.run_id, clock=late)
    assert done.result is not None
    assert done.result.status == "completed"


async def test_by_the_data_of_a_resume(book: Book) -> None:
    run_id = await suspended(book)
    with pytest.raises(UsageError, match="is a decision on 'sign'"):
        book.go_on(run_id, data={"approved": "maybe"}, by="ann")
    with pytest.raises(RefusedError, match="only gates wait: sign"):
        book.go_on(run_id, data={"other": 1}, by="ann")
    with pytest.raises(UsageError, match="requires a name"):
        book.go_on(run_id, data={"approved": True})
    assert decided(book, run_id) == []
    result = book.go_on(run_id, data={"approved": True, "risk": 3}, by="ann")
    assert result.status == "completed"
    assert book.content(run_id, "sign")["data"] == {"risk": 3}
    with pytest.raises(RefusedError, match="nothing waits for data"):
        book.go_on(run_id, data={"risk": 3}, by="ann")


async def test_rejected_by_the_data_of_a_resume(book: Book) -> None:
    run_id = await suspended(book)
    assert book.go_on(run_id, data={"approved": False}, by="ann").status == "failed"


async def test_a_decision_has_to_be_one_that_can_be_kept(book: Book) -> None:
    for by, note in ((" ", None), ("", None), ("ann ", None), ("ann", "x" * 70_000)):
        with pytest.raises(UsageError):
            Decision(True, by, note)
    with pytest.raises(UsageError, match="cannot be recorded"):
        Decision(True, "\udc80")


async def test_cancelled_while_it_waits(book: Book) -> None:
    run_id = await suspended(book)
    assert cancel.cancel(book.store, run_id, "ann", None, Clock())
    with pytest.raises(RefusedError, match="is cancelled; nothing"):
        book.approve(run_id)
    with pytest.raises(RefusedError, match="was cancelled"):
        book.go_on(run_id)
    assert book.go_on(run_id, force=True).status is RunStatus.SUSPENDED
    assert book.calls() == {}
