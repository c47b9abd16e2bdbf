from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from component_content import collected

from waivern.builtin.merge import Merge, merge
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json, SchemaRef, sha256
from waivern.plugins.component import list_name
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.record_stream import RecordStream


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 2], [3]], [1, 2, 3]),
        ([[1], [1]], [1, 1]),
        ([1, 2, 0.5], 3.5),
        ([True, True], True),
        (["a", "a", "a"], "a"),
        ([None, None], None),
        ([{"a": 1}, {"b": 2}, {"a": 3}], {"a": 4, "b": 2}),
        ([{"n": {"x": [1]}}, {"n": {"x": [2], "y": "k"}}], {"n": {"x": [1, 2], "y": "k"}}),
        ([{}, {}], {}),
        (["alone"], "alone"),
    ],
)
def test_merge(values: list[Json], expected: Json) -> None:
    merged = merge(values)
    assert merged == expected
    assert type(merged) is type(expected)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        (["a", "b"], r"\$: different values \(text\)"),
        ([True, False], r"\$: different values \(boolean\)"),
        ([True, 1], r"\$: boolean and number"),
        ([None, 1], r"\$: null and number"),
        ([[1], {"a": 1}], r"\$: list and object"),
        ([{"z": 1, "a": {"b": 1}}, {"a": {"b": "x"}}], r"\$\.#2\.#1: number and text"),
    ],
)
def test_what_does_not_go_together_names_its_place(values: list[Json], place: str) -> None:
    with pytest.raises(ComponentError, match=f"cannot merge {place}"):
        merge(values)


def test_keys_are_not_told_because_they_may_be_somebody() -> None:
    values = [{"people": {"ann.smith@corp.com": n}} for n in ("a", "b")]
    with pytest.raises(ComponentError) as caught:
        merge(values)
    assert "smith" not in f"{caught.value.message} {caught.value.hint}"
    assert "#2 is the second key" in str(caught.value.hint)


def test_inputs_are_left_as_they_were() -> None:
    one, two = {"a": [1]}, {"a": [2]}
    assert merge([one, two]) == {"a": [1, 2]}
    assert (one, two) == ({"a": [1]}, {"a": [2]})


def test_the_processor_joins_in_declared_order() -> None:
    inputs = [Input(key, [key], ANY_JSON) for key in ("b", "a", "c")]
    ctx = Context("m", Path())
    assert Merge().process(inputs, Merge.Config(), ctx) == ["b", "a", "c"]
    with pytest.raises(ComponentError, match="nothing to merge"):
        Merge().process([], Merge.Config(), ctx)


class Yielding:
    """A list that notes how many of its elements have been asked for."""

    def __init__(self, *elements: Json) -> None:
        self.elements = elements
        self.asked = 0

    def stream(self, name: str) -> RecordStream:
        def chunks(_at: int = 0) -> Iterator[bytes]:
            for element in self.elements:
                self.asked += 1
                yield json.dumps(element, separators=(",", ":")).encode() + b"\n"

        data = b"".join(chunks())
        self.asked = 0
        return RecordStream(name, len(self.elements), len(data), sha256(data), chunks)


FILE_SET = SchemaRef("file_set")
FINDINGS = SchemaRef("personal_data_findings")


def test_file_sets_are_read_one_element_after_the_other() -> None:
    first = Yielding(*({"path": f"{n}.txt", "text": "x"} for n in range(3)))
    part = {"path": "b.txt", "text": "y"}
    second = Yielding({**part, "more": True}, part)
    inputs = [
        Input("one", {"note": "n"}, FILE_SET, first.stream("files")),
        Input("two", {"files": [{"path": "c.txt", "text": "z"}]}, FILE_SET),
        Input("three", {"note": "n"}, FILE_SET, second.stream("files")),
    ]
    assert list_name(Merge(), inputs) == "files"
    found = Merge().process(inputs, Merge.Config(), Context("m", Path()))
    assert next(found) == first.elements[0]
    assert (first.asked, second.asked) == (1, 0)
    content = collected("files", found)
    assert content["note"] == "n"
    assert [file["path"] for file in content["files"]] == [
        "1.txt", "2.txt", "c.txt", "b.txt", "b.txt"
    ]  # fmt: skip


def test_streams_of_other_lists_are_merged_whole() -> None:
    one = Input("one", {}, ANY_JSON, Yielding(1, 2).stream("a"))
    two = Input("two", {}, ANY_JSON, Yielding(3).stream("b"))
    merged = Merge().process([one, two], Merge.Config(), Context("m", Path()))
    assert merged == {"a": [1, 2], "b": [3]}


def test_findings_are_counted_anew_and_may_be_streams() -> None:
    def content(kind: str, *totals: int) -> list[Json]:
        return [{"type": kind, "category": "contact", "total": total} for total in totals]

    rules = {"name": "r", "version": "1", "digest": "sha256:0"}
    rest = {"ruleset": rules, "summary": {"findings": 0}}
    inputs = [
        Input("one", {**rest, "findings": content("A", 3)}, FINDINGS),
        Input("two", rest, FINDINGS, Yielding(*content("B", 40, 2)).stream("findings")),
    ]
    assert list_name(Merge(), inputs) == "findings"
    found = Merge().process(inputs, Merge.Config(), Context("m", Path()))
    merged = collected("findings", found)
    assert [each["total"] for each in merged["findings"]] == [3, 40, 2]
    assert merged["ruleset"] == rules
    assert merged["summary"] == {
        "findings": 3,
        "occurrences": 45,
        "by_type": {"A": 1, "B": 2},
        "by_category": {"contact": 3},
    }
