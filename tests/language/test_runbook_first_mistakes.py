"""Mistakes of a first runbook: each is answered with what to write instead."""

from __future__ import annotations

import pytest
from runbook_text import problems

STEP = "source: {type: filesystem, properties: {path: .}}"
MISTAKES = [
    ("artifacts: {a: {source: filesystem}}", "write it as `source: {type: filesystem"),
    ("artifacts: {a: {source: {type: filesystem, path: .}}}", "put it under 'properties'"),
    ("artifacts:\n  a:\n    source:{type: filesystem}\n", "put a space after the ':'"),
    ("artifacts: {a: {gate: Go?}}", "write it as `gate: {question:"),
    (f"artifacts: {{a: {{{STEP}, retry: 3}}}}", "write it as `retry: {max: 3}`"),
    ("artifacts: {a: {child_runbook: c.yaml}}", "write it as `child_runbook: {path:"),
    (f"params: {{d: x}}\nartifacts: {{a: {{{STEP}}}}}", "write it as `params: {region:"),
    (f"artifacts:\n  a:\n    {STEP}\n    when: status.a == ok\n", "put text in quotes"),
    ("name: x\n", "write it as `artifacts: {files:"),
]


@pytest.mark.parametrize(("text", "hint"), MISTAKES)
def test_a_mistake_is_answered_with_what_to_write(text: str, hint: str) -> None:
    hints = [problem.hint or "" for problem in problems(text)]
    assert any(hint in each for each in hints), hints


def test_an_artifact_whose_source_is_empty_is_no_defect() -> None:
    text = "artifacts:\n  a:\n    source:\n    type: filesystem\n"
    assert [problem.code for problem in problems(text)] == ["WCT103"]
