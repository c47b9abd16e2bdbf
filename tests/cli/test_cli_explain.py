"""`wct explain`: every code has a text, and its examples are examples of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wct_process import Place, Wct

from waivern.cli.ui.problem_explanations import EXPLANATIONS
from waivern.errors import Exit
from waivern.planning.plan_codes import PlanCode
from waivern.yamldoc.runbook_codes import RunbookCode

WITH_EXAMPLE = [code for code, each in EXPLANATIONS.items() if each.wrong]


def test_every_code_is_explained() -> None:
    assert set(EXPLANATIONS) == {*map(str, RunbookCode), *map(str, PlanCode)}
    assert (
        len(WITH_EXAMPLE) >= len(EXPLANATIONS) - 5
    )  # no text, too large, and what needs more files


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_the_first_example_has_the_problem_and_the_second_has_not(
    place: Place, wct: Wct, code: str
) -> None:
    (place.path / "data").mkdir()
    each = EXPLANATIONS[code]
    assert each.wrong
    assert each.right
    assert code in codes(wct, place.path / "wrong.yaml", each.wrong)
    assert codes(wct, place.path / "right.yaml", each.right) == set()


def codes(wct: Wct, path: Path, text: str) -> set[str]:
    path.write_text(text)
    (document,) = json.loads(wct("validate", path.name, "--json").out)["data"]
    return {each["code"] for each in (*document["problems"], *document["warnings"])}


def test_a_code_is_shown_with_example_and_remedy(wct: Wct) -> None:
    done = wct("explain", "wct103")
    assert done.code == 0
    assert done.out.startswith("WCT103: unknown key\n")
    assert "proces: {type: personal_data}" in done.out
    assert wct("explain", "WCT103", "--json").data("explain")["title"] == "unknown key"


def test_exit_codes_are_explained_too(wct: Wct) -> None:
    assert wct("explain", "7").out.startswith(f"exit 7: {Exit.SUSPENDED.meaning}\n")
    rows = wct("explain").rows
    assert ["WCT103", "unknown key"] in rows
    assert ["7", Exit.SUSPENDED.meaning] in rows


def test_an_error_says_how_to_learn_more(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", "  a: {inputs: b, outptu: true}\n")
    done = wct("run", "x.yaml")
    assert done.code == 3
    assert done.err.rstrip().endswith("`wct explain WCT103` says more")


def test_an_unknown_code_is_no_code(wct: Wct) -> None:
    done = wct("explain", "WCT13")
    assert (done.code, done.out) == (4, "")
    assert "did you mean 'WCT213'?" in done.err
