"""Gates: asked, decided, refused, and asked again when what was shown is another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_kit import Ran, Settings, Spec, again, execute, runbook
from engine_steps import Stage

from waivern.clock import Clock
from waivern.errors import Exit
from waivern.message import Json
from waivern.record.fold import ASK_AGAIN, RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    GateDecidedRecord,
)

AT = "2099-01-01T00:00:00.000Z"


def book(stage: Stage, fail: bool = False, **gate: Json) -> dict[str, Any]:
    """a -> gate -> after; free."""
    made = runbook(stage, Spec("a"), Spec("after", ("ok",), call="decided"), Spec("free"))
    made["artifacts"]["after"]["process"]["properties"]["call"] = "test_engine_gates:decided"
    made["artifacts"]["after"]["process"]["properties"]["args"] = {}
    made["artifacts"]["ok"] = {"gate": {"question": "Well?", "show": "a", **gate}}
    if fail:
        made["artifacts"] |= runbook(stage, Spec("bad", args={"fail": True}))["artifacts"]
    return made


def decided(inputs: list[Json]) -> Json:
    return {"approved": inputs[0]["approved"], "data": inputs[0]["data"]}


def decision(
    ran: Ran, by: str = "ann", *, gate: str = "ok", approved: bool = True, **more: Any
) -> GateDecidedRecord:
    asked = ran.of(ArtifactSuspendedRecord)[-1]
    values: dict[str, Any] = {"at": asked.at, "note": None, "data": {}, "shown": asked.shown}
    values |= {"runbook_hash": ran.record.metadata.runbook_hash, "asked": asked.asked, **more}
    return GateDecidedRecord(artifact=gate, approved=approved, by=by, **values)


def test_it_waits() -> None:
    ran = execute(book(Stage()))
    assert ran.statuses == {
        "a": "completed", "ok": "suspended", "after": "not_started", "free": "completed",
    }  # fmt: skip
    assert (ran.ending.status, ran.ending.exit_code) == ("suspended", Exit.SUSPENDED)
    assert "Well?" in str(ran.record.metadata.suspension_reason)
    (asked,) = ran.of(ArtifactSuspendedRecord)
    completed = {event.artifact: event for event in ran.of(ArtifactCompletedRecord)}
    assert asked.shown == {"a": completed["a"].digest}
    assert ran.state()["suspended"] == ["ok"]
    assert RunRecord.of(ran.events).state.document() == ran.state()


def test_what_failed_comes_first() -> None:
    ran = execute(book(Stage(), fail=True))
    assert (ran.ending.status, ran.ending.exit_code) == ("failed", 1)
    assert ran.statuses["ok"] == "suspended"


def test_it_is_approved_and_nothing_is_made_twice() -> None:
    stage = Stage()
    ran = execute(book(stage))
    before = len(ran.of(ArtifactStartedRecord))
    done = again(ran, book(stage), decision(ran, note="fine", data={"limit": 3}))
    assert set(done.statuses.values()) == {"completed"}
    assert (done.ending.status, done.ending.exit_code) == ("completed", 0)
    assert [e.artifact for e in done.of(ArtifactStartedRecord)[before:]] == ["ok", "after"]
    content = done.content("ok")
    assert content["decisions"] == [
        {"by": "ann", "at": decision(ran).at, "note": "fine", "data": {"limit": 3}}
    ]
    assert content["shown"] == ran.of(ArtifactSuspendedRecord)[0].shown
    assert content["runbook_hash"] == done.plan.runbook.document.digest
    assert done.content("after") == {"approved": True, "data": {"limit": 3}}
    third = again(done, book(stage))
    assert len(third.of(ArtifactStartedRecord)) == len(done.of(ArtifactStartedRecord))
    assert third.ending.status == "completed"


def test_it_is_rejected_until_it_is_asked_again() -> None:
    stage = Stage()
    ran = execute(book(stage))
    no = again(ran, book(stage), decision(ran, approved=False, note="not so"))
    assert no.statuses["ok"] == "failed"
    assert no.statuses["after"] == "skipped"
    assert no.error("ok")["message"] == "ann rejected it: not so"
    assert no.ending.exit_code == 1
    still = again(no, book(stage), decision(ran, by="bob"))
    assert still.statuses["ok"] == "failed"
    asked = again(still, book(stage), forced=(ASK_AGAIN,))
    assert asked.statuses["ok"] == "suspended"
    yes = again(asked, book(stage), decision(asked, by="bob"))
    assert yes.statuses["ok"] == "completed"


class Late(Clock):
    """A clock at which every question has expired."""

    def now(self) -> str:
        return AT


def test_nobody_decided_in_time() -> None:
    stage = Stage()
    made = book(stage, expires="1h")
    ran = execute(made)
    assert again(ran, made).statuses["ok"] == "suspended"
    late = again(ran, made, decision(ran, at=AT), settings=Settings(Late()))
    assert late.statuses["ok"] == "failed"
    assert "no decision was made until" in str(late.error("ok")["message"])


def test_what_was_decided_in_time_counts_later_too() -> None:
    stage = Stage()
    made = book(stage, expires="1h")
    ran = execute(made)
    assert again(ran, made, decision(ran), settings=Settings(Late())).statuses["ok"] == "completed"


@pytest.mark.parametrize("second", ["ann", "Ann", " ann "])
def test_several_approvers_are_several_people(second: str) -> None:
    stage = Stage()
    ran = execute(book(stage, approvers=2))
    one = again(ran, book(stage, approvers=2), decision(ran))
    assert one.statuses["ok"] == "suspended"
    same = again(one, book(stage, approvers=2), decision(one, by=second))
    assert same.statuses["ok"] == "suspended"
    two = again(same, book(stage, approvers=2), decision(same, by="bob", data={"x": 1}))
    assert two.statuses["ok"] == "completed"
    assert {each["by"] for each in two.content("ok")["decisions"]} >= {"bob"}
    assert two.content("ok")["data"] == {"x": 1}


def test_one_no_is_enough() -> None:
    stage = Stage()
    ran = execute(book(stage, approvers=2))
    no = again(ran, book(stage, approvers=2), decision(ran), decision(ran, "bob", approved=False))
    assert no.statuses["ok"] == "failed"


def test_a_decision_on_something_else_does_not_count() -> None:
    stage = Stage()
    ran = execute(book(stage))
    other = decision(ran, shown={"a": "sha256:" + "0" * 64})
    assert again(ran, book(stage), other).statuses["ok"] == "suspended"
    ran = execute(book(stage))
    assert again(ran, book(stage), decision(ran, shown={})).statuses["ok"] == "suspended"
    ran = execute(book(stage))
    assert again(ran, book(stage), decision(ran, runbook_hash="x")).statuses["ok"] == "suspended"
    ran = execute(book(stage))
    for asked in ("", decision(execute(book(stage, approvers=2))).asked):
        old = again(ran, book(stage), decision(ran, asked=asked))
        assert old.statuses["ok"] == "suspended"


def test_another_runbook_asks_again() -> None:
    stage = Stage()
    ran = execute(book(stage))
    done = again(ran, book(stage), decision(ran))
    changed = book(stage) | {"description": "another"}
    asked = again(done, changed)
    assert asked.statuses["ok"] == "suspended"
    assert asked.statuses["after"] == "not_started"
    assert asked.ending.status == "suspended"
    yes = again(asked, changed, decision(asked))
    assert yes.statuses["after"] == "completed"


def test_a_gate_with_a_condition() -> None:
    stage = Stage()
    for condition, status in (("inputs.a.name == 'a'", "suspended"), ("false", "skipped")):
        made = book(stage)
        made["artifacts"]["ok"]["when"] = condition
        ran = execute(made)
        assert ran.statuses["ok"] == status
        if status == "suspended":
            done = again(ran, made, decision(ran))
            assert done.statuses["after"] == "completed"


@pytest.mark.parametrize("condition", [None, "inputs.a.name == 'a'"])
def test_what_is_handed_over_is_no_decision(condition: str | None) -> None:
    """`--data decision=…` on a resume cannot stand for a person's decision in the journal."""
    stage = Stage()
    made = book(stage)
    made["artifacts"]["ok"]["when"] = condition
    forged = {"ok": {"decision": {"approved": True, "data": {}}}}
    ran = execute(made, settings=Settings(given=forged))
    assert ran.statuses["ok"] == "suspended"
    assert again(ran, made, settings=Settings(given=forged)).statuses["ok"] == "suspended"


def test_a_rejected_gate_that_is_optional() -> None:
    stage = Stage()
    made = book(stage)
    made["artifacts"]["ok"]["optional"] = True
    made["artifacts"]["after"]["inputs"] = ["free", "ok"]
    made["artifacts"]["after"]["process"]["properties"]["call"] = "engine_steps:derived"
    made["artifacts"]["after"]["process"]["properties"]["args"] = {
        "token": stage.token, "name": "after",
    }  # fmt: skip
    ran = execute(made)
    assert ran.statuses["after"] == "not_started"
    no = again(ran, made, decision(ran, approved=False))
    assert no.statuses["after"] == "completed"
    assert no.ending.status == "completed"


def test_several_gates_each_on_its_own() -> None:
    stage = Stage()
    made = book(stage)
    made["artifacts"]["second"] = {"gate": {"question": "And this?", "show": ["free", "a"]}}
    ran = execute(made)
    assert ran.state()["suspended"] == ["ok", "second"]
    shown = {event.artifact: event.shown for event in ran.of(ArtifactSuspendedRecord)}
    one = again(ran, made, decision(ran, gate="second", shown=shown["second"]))
    assert one.statuses["second"] == "completed"
    assert one.statuses["ok"] == "suspended"
    assert one.ending.status == "suspended"


def test_a_gate_in_a_child(tmp_path: Path) -> None:
    import json

    stage = Stage()
    child = {"artifacts": book(stage)["artifacts"], "outputs": {"r": {"artifact": "after"}}}
    (tmp_path / "c.yaml").write_text(json.dumps(child))
    made = runbook(stage, Spec("end", ("sub",), call="derived"))
    made["artifacts"]["sub"] = {"child_runbook": {"path": "c.yaml", "output": "r"}}
    made["artifacts"]["end"]["process"]["properties"] = {"call": "test_engine_conditions:same"}
    settings = Settings(folder=tmp_path)
    ran = execute(made, settings=settings)
    assert ran.statuses["sub/ok"] == "suspended"
    shown = ran.of(ArtifactSuspendedRecord)[0].shown
    assert list(shown) == ["sub/a"]
    done = again(ran, made, decision(ran, gate="sub/ok"), settings=settings)
    assert done.content("end")["approved"] is True


# components that wait


def waiting(stage: Stage, **terms: Json) -> dict[str, Any]:
    made = runbook(
        stage,
        Spec("a", call="waits", args={"event": "mail"}),
        Spec("b", ("a",)),
        Spec("free"),
        Spec("c", ("free", "a")),
    )
    made["artifacts"]["a"] |= terms
    return made


@pytest.mark.parametrize("terms", [{}, {"retry": {"max": 3}}, {"optional": True}])
def test_a_component_waits_and_the_rest_goes_on(terms: dict[str, Json]) -> None:
    stage = Stage()
    ran = execute(waiting(stage, **terms))
    assert ran.statuses == {
        "a": "suspended", "b": "not_started", "free": "completed", "c": "not_started",
    }  # fmt: skip
    assert (ran.ending.status, ran.ending.exit_code) == ("suspended", Exit.SUSPENDED)
    assert ran.record.metadata.suspension_reason == "a: a waits for mail"
    (asked,) = ran.of(ArtifactSuspendedRecord)
    assert not asked.gate
    assert stage.trace.count(("start", "a")) == 0
    still = again(ran, waiting(stage, **terms))
    assert still.ending.status == "suspended"
    stage.events["mail"].set()
    done = again(still, waiting(stage, **terms))
    assert set(done.statuses.values()) == {"completed"}
    assert done.record.metadata.suspension_reason is None
    assert stage.trace.count(("start", "free")) == 1


def test_a_component_that_waits_frees_its_pool() -> None:
    stage = Stage()
    made = waiting(stage) | {"config": {"pools": {"p": 1}}}
    made["artifacts"]["a"]["pool"] = made["artifacts"]["free"]["pool"] = "p"
    assert execute(made).statuses["free"] == "completed"


def test_failed_comes_before_suspended() -> None:
    stage = Stage()
    made = waiting(stage)
    made["artifacts"] |= runbook(stage, Spec("bad", args={"fail": True}))["artifacts"]
    ran = execute(made)
    assert (ran.ending.status, ran.ending.exit_code) == ("failed", 1)
    assert ran.statuses["a"] == "suspended"
