"""What a person sees first: headlines, and tables on a narrow terminal."""

from __future__ import annotations

import re

import pytest
from wct_process import Place

import waivern

ONE = '  a: {source: {type: python, properties: {call: "steps.py:value"}}, cache: true}\n'
LONG = "the_quarterly_findings_of_the_sales_department"
GATE = f'  {LONG}: {{gate: {{question: "May it be published?", show: [a]}}}}\n'


def lines(text: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [line.rstrip() for line in plain.replace("\r", "").splitlines()]


def test_a_reason_is_whole_on_a_narrow_terminal(place: Place) -> None:
    book = place.runbook("book.yaml", ONE + f"  {LONG}: {{inputs: a, merge: null}}\n")
    place.wct("run", book)
    steps = place.path / "steps.py"
    steps.write_text(steps.read_text() + "# another version of the code\n")
    wide = lines(place.on_a_terminal("plan", book, COLUMNS="160").out)
    reason = next(line for line in wide if line.startswith("a ")).split("  ")[-1]
    narrow = lines(place.on_a_terminal("plan", book, COLUMNS="60").out)
    assert all(len(line) <= 60 or LONG in line for line in narrow[: narrow.index("")])
    assert any(LONG in line for line in narrow), "an id can be copied"
    assert reason in re.sub(r"\s+", " ", " ".join(narrow))


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_lists_fit(place: Place, columns: str) -> None:
    place.wct("run", place.runbook("a_runbook_with_a_long_name_in_a_list.yaml", ONE))
    listed = lines(place.on_a_terminal("runs", COLUMNS=columns).out)
    assert all(len(line) <= int(columns) for line in listed)
    assert "STATUS" in listed[0]
    looked = lines(place.on_a_terminal("inspect", "@last", COLUMNS=columns).out)
    table = looked[looked.index("") + 1 :]
    assert any(line.split()[:1] == ["a"] or " a " in line for line in table)


def test_a_tripped_policy_is_in_the_headline(place: Place) -> None:
    book = place.runbook("book.yaml", ONE)
    done = place.on_a_terminal("run", book, "--fail-on", "status.a == 'completed'")
    assert done.code == 6
    headline = next(line for line in done.out.splitlines() if "COMPLETED" in line)
    assert "COMPLETED, POLICY TRIPPED" in headline
    assert "\x1b[32m" not in headline, "green says that all is well"


def test_the_node_that_waits_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    book = place.runbook("book.yaml", ONE + GATE)
    data = place.wct("run", book, "--json").data("run")
    assert data["suspended_at_node"] == LONG
    assert data["suspended_at"].endswith("Z")
    assert place.wct("runs", "approve", "@last", "--by", "ann", "-q").code == 0
    assert place.wct("runs", "--json").data("runs")[0]["suspended_at_node"] is None
    monkeypatch.chdir(place.path)
    result = waivern.run(book)
    assert result.metadata.suspended_at_node == LONG
    assert len(repr(result)) < 1_000
    assert result.run_id in repr(result)


def test_a_component_means_the_same_in_json_and_python(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = place.runbook("book.yaml", ONE)
    [step] = place.wct("run", book, "--json").data("run")["steps"]
    monkeypatch.chdir(place.path)
    [same] = waivern.run(book).steps
    assert (step["artifact"], step["component"]) == (same.artifact, same.component)
    assert step["component"] == "connector:python"
