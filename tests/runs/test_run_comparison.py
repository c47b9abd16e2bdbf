"""The comparison of two runs: what is new, resolved, moved, unchanged, and not examined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book

from waivern.runs import queries
from waivern.runs.findings_comparison import FindingOutcome
from waivern.runs.recorded_findings import RunFindings
from waivern.runs.run_comparison import RunComparison, compare_runs

RULES = """
name: small
version: 1.0.0
types:
  MAIL: {category: contact, patterns: ['[a-z.]{1,20}@corp[.]de'], confidence: 0.9}
  BADGE: {category: employment, patterns: ['B-[0-9]{6}'], confidence: 0.9}
"""
"""A ruleset that is loaded in no time."""
TEXT = "write to ann.keller@corp.de\n"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path / "book")
    (book.folder / "data").mkdir()
    (book.folder / "data/a.txt").write_text(TEXT)
    (book.folder / "data/b.txt").write_text("badge B-123456\n")
    (book.folder / "small.yaml").write_text(RULES)
    return book


def source(**properties: Any) -> dict[str, Any]:
    return {"source": {"type": "filesystem", "properties": {"path": "data", **properties}}}


def scan(inputs: str = "files", **properties: Any) -> dict[str, Any]:
    few = {"ruleset": "small.yaml", "types": ["MAIL", "BADGE"], "field_names": False}
    work = {"type": "personal_data", "properties": {**few, **properties}}
    return {"inputs": inputs, "process": work}


BOOK: dict[str, Any] = {"files": source(), "found": scan()}


async def run(book: Book, run_id: str, **artifacts: Any) -> None:
    book.write(artifacts or BOOK)
    await book.start(run_id=run_id)


def compared(book: Book, before: str = "one", after: str = "two") -> RunComparison:
    return compare_runs(book.store, *(queries.load(book.store, each) for each in (before, after)))


def counts(found: RunComparison) -> dict[str, int]:
    return {str(each): n for each, n in found.findings.counts.items() if n}


def reasons(found: RunComparison) -> set[str | None]:
    return {each.reason for each in found.findings.listed[FindingOutcome.NOT_EXAMINED]}


async def test_equal_runs(book: Book) -> None:
    await run(book, "one")
    await run(book, "two")
    found = compared(book)
    assert found.equal
    assert set(counts(found)) == {"unchanged"}
    assert found.document()["definition"] == []


async def test_new_resolved_moved_and_counted(book: Book) -> None:
    await run(book, "one")
    (book.folder / "data/a.txt").write_text(f"\n\n{TEXT}or bob@corp.de, B-111111\n")
    (book.folder / "data/b.txt").write_text("nothing here\n")
    await run(book, "two")
    found = compared(book)
    by_outcome = {
        str(outcome): {each.finding.type for each in listed}
        for outcome, listed in found.findings.listed.items()
    }
    assert by_outcome["moved"] == {"MAIL"}
    assert by_outcome["resolved"] == {"BADGE"}
    assert by_outcome["new"] == {"BADGE"}
    (changed,) = found.findings.changed_counts
    assert (changed.earlier and changed.earlier.occurrences, changed.finding.occurrences) == (1, 2)
    assert found.findings.document()["count_changed"] == 1
    later = RunFindings(book.store, queries.load(book.store, "two"))
    assert {str(found.findings.outcome_of(each)) for each in later} == {"moved", "new"}
    assert "corp.de" not in json.dumps(found.document())


async def test_a_renamed_file_is_recognised_by_its_digest(book: Book) -> None:
    await run(book, "one")
    (book.folder / "data/b.txt").rename(book.folder / "data/c.txt")
    await run(book, "two")
    found = compared(book)
    assert set(counts(found)) == {"moved", "unchanged"}
    moved = found.findings.listed[FindingOutcome.MOVED]
    assert {(e.earlier and e.earlier.item, e.finding.item) for e in moved} == {("b.txt", "c.txt")}


@pytest.mark.parametrize(
    ("artifacts", "reason"),
    [
        ({"files": source(exclude=["b.txt"]), "found": scan()}, "b.txt: excluded"),
        ({"files": source(), "found": scan(types=["MAIL"])}, "is not searched for"),
        ({"files": source(), "found": scan(min_count=2)}, "fewer than 2 occurrences"),
        ({"files": source()}, "the run does not search 'files'"),
        ({"other": source(), "found": scan("other")}, "the run has no artifact 'files'"),
        ({"files": {**source(), "when": "1 == 2"}, "found": scan()}, "'files' was skipped"),
    ],
)
async def test_places_that_were_not_examined(
    book: Book, artifacts: dict[str, Any], reason: str
) -> None:
    await run(book, "one")
    if "other" in artifacts:
        (book.folder / "data/b.txt").write_text("empty\n")
    await run(book, "two", **artifacts)
    found = compared(book)
    assert "resolved" not in counts(found)
    assert any(reason in str(each) for each in reasons(found))


async def test_artifacts_with_other_names_have_the_same_findings(book: Book) -> None:
    await run(book, "one")
    await run(book, "two", other=source(), hits=scan("other"))
    assert set(counts(compared(book))) == {"unchanged"}


async def test_another_version_of_the_ruleset_is_named(book: Book) -> None:
    rules = "name: own\nversion: {}\ntypes:\n  {}: {{category: contact, patterns: ['{}']}}\n"
    (book.folder / "own.yaml").write_text(rules.format("1.0.0", "MAIL", "write to"))
    await run(book, "one", files=source(), found=scan(ruleset="own.yaml", types=None))
    (book.folder / "own.yaml").write_text(rules.format("1.1.0", "CALL", "[Cc]all me"))
    await run(book, "two", files=source(), found=scan(ruleset="own.yaml", types=None))
    found = compared(book)
    assert any("1.0.0 → 1.1.0" in note for note in found.notes)


async def test_unreadable_findings_are_not_resolved(book: Book) -> None:
    await run(book, "one")
    await run(book, "two")
    (book.run("two") / "found.json").unlink()
    found = compared(book)
    assert set(counts(found)) == {"not_examined"}
    assert "found" in found.unread[1]
    assert any("not compared" in note for note in found.notes)
    back = compared(book, "two", "one")
    assert set(counts(back)) == {"new"}
    assert any("not compared" in note for note in back.notes)
