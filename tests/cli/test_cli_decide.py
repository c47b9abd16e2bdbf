"""Runs that wait: started by one process, decided on by another; what each of them says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from wct_process import Place, Wct

BOOK = """
  a: {source: {type: python, properties: {call: "steps.py:counted", args: {name: a}}}}
  sign-off: {gate: {question: "Publish it?", show: [a]}}
  end:
    inputs: [a, sign-off]
    process: {type: python, properties: {call: "steps.py:last"}}
    output: true
"""
STEPS = """

def counted(name):
    with open("calls.txt", "a") as out:
        out.write(name + "\\n")
    return {"value": 1}

def last(inputs):
    counted("end")
    return {"approved": inputs[1]["approved"], "data": inputs[1]["data"]}
"""
WAITER = """
from pydantic import BaseModel
from waivern.message import SchemaRef
from waivern.plugins.component import Suspend

class Config(BaseModel):
    want: str

class connector:
    name, version, produces, Config = "waiter", "1", SchemaRef("json"), Config

    def extract(self, config, ctx):
        if config.want not in ctx.resume_data:
            raise Suspend(f"needs the {config.want}")
        return ctx.resume_data[config.want]
"""


@pytest.fixture
def book(place: Place) -> str:
    steps = place.path / "steps.py"
    steps.write_text(steps.read_text() + STEPS)
    return place.runbook("book.yaml", BOOK)


def calls(place: Place) -> list[str]:
    return (place.path / "calls.txt").read_text().split()


def artifact(place: Place, name: str) -> object:
    return json.loads((place.run_folder() / f"{name}.json").read_text())["content"]


def test_suspended_here_and_approved_there(place: Place, book: str, wct: Wct) -> None:
    waits = wct("run", book)
    assert waits.code == 7
    assert waits.out.startswith("SUSPENDED")
    assert "sign-off  asks: Publish it?" in waits.out
    assert re.search(r"shows:  a\n", waits.out)
    run = place.run_ids()[0][:8]
    assert waits.out.splitlines()[-2].strip() == f"decide:  wct runs approve {run}/sign-off"
    assert "suspended  sign-off  asks: Publish it?" in waits.err
    assert wct("runs").rows[0][1] == "suspended"
    assert f"{run}  sign-off: Publish it?" in place.on_a_terminal("runs").out
    listed = wct("runs", "--status", "suspended", "--json").data("runs")
    assert listed[0]["artifacts"]["suspended"] == 1

    args = ("--by", "ann", "--note", "fine", "--data", "risk=3", "--data", "who=the board")
    done = wct("runs", "approve", f"{run}/sign-off", *args, "-o", "out")
    assert done.code == 0, done.err
    assert done.out.startswith("COMPLETED")
    assert done.err.startswith("sign-off  approved by ann: fine\n")
    assert calls(place) == ["a", "end"]
    wanted = {"approved": True, "data": {"risk": 3, "who": "the board"}}
    assert json.loads((place.path / "out/end.json").read_text())["content"] == wanted
    looked = wct("inspect", "@last/sign-off")
    assert "decision\tapproved by ann at " in looked.out
    shown = wct("inspect", "@last", "--json").data("inspect")
    assert [each.get("by") for each in shown["decisions"]["sign-off"]] == [None, "ann"]


def test_rejected(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q")
    done = wct("runs", "approve", "@last", "--reject", "--by", "ann", "--note", "no")
    assert done.code == 1
    assert "rejected: ann rejected it: no" in done.out
    assert "--ask-again" in done.out
    assert calls(place) == ["a"]
    assert wct("run", book, "--resume", "@last", "--ask-again", "-q").code == 7
    assert wct("runs", "resume", "@last", "--data", "approved=true", "-q").code == 0
    assert calls(place) == ["a", "end"]


def test_only_recorded(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q")
    done = wct("runs", "approve", "@last", "--no-resume", "--by", "ann")
    assert done.code == 0
    assert done.out == f"{place.run_ids()[0]}/sign-off  approved by ann\n"
    assert "wct runs resume" in done.err
    again = wct("runs", "approve", "@last", "--no-resume", "--json")
    assert again.code == 5
    assert again.data("error")["exit_code"] == 5
    assert wct("runs", "resume", "@last", "-q").code == 0
    assert calls(place) == ["a", "end"]


def test_the_user_decides_by_default(place: Place, book: str) -> None:
    place.wct("run", book, "-q")
    done = place.wct("runs", "approve", "@last", "--json", LOGNAME="cleo")
    document = done.data("run")
    assert document["decision"]["by"] == "cleo"
    assert document["status"] == "completed"
    assert document["exit_code"] == 0


def test_more_people_have_to_approve(place: Place, book: str, wct: Wct) -> None:
    text = (place.path / book).read_text().replace("show: [a]", "show: [a], approvers: 2")
    (place.path / book).write_text(text)
    assert "approved by 0 of 2 people" in wct("run", book).out
    first = wct("runs", "approve", "@last", "--by", "ann")
    assert first.code == 7
    assert "1 more person has to approve" in first.err
    same = wct("runs", "approve", "@last", "--by", "ann")
    assert same.code == 5
    assert "ann has approved 'sign-off' already" in same.err
    assert wct("runs", "approve", "@last", "--by", "bob", "-q").code == 0


def test_what_is_shown_was_altered(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q")
    file = place.run_folder() / "a.json"
    file.write_text(file.read_text().replace('"value": 1', '"value": 2'))
    refused = wct("runs", "approve", "@last")
    assert refused.code == 9
    assert "'a', which 'sign-off' shows, is altered" in refused.err
    assert "wct runs resume" in refused.err


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["approve", "@last/a"], 5, "'a' is not a gate"),
        (["approve", "@last/sign-of"], 4, "did you mean 'sign-off'?"),
        (["approve", "nobody"], 4, "no run 'nobody'"),
        (["approve", "@last", "--by", ""], 2, "--by"),
        (["approve", "@last", "--data", "risk"], 2, "--data key=value"),
        (["approve", "@last", "--data", "a=1", "--data", "a=2"], 2, "occurs twice"),
        (["approve", "@last", "--no-resume", "-o", "out"], 2, "-o"),
        (["resume", "@last", "--data", "approved=perhaps"], 2, "true or false"),
        (["resume", "@last", "--data", "risk=1"], 5, "only gates wait: sign-off"),
    ],
)
def test_refused(place: Place, book: str, args: list[str], code: int, text: str, wct: Wct) -> None:
    wct("run", book, "-q")
    before = (place.run_folder() / "_system/events.jsonl").read_bytes()
    done = wct("runs", *args)
    assert done.code == code
    assert text in done.err
    assert "= help: " in done.err
    assert (place.run_folder() / "_system/events.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "code"),
    [(("--refresh", "nope"), 4), (("--fail-on", "status.nope == 'x'"), 4)],
)
def test_wrong_terms_are_told_before_the_decision_is_kept(
    place: Place, book: str, more: tuple[str, ...], code: int, wct: Wct
) -> None:
    assert wct("run", book, "-q", "--run-id", "r").code == 7
    refused = wct("runs", "approve", "r/sign-off", "--by", "ann", *more)
    assert refused.code == code, refused.err
    refused = wct("runs", "resume", "r", "--data", "approved=true", *more)
    assert refused.code == code, refused.err
    events = (place.run_folder() / "_system/events.jsonl").read_text()
    assert "gate_decided" not in events
    assert wct("runs", "approve", "r/sign-off", "--by", "ann", "-q").code == 0


def test_cancelled_while_it_waits(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q")
    assert wct("runs", "cancel", "@last", "--by", "ann").out.endswith("cancelled\n")
    assert wct("runs").rows[0][1] == "cancelled"
    refused = wct("runs", "approve", "@last")
    assert refused.code == 5
    assert "is cancelled; nothing" in refused.err


def test_data_for_what_waits_outside(place: Place, wct: Wct) -> None:
    parts = place.path / "parts"
    parts.mkdir()
    (parts / "waiter.py").write_text(WAITER)
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    book = place.runbook(
        "book.yaml",
        "  one: {source: {type: waiter, properties: {want: dpa}}}\n"
        "  two: {source: {type: waiter, properties: {want: vow}}}\n",
    )
    assert wct("validate", book).code == 0
    waits = wct("run", book)
    assert waits.code == 7
    assert "one  waits: needs the dpa" in waits.out
    run = place.run_ids()[0][:8]
    assert f"provide:  wct runs resume {run} --data KEY=VALUE" in waits.out
    secret = "the-signed-canary"
    first = wct("runs", "resume", run, "--data", f"dpa={secret}", "-q")
    assert first.code == 7
    assert artifact(place, "one") == secret
    second = wct("runs", "resume", run, "--data", 'vow={"yes": [1]}', "-q")
    assert second.code == 0
    assert artifact(place, "two") == {"yes": [1]}
    journal = (place.run_folder() / "_system/events.jsonl").read_text()
    assert '"given":["dpa"]' in journal.replace(" ", "")
    assert secret not in journal
    approve = wct("runs", "approve", run)
    assert approve.code == 5


def test_inspect_shows_what_a_gate_asks_and_the_commands(place: Place, book: str, wct: Wct) -> None:
    assert wct("run", book, "-q").code == 7
    [run] = place.run_ids()
    facts = dict(wct("inspect", "@last/sign-off").rows)
    assert facts["asks"] == "Publish it?"
    assert facts["shows"].startswith("a  json/1.0.0, ")
    assert facts["decide"] == f"wct runs approve {run[:8]}/sign-off"
    assert facts["reject"] == f"wct runs approve {run[:8]}/sign-off --reject"
    gate = wct("inspect", "@last/sign-off", "--json").data("inspect")["gate"]
    assert gate["waits"]
    assert [each["artifact"] for each in gate["shown"]] == ["a"]
    assert wct("runs", "approve", "@last", "--by", "ann").code == 0
    facts = dict(wct("inspect", "@last/sign-off").rows)
    assert "decide" not in facts
    assert facts["decision"].startswith("approved by ann")


def test_a_sensitive_input_is_not_shown(place: Place, book: str, wct: Wct) -> None:
    child = """
inputs: {who: {input_schema: json/1.0.0, sensitive: true}}
outputs: {made: {artifact: made}}
artifacts:
  made: {inputs: [who], process: {type: python, properties: {call: "steps.py:total"}}}
"""
    (place.path / "child.yaml").write_text(child)
    parent = place.runbook(
        "parent.yaml",
        """
  a: {source: {type: python, properties: {call: "steps.py:value", args: {x: 4711}}}}
  one:
    inputs: [a]
    child_runbook: {path: child.yaml, input_mapping: {who: a}, output_mapping: {made: made}}
""",
    )
    assert wct("run", parent, "-q").code == 0
    for args in (["@last"], ["@last/a"], ["@last/a", "--json", "--full"], ["@last", "--full"]):
        done = wct("inspect", *args)
        assert done.code == 0
        assert '"value": 4711' not in done.out
        assert '"value": 4711' in wct("inspect", "@last/a", "--full", "--reveal").out
    refused = wct("inspect", "@last/a", "--full")
    assert refused.code == 5
    assert "--reveal" in refused.err
    seen = place.on_a_terminal("inspect", "@last/a").out
    assert "sensitive: not shown without --reveal" in seen
    assert "4711" not in seen
    assert "4711" in place.on_a_terminal("inspect", "@last/a", "--reveal").out
    assert Path(place.run_folder() / "a.json").exists()
