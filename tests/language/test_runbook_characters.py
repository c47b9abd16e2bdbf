"""What JSON writers and editors put into a file is read as YAML 1.2 and JSON mean it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runbook_text import problems, runbook

TEXTS = {
    "emoji": "a 😀 b",
    "two emojis": "😀😀",
    "after a backslash": "\\😀",
    "escape as text": r"\ud83d\ude00 is one character",
    "next line": "a\x85b",
    "line separator": "a\u2028b\u2029c",
    "delete": "a\x7fb",
    "private use": "\U000f0000\U000f0001 😀 \x85 \u2028",
}


def _properties(text: str) -> object:
    producer = runbook(text).artifacts["a"].producer  # type: ignore[index]
    return producer.properties["x"]  # type: ignore[union-attr]


def _document(value: object) -> dict[str, object]:
    return {"artifacts": {"a": {"source": {"type": "t", "properties": {"x": value}}}}}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("escaped", [True, False])
def test_what_a_json_writer_prints_is_a_runbook(text: str, escaped: bool) -> None:
    written = json.dumps(_document(text), ensure_ascii=escaped, indent="\t")
    assert _properties(written) == text


@given(st.text(st.sampled_from("\\\"'du83e0😀\x85\u2028\x7f\U000f0000 \t:#{")), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_text_that_a_json_writer_prints_is_a_runbook(text: str, escaped: bool) -> None:
    written = json.dumps(_document(text), ensure_ascii=escaped)
    assert _properties(written) == text


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        (r"'\ud83d\ude00'", r"\ud83d\ude00"),
        (r"\uD83d\uDE00 \ud83d\ude01", r"\uD83d\uDE00 \ud83d\ude01"),
        (r'"\ud83d\ude00 \U0001F601"', "😀 😁"),
        ("a\u2028b", "a\u2028b"),
        ("'a\x85b'", "a\x85b"),
    ],
)
def test_only_in_double_quotes_two_escapes_are_one_character(scalar: str, value: str) -> None:
    text = f"artifacts: {{a: {{source: {{type: t, properties: {{x: {scalar}}}}}}}}}\n"
    assert _properties(text) == value


def test_a_line_separator_in_a_comment_ends_nothing() -> None:
    [problem] = problems("# seen\u2028later \x85\nartifacts: {a: {source: {type: t}}}\nbad: 1\n")
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (3, 1)


@pytest.mark.parametrize("blank", ["\t", "  \t", "\t\t  ", " \t # a comment", "\t#"])
def test_a_line_of_tabs_is_blank(blank: str) -> None:
    text = f"artifacts:\n  a:\n{blank}\n    source: {{type: t, properties: {{x: 1}}}}\n{blank}\n"
    assert _properties(text) == 1


def test_tabs_within_a_block_of_text_are_kept() -> None:
    text = (
        "artifacts:\n  a:\n\t\n    source:\n      type: t\n      properties:\n        x: |\n"
        "          one\n          \t\n\t\n          \t# two\n"
    )
    assert _properties(text) == "one\n\t\n\n\t# two\n"


def test_an_indentation_of_tabs_is_refused_with_what_to_do() -> None:
    [problem] = problems("artifacts:\n\ta: {source: {type: t}}\n")
    assert problem.hint == "indent with spaces: YAML allows no tabs there"


@pytest.mark.sweep
def test_a_million_values_are_a_runbook() -> None:
    items = ",".join(["[1]"] * 400_000 + ["2"] * 250_000)
    found = _properties(f"artifacts: {{a: {{source: {{type: t, properties: {{x: [{items}]}}}}}}}}")
    assert isinstance(found, list)
    assert len(found) == 650_000


def test_thousands_of_aliases_are_a_runbook() -> None:
    items = "&x [1, 2]" + ", *x" * 20_000
    found = _properties(f"artifacts: {{a: {{source: {{type: t, properties: {{x: [{items}]}}}}}}}}")
    assert isinstance(found, list)
    assert found[-1] == [1, 2]
