"""What is passed over for speed: nothing that a form matches, and nothing that a column allows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from waivern.detection import scan
from waivern.detection.identifiers import IDENTIFIERS
from waivern.detection.identifiers.class_forms import Places
from waivern.detection.prepared_text import PreparedText

DATA = Path(__file__).parent / "data"
_DIGITS = re.compile(r"\d")


def texts() -> str:
    with (DATA / "cases_open.jsonl").open(encoding="utf-8") as lines:
        return "\n".join(json.loads(line)["text"] for line in lines)[:12_000]


@pytest.mark.parametrize(
    "few_digits",
    [False, pytest.param(True, marks=pytest.mark.sweep)],
    ids=["dense", "sparse"],
)
def test_every_value_of_a_form_is_at_a_place(few_digits: bool) -> None:
    text = texts() + ("x" * 600_000 if few_digits else "")
    doc = PreparedText(text)
    for each in IDENTIFIERS:
        found = {doc.numbers.find(b"0", at) for at in Places([each.form]).of(doc.numbers)}
        for match in each.form.finditer(text, 0, 12_000):
            if doc.bounded(*match.span()) and (first := _DIGITS.search(match.group())):
                assert match.start() + first.start() in found, (each.type, match.group())


def rows(names: str, row: str) -> list[tuple[str, str]]:
    """Return type and column of what is found in a table with the row forty times."""
    text = names + "\n" + f"{row}\n" * 40
    return sorted({(match.type, match.column) for match in scan(text)})


def test_a_cell_is_what_its_column_says() -> None:
    names = "order id,phone,date of birth,created at"
    assert rows(names, "0301234567,0301234567,1980-05-12,1980-05-12") == [
        ("DATE_OF_BIRTH", "date of birth"),
        ("PHONE_NUMBER", "phone"),
    ]


def test_a_label_within_a_cell_is_heard() -> None:
    assert ("PHONE_NUMBER", "order id") in rows("order id,city", "phone: 0301234567,Berlin")


def test_a_check_outweighs_a_column_that_says_nothing() -> None:
    assert ("CREDIT_CARD", "blob") in rows("blob,city", "4929 1234 5678 0121,Berlin")


def test_a_type_that_ignores_labels_is_found_in_any_column() -> None:
    assert ("EMAIL_ADDRESS", "order id") in rows("order id,city", "jo@acme.io,Berlin")
