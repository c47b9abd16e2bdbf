"""`wct why`: the reason for each outcome of an artifact, followed to what changed."""

from __future__ import annotations

from wct_process import Place, Wct

BOOK = """
  files: {source: {type: filesystem, properties: {path: data}}}
  copy: {inputs: files}
  other: {source: {type: python, properties: {call: "steps.py:value"}}, cache: true}
  flaky: {source: {type: python, properties: {call: "steps.py:fail"}}, optional: true}
  after: {inputs: flaky, process: {type: python, properties: {call: "steps.py:total"}}}
  never: {source: {type: python, properties: {call: "steps.py:value"}}, when: "1 == 2"}
"""


def reasons(wct: Wct, name: str) -> list[list[str]]:
    return wct("why", name).rows


def test_each_outcome_has_its_reason(place: Place, wct: Wct) -> None:
    (place.path / "data").mkdir()
    (place.path / "data/a.txt").write_text("one")
    book = place.runbook("b.yaml", BOOK)
    wct("run", book, "-q", "--run-id", "one")
    assert "no earlier run" in reasons(wct, "one/files")[0][2]
    assert reasons(wct, "one/after") == [
        ["after", "skipped", "it needs 'flaky', which failed"],
        ["flaky", "failed", "it broke"],
    ]
    assert reasons(wct, "one/never")[0][1] == "skipped"
    (place.path / "data/a.txt").write_text("two")
    wct("run", book, "-q", "--run-id", "two")
    assert reasons(wct, "two/other")[0][1:2] == ["cached"]
    assert reasons(wct, "two/copy") == [
        ["copy", "produced", "since run one: input files changed"],
        ["files", "produced", "since run one: source: 1 changed (a.txt)"],
    ]
    wct("run", book, "-q", "--run-id", "three", "--no-cache")
    assert "no cached result could be used: the cache was off" in reasons(wct, "three/other")[0][2]
    found = wct("why", "two/copy", "--json").data("why")
    assert (found["run_id"], found["outcome"]) == ("two", "produced")
    assert found["because"][0]["artifact"] == "files"
    assert found["key"]["component"] == "processor:merge"
    wct("runs", "resume", "two", "-q")
    assert reasons(wct, "two/copy")[0][1] == "restored"


def test_mistakes(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "b.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    )
    wct("run", book, "-q", "--run-id", "one")
    assert wct("why", "one").code == 2
    assert "did you mean 'a'" in wct("why", "one/aa").err
    assert "no cached result could be used" in reasons(wct, "one/a")[0][2]
