"""Fields of delimited texts: columns of CSV and TSV, keys of lines of JSON."""

from __future__ import annotations

import json

import pytest

from waivern.detection import FieldNames, RecordFields, load_ruleset, scan
from waivern.detection.records import MOST_FIELDS


def fields(text: str) -> list[str]:
    names = FieldNames(load_ruleset())
    names.add(text)
    found = RecordFields(names.columns, text)
    found.enter(text)
    return [found.of(match) for match in scan(text, types=["EMAIL_ADDRESS"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_value_is_in_the_column_of_the_first_line(delimiter: str) -> None:
    rows = [["id", "email", "backup"], ["1", "a@b.io", "c@d.io"], ["2", "e@f.io", "none"]]
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    assert fields(text) == ["email", "backup", "email"]


def test_a_value_is_under_the_key_of_its_line() -> None:
    records = [
        {"id": 1, "email": "a@b.io", "note": 'he said "email": x, write to c@d.io'},
        {"note": "e@f.io", "email": None},
        {"nested": {"email": "g@h.io"}},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records)
    assert fields(text) == ["email", "note", "note", "email"]


@pytest.mark.parametrize(
    "text",
    [
        "write to a@b.io, or\nto c@d.io\n",
        '{"people": [{"email": "a@b.io"}]}\n{"people": [{"email": "c@d.io"}]}\n',
        '{\n "email": "a@b.io",\n "other": "c@d.io"\n}\n',
        '{"email": "a@b.io"}\nno record c@d.io\n',
        "insert into t (id, email) values\n(1, 'a@b.io'),\n(2, 'c@d.io');\n",
    ],
)
def test_other_texts_have_no_fields(text: str) -> None:
    assert fields(text) == ["", ""]


def test_keys_that_are_data_are_bounded() -> None:
    text = "".join(f'{{"k{n}": "a@b.io"}}\n' for n in range(MOST_FIELDS + 50))
    found = fields(text)
    assert len(set(found)) == MOST_FIELDS + 1
    assert found[-50:] == [""] * 50


def test_a_line_of_open_strings_is_read_once() -> None:
    text = '{"a": "x"}\n' * 2 + '"\\"' * 6_000 + " a@b.io\n"
    assert len(fields(text)) == 1
