"""`wct validate`: what a run would be refused for, and nothing that a run is not."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

PYTHON = "{type: python, properties: {call: 'steps.py:value'}}"
STORED = """
  a: {source: {type: python, properties: {call: "steps.py:value"}}, keep: content}
  b: {inputs: a}
"""
HEAD = """params:
  which: {type: string}
  n: {type: integer}
  t: {type: string}
  b: {type: boolean}
config: {max_concurrency: "${params.n}", pools: {db: "${params.n}"}}"""
BOOK = f"""
  x: {{source: {PYTHON}, timeout: "${{params.t}}", when: "${{params.b}}", pool: db}}
  y: {{inputs: "${{params.which}}", process: {PYTHON}, retry: {{max: "${{params.n}}"}}}}
  z: {{for_each: [a, "${{params.which}}"], source: {PYTHON}}}
  all: {{inputs: [y, x], process: {PYTHON}}}
"""
GIVEN = ("-p", "which=x", "-p", "n=2", "-p", "t=5m", "-p", "b=true")


@pytest.fixture
def book(place: Place) -> str:
    place.runbook("x.yaml", BOOK, HEAD)
    return "x.yaml"


def test_what_has_no_value_yet_is_no_mistake(place: Place, book: str, wct: Wct) -> None:
    done = wct("validate", book)
    assert (done.code, done.err) == (0, "")


def test_values_are_those_of_a_run(place: Place, book: str, wct: Wct) -> None:
    done = wct("validate", book, *GIVEN)
    assert (done.code, done.rows) == (0, [["ok", book, "5"]])
    (place.path / "values.yaml").write_text("{which: x, n: 2, t: 5m, b: true}")
    assert wct("validate", book, "--params", "values.yaml").rows == done.rows


def test_a_value_that_does_not_fit_is_told_at_the_field(place: Place, book: str, wct: Wct) -> None:
    done = wct("validate", book, "--json", *GIVEN[:-4], "-p", "t=soon", "-p", "b=true")
    assert done.code == 3
    (document,) = done.data("validate")
    (problem,) = document["problems"]
    assert problem["message"] == "'timeout' of artifact 'x' must be a length of time"
    assert problem["line"] == 9
    assert problem["artifact"] == "x"


def test_how_each_source_is_kept_is_told(place: Place, wct: Wct) -> None:
    place.runbook("kept.yaml", STORED)
    (document,) = wct("validate", "kept.yaml", "--json").data("validate")
    assert document["keep"] == {"a": "content"}


def test_a_mistake_beside_what_has_no_value_is_told(place: Place, wct: Wct) -> None:
    wrong = BOOK.replace("process: {type: python", "proces: {type: python", 1)
    place.runbook("x.yaml", wrong, HEAD)
    done = wct("validate", "x.yaml")
    assert done.code == 3
    assert "unknown key 'proces'" in done.err
    assert done.err.count("error[") == 1


def test_what_is_missing_is_about_usage(place: Place, book: str, wct: Wct) -> None:
    done = wct("validate", book, "-p", "which=x")
    assert done.code == 2
    assert "parameter 'n' needs a value" in done.err


def test_settings_are_shown_with_values_and_without(place: Place, book: str, wct: Wct) -> None:
    shown = wct("config", "show", book)
    rows = {row[0]: row[1] for row in shown.rows}
    assert (shown.code, rows["max_concurrency"]) == (0, "8")
    rows = {row[0]: row[1] for row in wct("config", "show", book, *GIVEN).rows}
    assert rows["max_concurrency"] == "2"
    assert wct("config", "show", "-p", "n=2").code == 2
