"""Variables whose values differ between a run and its replay, named without being kept."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

PART = '{type: python, properties: {call: "steps.py:value", args: {x: "${NAME}"}}}'
BOOK = "".join(
    f"  {id_}: {{cache: {cached}, source: {PART.replace('NAME', name)}}}\n"
    for id_, name, cached in (
        ("a", "V_ONE", "true"),
        ("b", "V_TWO", "true"),
        ("c", "V_THREE", "false"),
    )
)


def test_a_replay_names_variables_that_differ_or_may(
    place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("V_ONE", "V_TWO", "V_THREE"):
        monkeypatch.setenv(name, "canary-1")
    assert wct("run", place.runbook("r.yaml", BOOK)).code == 0
    monkeypatch.setenv("V_TWO", "canary-2")
    done = wct("runs", "replay", "@last")
    assert done.code == 0
    said = " ".join(done.err.split())
    assert "variables have values that differ from run" in said
    assert said.partition("that differ from run")[2].split()[1] == "V_TWO"
    assert said.partition("may differ from run")[2].split()[1] == "V_THREE"
    assert "canary" not in done.err


def test_a_replay_without_variables_says_nothing(place: Place, wct: Wct) -> None:
    runbook = place.runbook(
        "r.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    )
    assert wct("run", runbook).code == 0
    assert "variables" not in wct("runs", "replay", "@last").err


def test_a_resume_names_variables_that_differ(
    place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The artifacts that were produced with the earlier values are restored all the same."""
    runbook = place.runbook("r.yaml", BOOK)
    for name in ("V_ONE", "V_TWO", "V_THREE"):
        monkeypatch.setenv(name, "canary-1")
    assert wct("run", runbook, "--select", "a").code == 0
    assert "variables" not in wct("run", runbook, "--resume", "@last", "--select", "b").err
    monkeypatch.setenv("V_ONE", "canary-2")
    done = wct("run", runbook, "--resume", "@last")
    assert done.code == 0
    said = " ".join(done.err.split())
    assert said.partition("that differ from run")[2].split()[1] == "V_ONE"
    assert "canary" not in done.err
