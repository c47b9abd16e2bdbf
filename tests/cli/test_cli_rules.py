"""`wct rules`: what is searched for, and what a changed ruleset would find in the same sources."""

from __future__ import annotations

import json
from typing import Any

from wct_process import Done, Place, Wct

BOOK = """  files: {%s source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data, properties: {ruleset: rules/acme.yaml}}}
"""
ACME = """
name: acme
version: 1.%d.0
types:
  STAFF: {category: employment, patterns: ['%s'], samples: [%s]}
"""


def rules(place: Place, pattern: str = r"E-\d{6}", sample: str = "E-000001", minor: int = 0) -> str:
    (place.path / "rules").mkdir(exist_ok=True)
    name = f"rules/acme{minor or ''}.yaml"
    (place.path / name).write_text(ACME % (minor, pattern, sample))
    return name


def scanned(place: Place, wct: Wct, more: str = "") -> None:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text("Badge E-123456, mail jo@acme.io\n")
    (place.path / "data" / "b.txt").write_text("Badge F-123456 and E-654321\n")
    rules(place)
    assert wct("run", place.runbook("x.yaml", BOOK % more)).code == 0


def result(done: Done) -> dict[str, Any]:
    (found,) = json.loads(done.out)["data"]["artifacts"]
    assert isinstance(found, dict)
    return found


def by_rule(done: Done) -> dict[str, tuple[int, int, int]]:
    return {r["rule"]: (r["new"], r["gone"], r["unchanged"]) for r in result(done)["rules"]}


def test_an_equal_ruleset_changes_nothing(place: Place, wct: Wct) -> None:
    scanned(place, wct)
    done = wct("rules", "try", "rules/acme.yaml", "--over", "@last", "--json")
    assert done.code == 0
    assert by_rule(done) == {"acme/STAFF": (0, 0, 2), "email.domain": (0, 0, 1)}


def test_new_and_gone_findings_are_counted_by_rule_with_masked_examples(
    place: Place, wct: Wct
) -> None:
    scanned(place, wct)
    runs = wct("runs", "list").out
    changed = rules(place, r"[F]-\d{6}", "F-000001", minor=1)
    done = wct("rules", "try", changed, "--over", "@last/found", "--json")
    assert by_rule(done) == {"acme/STAFF": (0, 1, 1), "email.domain": (0, 0, 1)}
    (staff,) = (r for r in result(done)["rules"] if r["rule"] == "acme/STAFF")
    assert staff["occurrences"] == {"before": 2, "after": 1}
    (gone,) = staff["examples"]["gone"]
    assert (gone["evidence"], gone["place"]["file"]) == ("*-******", "a.txt")
    assert "123456" not in done.out
    lines = wct("rules", "try", changed, "--over", "@last").out.splitlines()
    assert "acme/STAFF\tSTAFF\t0\t1\t1\t2\t1" in lines
    assert wct("runs", "list").out == runs  # nothing is written
    screen = place.on_a_terminal("rules", "try", changed, "--over", "@last").out
    assert "- acme/STAFF  *-******  a.txt, line 1" in screen


def test_items_that_changed_are_named_and_not_compared(place: Place, wct: Wct) -> None:
    scanned(place, wct)
    (place.path / "data" / "a.txt").write_text("other text that is longer than it was before\n")
    done = wct("rules", "try", "rules/acme.yaml", "--over", "@last", "--json")
    found = result(done)
    assert [each["item"] for each in found["unread"]] == ["a.txt"]
    assert (found["gone"], found["not_compared"]) == (0, 2)
    assert "'a.txt' is not compared" in done.err


def test_sources_that_the_run_holds_are_searched_where_they_are(place: Place, wct: Wct) -> None:
    scanned(place, wct, "keep: content,")
    (place.path / "data" / "a.txt").unlink()
    done = wct("rules", "try", "rules/acme.yaml", "--over", "@last", "--json")
    assert (result(done)["unchanged"], result(done)["unread"]) == (3, [])


def test_whole_values_of_the_run_are_not_shown(place: Place, wct: Wct) -> None:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text("Badge E-123456\n")
    rules(place)
    book = (BOOK % "").replace("acme.yaml", "acme.yaml, mask: none")
    assert wct("run", place.runbook("x.yaml", book)).code == 0
    assert "E-123456" in wct("inspect", "@last/found", "--full").out
    changed = rules(place, r"F-\d{6}", "F-000001", minor=1)
    done = wct("rules", "try", changed, "--over", "@last", "--json")
    assert by_rule(done)["acme/STAFF"] == (0, 1, 0)
    assert "E-123456" not in done.out


def test_a_faulty_ruleset_is_refused_with_its_position(place: Place, wct: Wct) -> None:
    scanned(place, wct)
    bad = rules(place, r"E-\d+", minor=2)
    done = wct("rules", "try", bad, "--over", "@last")
    assert done.code == 3
    assert "acme2.yaml:5:" in done.err
    assert wct("rules", "try", "rules/nope.yaml", "--over", "@last").code != 0
    assert wct("rules", "try", "rules/acme.yaml", "--over", "@last/files").code == 2
    assert wct("rules", "try", "rules/acme.yaml", "--over", "@last/nope").code == 4


def test_the_types_of_the_shipped_ruleset_are_listed_and_shown(wct: Wct) -> None:
    lines = wct("rules", "list").out.splitlines()
    assert "IBAN_CODE\tfinancial\thigh\t0.5" in lines
    shown = wct("rules", "list", "IBAN_CODE", "--json").data("rule")
    assert "bank account" in shown["labels"]
    missing = wct("rules", "list", "IBAN_COD")
    assert missing.code == 4
    assert "IBAN_CODE" in missing.err
