"""Conditions in runbooks of several files: whose names they use, and what they show."""

from __future__ import annotations

import json

from wct_process import Place, Wct

OWN = """
outputs: {end: {artifact: end}}
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:fail"}}}
  end:
    source: {type: python, properties: {call: "steps.py:value"}}
    when: status.a == 'failed'
"""


def test_a_name_means_what_it_means_where_it_stands(place: Place, wct: Wct) -> None:
    """The directive asks for the parent's `a`, the child's artifact for the child's."""
    (place.path / "child.yaml").write_text(OWN)
    book = place.runbook(
        "book.yaml",
        '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
        "  d:\n"
        "    child_runbook: {path: child.yaml, output: end}\n"
        "    when: status.a == 'completed'\n",
    )
    assert wct("run", book, "-q", "--run-id", "r").code == 1
    steps = wct("inspect", "r", "--json").data("inspect")["steps"]
    assert {each["artifact"]: each["status"] for each in steps} == {
        "a": "completed",
        "d/a": "failed",
        "d/end": "completed",
    }


def test_a_policy_says_nothing_of_what_is_sensitive(place: Place, wct: Wct) -> None:
    (place.path / "child.yaml").write_text(
        "inputs: {m: {input_schema: json, sensitive: true}}\n"
        "outputs: {x: {artifact: x}}\n"
        "artifacts:\n"
        '  x: {inputs: m, process: {type: python, properties: {call: "steps.py:total"}}}\n'
    )
    book = place.runbook(
        "book.yaml",
        '  a: {source: {type: python, properties: {call: "steps.py:value", args: {x: 98765}}}}\n'
        "  d: {inputs: a, child_runbook: {path: child.yaml, output: x, input_mapping: {m: a}}}\n",
    )
    done = wct("run", book, "-q", "--fail-on", "count(artifacts.a) == 1")
    assert done.code == 6
    assert "artifacts.a is sensitive" in done.out
    assert "98765" not in done.out + done.err


def test_a_question_for_each_item_is_shown_as_it_is_meant(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "book.yaml",
        '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
        "  g:\n    for_each: [x]\n"
        "    gate: {question: 'Is ${each} worth $${5}?', show: a}\n",
    )
    done = wct("run", book, "-q", "--run-id", "r")
    assert done.code == 7
    assert "asks: Is x worth ${5}?" in done.out
    events = (place.run_folder() / "_system/events.jsonl").read_text().splitlines()
    asked = [e for e in (json.loads(line)["event"] for line in events) if "shown" in e]
    assert [event["reason"] for event in asked] == ["Is x worth ${5}?"]
