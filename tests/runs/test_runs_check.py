"""One look at a runbook tells all that is wrong with it, whichever stage finds it."""

from pathlib import Path

import pytest

from waivern.diagnostics import InvalidError
from waivern.runs.prepare import check
from waivern.store.memory import AsyncInMemoryStore

WRONG = """\
nam: x
artifacts:
  a: {source: {type: filesystm, properties: {path: .}}}
  b: {inputs: [a, nope], proces: {type: merge}}
  c: {inputs: b, process: {type: personal_data, properties: {min_confidence: 7, typo: 1}}}
  d: {inputs: e}
  e: {inputs: d}
  a: {reuse: {from_run: "../../x", artifact: y}}
  f: {source: {type: sqlite, properties: {path: "${NOT_SET_ANYWHERE}"}}}
  g: {inputs: missing}
"""


def found(tmp_path: Path, text: str) -> list[tuple[str, int, int]]:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError) as caught:
        check(str(path), AsyncInMemoryStore(), {})
    places = []
    for problem in caught.value.problems:
        assert problem.position is not None
        places.append((str(problem.code), problem.position.line, problem.position.column))
    return places


def test_problems_of_shape_and_of_the_plan_are_one_report(tmp_path: Path) -> None:
    assert found(tmp_path, WRONG) == [
        ("WCT103", 1, 1),
        ("WCT203", 3, 22),
        ("WCT103", 4, 26),
        ("WCT204", 5, 78),
        ("WCT204", 5, 81),
        ("WCT202", 6, 15),
        ("WCT108", 8, 3),
        ("WCT115", 9, 49),
        ("WCT201", 10, 15),
    ]


def test_an_artifact_that_is_malformed_may_be_referred_to(tmp_path: Path) -> None:
    """The mistake is told once, not again at everything that reads the artifact."""
    text = "artifacts:\n  a: {sourc: 1}\n  b: {inputs: a}\n  c: {inputs: [a, b]}\n"
    assert [code for code, _, _ in found(tmp_path, text)] == ["WCT103"]


def test_an_input_that_is_missing_is_one_problem(tmp_path: Path) -> None:
    assert found(tmp_path, "artifacts:\n  a: {inputs: nope}\n") == [("WCT201", 2, 15)]
