"""What a condition shows of the artifacts that it reads: nothing where they are sensitive."""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.plan import Plan

STAFF: Json = {"nhs": 9434765919, "pay": [51234, 61234]}
ASKS = "inputs.m.nhs == 1 or count(inputs.m.pay) > 5"

CHILD = """
inputs: {m: {input_schema: json, sensitive: %s}}
outputs: {o: {artifact: x}}
artifacts:
  x: {inputs: m, when: "%s", PROCESS}
"""
MAIN = """
artifacts:
  s: {SOURCE}
  own: {inputs: s, when: inputs.s.nhs == 1, PROCESS}
  d: {child_runbook: {path: child.yaml, input_mapping: {m: s}, output: o}}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def told(plan: Plan, id_: str, name: str) -> str:
    (test,) = plan.nodes[ArtifactId(id_)].tests
    return test.condition.explain({"inputs": {name: STAFF}}, lambda text: text)


def test_a_condition_is_silent_about_a_sensitive_input(books: Books) -> None:
    plan = books.write(child=CHILD % ("true", ASKS), main=MAIN).plan()
    assert told(plan, "d/x", "m") == "inputs.m is sensitive"
    assert told(plan, "own", "s") == "inputs.s is sensitive"


def test_what_is_not_sensitive_is_told_without_its_values(books: Books) -> None:
    plan = books.write(child=CHILD % ("false", ASKS), main=MAIN).plan()
    assert told(plan, "d/x", "m") == "inputs.m.nhs = a number, count(inputs.m.pay) = 2"
    assert told(plan, "own", "s") == "inputs.s.nhs = a number"


def test_the_default_of_a_sensitive_input_is_not_told(books: Books) -> None:
    child = CHILD.replace("sensitive", "optional: true, default: {nhs: 1}, sensitive")
    main = "artifacts: {d: {child_runbook: {path: child.yaml, output: o}}}"
    plan = books.write(child=child % ("true", ASKS), main=main).plan()
    assert told(plan, "d/x", "m") == "inputs.m is sensitive"


def test_a_round_is_silent_about_a_result_that_is_sensitive(books: Books) -> None:
    main = """
    artifacts:
      s: {SOURCE}
      r: {inputs: s, PROCESS, repeat: {until: result.nhs == 1, max: 2}}
      d: {child_runbook: {path: child.yaml, input_mapping: {m: r/round-1}, output: o}}
    """
    plan = books.write(child=CHILD % ("true", ASKS), main=main).plan()
    (test,) = plan.nodes[ArtifactId("r/round-2")].tests
    assert test.condition.explain({"result": STAFF}, str) == "result is sensitive"
