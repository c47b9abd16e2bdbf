"""Sources that were read, but that no detector has looked at: the coverage says so."""

from __future__ import annotations

import pytest
from wct_process import Done, Place, Wct

FILES = "  files: {source: {type: filesystem, properties: {path: data}}}\n"
FINDINGS = "  findings: {inputs: files, %sprocess: {type: personal_data}}\n"
GATE = "  agreed: {gate: {question: May it be searched?, show: files}}\n"
LIMIT = ("--min-coverage", "100")


def book(place: Place, *artifacts: str) -> None:
    (place.path / "data").mkdir()
    (place.path / "data" / "a.txt").write_text("write to ada@example.com\n")
    (place.path / "x.yaml").write_text("artifacts:\n" + "".join(artifacts))


def coverage(done: Done) -> str:
    (found,) = (each for each in done.out.splitlines() if each.strip().startswith("coverage"))
    return " ".join(found.split())


def test_a_detector_that_a_rejection_skips_has_examined_nothing(place: Place, wct: Wct) -> None:
    book(place, FILES, GATE, FINDINGS % "after: agreed, ")
    done = wct("run", "x.yaml", *LIMIT)
    assert done.code == 7  # it may still be approved: not judged yet
    assert "0.0 % (files, in bytes): examined 1 of 1 file; findings was not started" in done.out
    done = wct("runs", "approve", "@last", "--reject", *LIMIT)
    assert coverage(done) == (
        "coverage 0.0 % (files, in bytes): examined 1 of 1 file; "
        "findings was skipped and examined nothing"
    )
    assert "policy     coverage 0.0 %" in done.out
    done = wct("runs", "resume", "@last", "--ask-again")
    assert done.code == 7
    done = wct("runs", "approve", "@last", *LIMIT)
    assert (done.code, coverage(done)) == (
        0,
        "coverage 100 % (files, in bytes): examined 1 of 1 file",
    )


@pytest.mark.parametrize(
    ("broken", "how"),
    [
        ("  ok: {source: {type: command, properties: {argv: ['false']}}}\n", "after: ok, "),
        ("", "when: inputs.files.nothing > 1, "),  # fails before the detector is started
    ],
)
def test_a_detector_that_never_ran_has_examined_nothing(
    place: Place, broken: str, how: str, wct: Wct
) -> None:
    book(place, FILES, broken, FINDINGS % how)
    done = wct("run", "x.yaml", "--json")
    found = done.data("run")["coverage"]
    (files,) = (each for each in found["sources"] if each["source"] == "files")
    assert files["percent"] == 0
    (gap,) = found["gaps"]
    assert (gap["artifact"], gap["amount"]) == ("findings", None)
    assert gap["status"] == ("skipped" if broken else "failed")


def test_a_detector_that_was_not_selected_has_examined_nothing(place: Place, wct: Wct) -> None:
    book(place, FILES, FINDINGS % "")
    done = wct("run", "x.yaml", "--select", "files", *LIMIT)
    assert done.code == 6
    assert "findings was not started and examined nothing" in coverage(done)
    assert wct("run", "x.yaml", "--resume", "@last", *LIMIT).code == 0


def test_a_detector_that_a_condition_excludes_is_left_out_on_purpose(
    place: Place, wct: Wct
) -> None:
    book(place, FILES, FINDINGS % "when: count(inputs.files.files) > 9, ")
    done = wct("run", "x.yaml", *LIMIT)
    assert (done.code, coverage(done)) == (
        0,
        "coverage 100 % (files, in bytes): examined 1 of 1 file",
    )


def test_a_report_on_findings_that_was_not_written_is_no_gap(place: Place, wct: Wct) -> None:
    gate = "  agreed: {gate: {question: May it be sent?, show: findings}}\n"
    report = "  report: {inputs: findings, after: agreed, process: {type: merge}}\n"
    book(place, FILES, FINDINGS % "", gate, report)
    whole = "coverage 100 % (files, in bytes): examined 1 of 1 file"
    assert coverage(wct("run", "x.yaml")) == whole
    assert coverage(wct("runs", "approve", "@last", "--reject")) == whole
