"""The file of reviewed findings: its form, its positions, and edits that keep everything else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from waivern.diagnostics import InvalidError
from waivern.errors import RefusedError
from waivern.runs.finding_reviews import (
    FindingReview,
    FindingReviews,
    parse_reviews,
    read_reviews,
    reviews_schema,
)
from waivern.runs.findings_comparison import ComparableFinding
from waivern.runs.review_file import record_reviews

DAY = date(2027, 3, 31)
ONE = FindingReview("a" * 32, "accepted", "public: contact", "ann", DAY, "files", "MAIL in a.txt")
TWO = FindingReview("1" * 32, "rejected", "no # comment", "O'Neil", DAY)
HAND = """\
# reviewed by the team

findings:   # of the shop
# first
- owner: bob        # from sales
  id: cccc
  until: 2026-12-31
  decision: accepted
  reason: >-
    two
    lines
- {id: dddd, decision: rejected, reason: r, owner: o, until: "2026-12-31"}
# the end
"""


def finding(id_: str, system: str = "files") -> ComparableFinding:
    texts = ("found", id_, "MAIL", "contact", "value", "low")
    return ComparableFinding(*texts, False, False, system, "a.txt", "", 1, 0.9, "line 1", 0)


def test_a_file_is_created_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "reviewed.yaml"
    record_reviews(str(path), [ONE, TWO])
    assert list(read_reviews(str(path), DAY).reviews) == [ONE, TWO]
    assert path.read_text().startswith("# ")
    assert [each.name for each in tmp_path.iterdir()] == ["reviewed.yaml"]


def test_what_people_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "reviewed.yaml"
    path.write_text(HAND)
    record_reviews(str(path), [ONE])
    text = path.read_text()
    assert text.startswith(HAND)
    changed = FindingReview("dddd", "accepted", "is fine now", "eve", DAY, about="it")
    record_reviews(str(path), [changed._replace(about=None)])
    edited = path.read_text()
    assert edited.count("\n") == text.count("\n")
    assert "# the end" in edited
    assert "owner: bob        # from sales" in edited
    found = {each.id: each for each in parse_reviews(path.read_bytes(), "f")}
    assert found["dddd"] == changed._replace(about=None)
    assert found["cccc"].reason == "two lines"


@pytest.mark.parametrize(
    "text", ["", "findings:\n", "findings: []\n", "# only this\n", "findings: []"]
)
def test_empty_files_receive_an_entry(tmp_path: Path, text: str) -> None:
    path = tmp_path / "reviewed.yaml"
    path.write_text(text)
    record_reviews(str(path), [ONE])
    assert list(read_reviews(str(path), DAY).reviews) == [ONE]


@pytest.mark.parametrize(
    "reason", ["a\nb", "\x1b[31m", "'", '"', "null", "12", "- x", "é 漢", "x: y"]
)
def test_any_reason_can_be_recorded(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "reviewed.yaml"
    review = ONE._replace(reason=reason)
    record_reviews(str(path), [review])
    assert list(read_reviews(str(path), DAY).reviews) == [review]
    assert "\x1b" not in path.read_text()


def test_a_form_that_cannot_be_edited_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "reviewed.yaml"
    text = (
        "{findings: [{id: dddd, decision: rejected, reason: r, owner: o, until: '2026-12-31'}]}\n"
    )
    path.write_text(text)
    with pytest.raises(RefusedError, match="not edited automatically"):
        record_reviews(str(path), [ONE])
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("finding: []\n", "unknown key 'finding'", 1),
        ("findings:\n  - id: a\n    decisoin: accepted\n", "unknown key 'decisoin'", 3),
        (HAND.replace("accepted", "acepted"), "can only be accepted or rejected", 8),
        (HAND.replace("2026-12-31\n", "31.12.2026\n"), "must be a date", 7),
        (HAND.replace("id: dddd", "id: cccc"), "is reviewed twice", 12),
        (HAND.replace("owner: bob", "x-owner: bob"), "the review has no 'owner'", 5),
        ("findings: [1]\n", "must be a mapping", 1),
        ("- a\n", "must be a mapping with 'findings'", 1),
        ("findings: {\n", "", 2),
    ],
)
def test_mistakes_have_positions(text: str, message: str, line: int) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_reviews(text.encode(), "reviewed.yaml")
    first = next(each for each in caught.value.problems if message in each.message)
    assert first.position is not None
    assert (first.position.file, first.position.line) == ("reviewed.yaml", line)


def test_reviews_expire_and_match() -> None:
    other = ONE._replace(id="b" * 32)
    reviews = FindingReviews("f.yaml", [ONE, TWO, other], date(2027, 4, 1))
    assert not reviews.suppresses(finding(ONE.id))
    assert reviews.of(finding(ONE.id, "elsewhere")) is None
    assert reviews.of(finding(TWO.id, "elsewhere")) == TWO
    notes = list(reviews.notes())
    assert "has expired on 2027-03-31" in notes[0]
    assert "was to be removed by 2027-03-31; owner: O'Neil" in notes[1]
    assert "matches no finding" in notes[2]
    assert FindingReviews("f.yaml", [ONE], DAY).suppresses(finding(ONE.id))


def test_the_schema_has_what_the_reader_requires() -> None:
    entry = reviews_schema()["properties"]["findings"]["items"]
    assert set(entry["required"]) | {"system", "about"} == set(entry["properties"])
    assert set(ONE.document()) == set(entry["properties"])
