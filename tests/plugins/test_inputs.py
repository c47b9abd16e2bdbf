"""Inputs of a processor, item by item, also where an item is stored in parts."""

from __future__ import annotations

import pytest

from waivern.errors import ComponentError
from waivern.message import SchemaRef
from waivern.plugins.inputs import Input, joined_parts

FILE = {"path": "a.log", "size": 6, "encoding": "utf-8"}
PARTS = [
    FILE | {"text": "a\n", "more": True, "line": 0, "start": 0},
    FILE | {"text": "a\n", "more": True, "line": 1, "start": 2},
    FILE | {"text": "c\n", "line": 2, "start": 4},
]
TABLE = {"name": "t", "row_count": 3, "columns": [{"name": "v", "type": "INT"}]}


def test_parts_of_a_text_are_joined() -> None:
    assert joined_parts(iter(PARTS)) == FILE | {"text": "a\na\nc\n"}
    assert "more" in PARTS[0]  # and are not changed


def test_parts_of_a_table_are_joined_and_described_once() -> None:
    parts = [
        TABLE | {"rows": [[1], [2]], "row_numbers": [0, 5], "more": True, "row": 0},
        TABLE | {"rows": [[2]], "row_numbers": [7], "row": 2},
    ]
    assert joined_parts(parts) == TABLE | {"rows": [[1], [2], [2]], "row_numbers": [0, 5, 7]}
    assert parts[0]["rows"] == [[1], [2]]


def test_a_whole_element_is_returned_as_it_is() -> None:
    assert joined_parts([TABLE]) is TABLE
    assert joined_parts(["text"]) == "text"


def test_parts_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"parts of 'a\.log' differ"):
        joined_parts([PARTS[0], PARTS[1] | {"path": "b.log"}])
    with pytest.raises(ComponentError, match="differ"):
        joined_parts([PARTS[0], PARTS[1] | {"rows": []}])
    with pytest.raises(ComponentError, match="nothing to join"):
        joined_parts([])


def test_stored_parts_of_one_element_are_one_item() -> None:
    small = FILE | {"path": "b.log", "text": ""}
    one = Input("files", {"files": [*PARTS, small]}, SchemaRef("file_set"))
    assert [(item.name, [*item.read()]) for item in one.items("files")] == [
        ("a.log", PARTS),
        ("b.log", [small]),
    ]
    assert [item.name for item in one.items("files")] == ["a.log", "b.log"]  # also if not read
    assert [*one.each("files")] == [*PARTS, small]


def test_an_element_that_was_cut_short_ends_where_another_begins() -> None:
    small = FILE | {"path": "b.log", "text": ""}
    one = Input("files", {"files": [*PARTS[:2], small, *PARTS[:1]]}, SchemaRef("file_set"))
    expected = [("a.log", PARTS[:2]), ("b.log", [small]), ("a.log", PARTS[:1])]
    assert [(item.name, [*item.read()]) for item in one.items("files")] == expected
    assert [item.name for item in one.items("files")] == ["a.log", "b.log", "a.log"]
