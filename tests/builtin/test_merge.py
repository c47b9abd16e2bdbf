from __future__ import annotations

from pathlib import Path

import pytest

from waivern.builtin.merge import Merge, merge
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input


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
