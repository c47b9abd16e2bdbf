"""The views of `wct inspect`: findings as tables and counts, parts of content, chosen steps."""

from __future__ import annotations

import json

import pytest
from wct_process import Place, Wct

STEPS = """
def found():
    for n in range(1200):
        kind, category = [("MAIL", "contact"), ("NHS", "health")][n % 4 == 0]
        yield {"id": f"{n:032x}", "type": kind, "category": category, "severity": "low",
               "special_category": category == "health", "evidence": "a***\\x1b[31m", "total": 2,
               "locations": [{"input": "rows", "file": f"f{n % 3}.txt", "line": n}]}
    return {"mask": "partial", "a/b~c": {"deep": [1, 2]}}
"""
BOOK = """
  found:
    source: {type: python, properties: {call: "found.py:found"}}
    output_schema: personal_data_findings
  bad: {source: {type: python, properties: {call: "steps.py:fail"}}, optional: true}
  after: {inputs: bad, process: {type: python, properties: {call: "steps.py:total"}}}
"""


@pytest.fixture
def run(place: Place, wct: Wct) -> str:
    (place.path / "found.py").write_text(STEPS.replace("records", "findings"))
    wct("run", place.runbook("b.yaml", BOOK), "-q", "--run-id", "r")
    return "r"


def test_findings_are_counted_and_chosen(run: str, wct: Wct) -> None:
    counts = wct("inspect", f"{run}/found", "--group-by", "type").rows
    assert [row[:3] for row in counts] == [["NHS", "300", "600"], ["MAIL", "900", "1800"]]
    few = wct("inspect", f"{run}/found", "--where", "special_category", "--head", "2").rows
    assert [row[1:4] for row in few] == [["", "NHS", "health"]] * 2
    found = wct("inspect", f"{run}/found", "--where", "item == 'f1.txt'", "--json")
    assert len(found.data("inspect-findings")["findings"]) == 400
    by_item = wct("inspect", f"{run}/found", "--group-by", "item", "--json")
    groups = by_item.data("inspect-findings")["groups"]
    assert {each["name"]: each["findings"] for each in groups} == dict.fromkeys(
        ("f0.txt", "f1.txt", "f2.txt"), 400
    )
    assert "\x1b" not in wct("inspect", f"{run}/found", "--where", "true").out


def test_parts_of_content(place: Place, run: str, wct: Wct) -> None:
    def part(pointer: str) -> object:
        return json.loads(wct("inspect", f"{run}/found", "--pointer", pointer).out)

    assert part("/a~1b~0c/deep/1") == 2
    assert part("/records/1199/type") == "MAIL"
    assert part("/mask") == "partial"
    for pointer, code, text in (
        ("mask", 2, "is not a JSON pointer"),
        ("/mask~2", 2, "no escape"),
        ("/musk", 4, "did you mean 'mask'"),
        ("/records/1200", 4, "1,200 items"),
        ("/records/-1", 4, "is no index"),
        ("/mask/0", 4, "nothing is in it"),
    ):
        done = wct("inspect", f"{run}/found", "--pointer", pointer)
        assert (done.code, text in done.err) == (code, True), done.err
    raw = wct("inspect", f"{run}/found", "--raw").out
    assert raw == (place.path / ".waivern/runs/r/found.json").read_text()


def test_steps_are_chosen_by_status(run: str, wct: Wct) -> None:
    assert [row[1] for row in wct("inspect", run, "--failed").rows] == ["bad"]
    assert [row[1] for row in wct("inspect", run, "--status", "skipped").rows] == ["after"]
    found = wct("inspect", run, "--status", "completed", "--json").data("inspect")
    assert [each["artifact"] for each in found["steps"]] == ["found"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("r", "--where", "true"), 2, "--where needs RUN/ARTIFACT"),
        (("r", "--raw"), 2, "--raw needs RUN/ARTIFACT"),
        (("r/found", "--failed"), 2, "among the artifacts of a run"),
        (("r/found", "--where", "typ == 'a'"), 2, "did you mean 'type'"),
        (("r/found", "--where", "new"), 2, "needs a baseline"),
        (("r/bad", "--group-by", "type"), 5, "has no findings"),
        (("r/bad", "--pointer", "/a"), 5, "has no content: it failed"),
    ],
)
def test_mistakes(run: str, wct: Wct, words: tuple[str, ...], code: int, text: str) -> None:
    assert run
    done = wct("inspect", *words)
    assert (done.code, text in done.err) == (code, True), done.err
