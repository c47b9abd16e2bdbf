"""Findings of two rulesets are merged, and each finding names the ruleset that it comes from."""

from __future__ import annotations

import json

from wct_process import Place

BOOK = """
  crm: {source: {type: filesystem, properties: {path: crm}}}
  hr: {source: {type: filesystem, properties: {path: hr}}}
  shipped: {inputs: crm, process: {type: personal_data}}
  own: {inputs: hr, process: {type: personal_data, properties: {ruleset: own.yaml}}}
  other: {inputs: hr, process: {type: personal_data, properties: {ruleset: own.yaml}}}
  one: {inputs: [own, other]}
  both: {inputs: [shipped, own]}
  all: {inputs: [both, one]}
  asked:
    inputs: all
    when: "'BADGE' in inputs.all.findings[*].type and count(inputs.all.rulesets) == 2"
    process: {type: python, properties: {call: "steps.py:value"}}
"""
OWN = (
    "name: badges\nversion: 2.0.0\n"
    "types:\n  BADGE: {category: employment, patterns: ['BADGE-[0-9]{6}'], confidence: 0.9}\n"
)


def test_findings_of_two_rulesets_are_one_list_with_their_origin(place: Place) -> None:
    (place.path / "own.yaml").write_text(OWN)
    for folder, text in (("crm", "mail ann@corp.test\n"), ("hr", "BADGE-123456 on the desk\n")):
        (place.path / folder).mkdir()
        (place.path / folder / "a.txt").write_text(text)
    done = place.wct("run", place.runbook("b.yaml", BOOK), "-q", "--run-id", "r")
    assert (done.code, done.err) == (0, "")

    def content(name: str) -> dict[str, object]:
        file = place.path / ".waivern" / "runs" / "r" / f"{name}.json"
        return dict(json.loads(file.read_text())["content"])

    one, both, every = content("one"), content("both"), content("all")
    assert one["ruleset"] == content("own")["ruleset"]
    assert "rulesets" not in one
    assert [each["name"] for each in both["rulesets"]] == ["personal_data", "badges"]  # type: ignore[attr-defined]
    found = {each["type"]: each for each in both["findings"]}  # type: ignore[attr-defined]
    assert found["EMAIL_ADDRESS"]["ruleset"] == content("shipped")["ruleset"]
    assert found["BADGE"]["ruleset"] == content("own")["ruleset"]
    assert both["summary"]["by_type"] == {"BADGE": 1, "EMAIL_ADDRESS": 1}  # type: ignore[index]
    assert every["rulesets"] == both["rulesets"]
    assert every["summary"]["findings"] == 4  # type: ignore[index]
    assert all("ruleset" in each for each in every["findings"])  # type: ignore[attr-defined]
    assert (place.path / ".waivern" / "runs" / "r" / "asked.json").exists()
