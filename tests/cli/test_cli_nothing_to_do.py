"""A `for_each` over an empty list: there is nothing to do, and that is no error."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

READERS = """
  t:
    for_each: ${params.tables}
    source: {type: python, properties: {call: "steps.py:value"}}
  each:
    for_each: ${params.tables}
    inputs: t
    process: {type: python, properties: {call: "steps.py:total"}}
  all: {inputs: t}
  after: {inputs: all, process: {type: python, properties: {call: "steps.py:total"}}}
  asked: {gate: {question: "Enough?", show: t}}
  other: {source: {type: python, properties: {call: "steps.py:value"}}, output: true}
"""
HEAD = "params: {tables: {type: list, default: []}}"


def _by_status(place: Place) -> dict[str, list[str]]:
    steps = place.wct("inspect", "r", "--json").data("inspect")["steps"]
    found: dict[str, list[str]] = {}
    for step in sorted(steps, key=lambda each: each["artifact"]):
        found.setdefault(step["status"], []).append(step["artifact"])
    return found


def test_what_only_reads_an_empty_group_is_skipped_with_its_reason(place: Place, wct: Wct) -> None:
    book = place.runbook("book.yaml", READERS, HEAD)
    assert wct("validate", book).rows == [["ok", book, "4"]]
    done = wct("run", book, "--run-id", "r")
    assert done.code == 0
    assert "nothing to do: 't' has no items" in done.out
    assert _by_status(place) == {"completed": ["other"], "skipped": ["after", "all", "asked"]}


def test_the_same_runbook_works_with_items(place: Place, wct: Wct) -> None:
    book = place.runbook("book.yaml", READERS, HEAD)
    done = wct("run", book, "-q", "--run-id", "r", "-p", 'tables=["a", "b"]')
    assert done.code == 7
    assert _by_status(place)["completed"] == [
        *("after", "all", "each/a", "each/b", "other", "t/a", "t/b")
    ]


@pytest.mark.parametrize("items", ["[]", "{a: [], b: [1]}"])
def test_a_runbook_without_any_artifact_left_completes(place: Place, items: str, wct: Wct) -> None:
    book = place.runbook(
        "book.yaml",
        f"  a: {{for_each: {items}, source: {{type: python, "
        'properties: {call: "steps.py:value"}}}\n',
    )
    assert wct("run", book, "-q").code == 0
