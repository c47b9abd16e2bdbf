"""`wct findings`, `wct diff`, and policies that compare findings with a baseline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wct_process import Place, Wct

FOUND = """
import json
from pathlib import Path

def found():
    listed = json.loads(Path("found.json").read_text())
    return {"ruleset": {"name": "own", "version": "1"}, "findings": listed}
"""
BOOK = """
  rows:
    source: {type: python, properties: {call: "found.py:found"}}
    output_schema: personal_data_findings
"""


@pytest.fixture
def book(place: Place) -> str:
    (place.path / "found.py").write_text(FOUND)
    lay(place, mail="a" * 32, salary="b" * 32)
    return place.runbook("scan.yaml", BOOK)


def lay(place: Place, **ids: str) -> None:
    """Write what the next run finds."""
    findings = [
        {
            "id": id_,
            "type": name.upper(),
            "category": "contact",
            "kind": "value",
            "severity": "high" if name == "salary" else "low",
            "special_category": name == "salary",
            "test_data": name == "sample",
            "evidence": "a***",
            "locations": [{"input": "rows", "file": f"{name}.txt", "line": 3}],
            "total": 2,
        }
        for name, id_ in ids.items()
    ]
    (place.path / "found.json").write_text(json.dumps(findings))


def run(wct: Wct, book: str, run_id: str, *more: str) -> tuple[int, str, str]:
    done = wct("run", book, "-q", "--run-id", run_id, "--no-cache", *more)
    return done.code, done.out, done.err


def test_a_baseline_lets_only_new_findings_fail(place: Place, book: str, wct: Wct) -> None:
    assert run(wct, book, "one")[0] == 0
    (place.path / "base.json").write_text(wct("findings", "list", "one", "--json").out)
    fail = ("--fail-on", "new")
    assert run(wct, book, "two", "--baseline", "scan@last", *fail)[0] == 0
    lay(place, mail="a" * 32, salary="b" * 32, phone="c" * 32, sample="d" * 32)
    for number, baseline in enumerate(("one", "base.json")):
        code, out, _ = run(wct, book, f"new{number}", "--baseline", baseline, *fail)
        assert code == 6
        assert "new  (1 finding: PHONE in phone.txt (cccccccc))" in out
    assert run(wct, book, "s", "--baseline", "one", "--fail-on", "new and special_category")[0] == 0
    assert run(wct, book, "t", "--baseline", "one", "--fail-on", "new and test_data")[0] == 6
    assert run(wct, book, "u", "--fail-on", "special_category and severity == 'high'")[0] == 6


def test_an_accepted_finding_trips_nothing_until_the_date_is_over(
    place: Place, book: str, wct: Wct
) -> None:
    run(wct, book, "one")
    fail = ("--fail-on", "special_category")
    assert run(wct, book, "two", *fail)[0] == 6
    done = wct("findings", "accept", "bbbb", "--reason", "paid", "--until", "2999-01-31")
    assert (done.code, done.out[:8]) == (0, "accepted")
    assert run(wct, book, "three", *fail)[0] == 0
    file = place.path / "reviewed-findings.yaml"
    file.write_text(file.read_text().replace("2999", "2001"))
    code, _, err = run(wct, book, "four", *fail)
    assert code == 6
    assert "has expired on 2001-01-31" in err
    lay(place, mail="a" * 32)
    code, _, err = run(wct, book, "five", *fail)
    assert (code, "matches no finding: remove it" in err) == (0, True)
    file.write_text("findings:\n  - id: 7\n")
    code, _, err = run(wct, book, "six", *fail)
    assert code == 3
    assert "reviewed-findings.yaml:2:9" in err


def test_a_rejected_finding_must_go(book: str, wct: Wct) -> None:
    run(wct, book, "one")
    reject = ("findings", "reject", "aaaa", "--reason", "no consent", "--until", "2999-01-31")
    assert (
        wct(*reject, "--by", "ann", "--json").data("findings-review")["reviews"][0]["owner"]
        == "ann"
    )
    assert run(wct, book, "two", "--fail-on", "rejected")[0] == 6
    assert wct("findings", "list", "--where", "rejected").rows[0][0] == "a" * 32


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--baseline", "nine", "--fail-on", "new"), 4, "no run 'nine'"),
        (("--baseline", "no.json", "--fail-on", "new"), 4, "there is no baseline no.json"),
        (("--baseline", "found.json", "--fail-on", "new"), 2, "has no findings"),
        (("--baseline", "found.py.json", "--fail-on", "new"), 2, "it is not JSON"),
        (("--baseline", "one"), 2, "add `--fail-on new`"),
        (("--fail-on", "new"), 2, "needs a baseline"),
        (("--fail-on", "severity == 'hihg'"), 2, "hihg"),
        (("--reviewed", "none.yaml", "--fail-on", "rejected"), 3, "cannot read"),
    ],
)
def test_mistakes(
    place: Place, book: str, wct: Wct, words: tuple[str, ...], code: int, text: str
) -> None:
    (place.path / "found.py.json").write_text("x")
    if "one" in words:
        run(wct, book, "one")
    found, out, err = run(wct, book, "two", *words)
    assert (found, text in err + out) == (code, True), err


def test_baselines_that_are_none(place: Place, book: str, wct: Wct) -> None:
    run(wct, book, "one")
    empty = place.runbook(
        "e.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    )
    run(wct, empty, "other")
    fail = ("--fail-on", "new")
    code, _, err = run(wct, book, "two", "--baseline", "other", *fail)
    assert (code, "has no artifact of findings" in err) == (5, True)
    again = place.runbook("again.yaml", BOOK)
    code, _, err = run(wct, again, "three", "--baseline", "one", *fail)
    assert (code, "baseline run one is of another runbook: scan" in err) == (0, True)
    (Path(place.path) / ".waivern/runs/one/rows.json").write_text("{}")
    code, _, err = run(wct, book, "four", "--baseline", "one", *fail)
    assert code == 9


def test_a_condition_without_names_is_about_the_run(place: Place, book: str, wct: Wct) -> None:
    lay(place)
    assert run(wct, book, "one", "--fail-on", "true")[0] == 6
    assert run(wct, book, "two", "--fail-on", "occurrences >= 0")[0] == 0


def test_findings_are_listed(book: str, wct: Wct) -> None:
    run(wct, book, "one")
    rows = wct("findings", "list").rows
    assert [row[0] for row in rows] == ["a" * 32, "b" * 32]
    (found,) = wct("findings", "list", "--where", "special_category", "--json").data("findings")[
        "findings"
    ]
    assert (found["type"], found["occurrences"], found["item"]) == ("SALARY", 2, "salary.txt")
    assert wct("findings", "list", "one", "--where", "what > 1").code == 2
    assert wct("findings", "accept", "aaab", "--reason", "x", "--until", "2999-01-01").code == 4
    assert wct("findings", "accept", "aaaa", "--reason", "x", "--until", "2001-01-01").code == 2


def test_two_runs_are_compared(place: Place, book: str, wct: Wct) -> None:
    run(wct, book, "one")
    lay(place, mail="a" * 32, phone="c" * 32)
    run(wct, book, "two")
    outcomes = {row[1]: row[0] for row in wct("diff", "one", "two").rows}
    assert outcomes == {"c" * 32: "new", "b" * 32: "resolved"}
    found = wct("diff", "one", "two", "--json").data("diff")["findings"]
    assert (found["new"], found["resolved"], found["unchanged"]) == (1, 1, 1)
    assert wct("diff", "one", "nine").code == 4


def test_a_renamed_file_is_known_to_a_baseline(place: Place, wct: Wct) -> None:
    (place.path / "data").mkdir()
    (place.path / "data/a.txt").write_text("write to ann.keller@quillfeather.dev")
    book = place.runbook(
        "scan.yaml",
        """
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data, properties: {types: [EMAIL_ADDRESS]}}}
""",
    )
    run(wct, book, "one")
    (place.path / "base.json").write_text(wct("findings", "list", "one", "--json").out)
    (place.path / "data/a.txt").rename(place.path / "data/b.txt")
    for baseline in ("one", "base.json"):
        words = ("--baseline", baseline, "--fail-on", "new")
        assert run(wct, book, f"with-{len(baseline)}", *words)[0] == 0
    assert run(wct, book, "moved", "--baseline", "one", "--fail-on", "moved")[0] == 6
