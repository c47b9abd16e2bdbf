"""Repetition of children: what a condition leaves out within a round, and between rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine_kit import Ran, Settings, Spec, execute, inline, runbook, threads
from engine_steps import Stage

from waivern.message import Json
from waivern.record.journal_events import ArtifactSkippedRecord

SEED = Spec("seed", call="says", args={"value": {"n": 0}})


def step(stage: Stage, name: str, *inputs: str, **terms: Json) -> dict[str, Any]:
    """Return an artifact that adds one to what its first input counted."""
    spec = Spec(name, inputs, call="counts")
    return {name: {**runbook(stage, spec)["artifacts"][name], **terms}}


def rounds(
    folder: Path,
    until: str,
    *parts: dict[str, Any],
    out: str = "x",
    most: int = 3,
    also: str | None = None,
    make: Any = inline,
    **terms: Json,
) -> Ran:
    """Repeat a child of `parts`, fed with its output `x`."""
    stage = Stage()
    child: dict[str, Any] = {"inputs": {"m": {"input_schema": "json"}}, "artifacts": {}}
    for part in parts:
        child["artifacts"] |= part
    child["outputs"] = {"o": {"artifact": out}} | ({"also": {"artifact": also}} if also else {})
    (folder / "child.yaml").write_text(json.dumps(child))
    book = runbook(stage, SEED, Spec("end", ("loop",), call="counts"))
    mapping = {"o": "loop", "also": "beside"} if also else {"o": "loop"}
    book["artifacts"]["loop"] = {
        "child_runbook": {
            "path": "child.yaml",
            "input_mapping": {"m": "seed"},
            "output_mapping": mapping,
        },
        "repeat": {"until": until, "max": most, "feed": {"o": "m"}, **terms},
    }
    return execute(book, executor=make, settings=Settings(folder=folder))


@pytest.mark.parametrize("otherwise", ["fail", "keep"])
def test_a_round_that_its_own_condition_leaves_out_is_missed(
    tmp_path: Path, otherwise: str
) -> None:
    part = step(Stage(), "x", "m", when="inputs.m.n < 1")
    ran = rounds(tmp_path, "result.n > 9", part, otherwise=otherwise)
    assert ran.statuses["loop/round-1/x"] == "completed"
    assert ran.statuses["loop/round-2/x"] == "skipped"
    assert ran.statuses["loop"] == "failed"
    assert "'loop/round-2/x' was not made" in str(ran.error("loop")["message"])
    assert (ran.statuses["end"], ran.ending.status) == ("skipped", "failed")


@pytest.mark.parametrize("make", [inline, threads()])
@pytest.mark.parametrize("made", [1, 2, 3])
def test_a_round_that_is_not_needed_is_not_missed(tmp_path: Path, made: int, make: Any) -> None:
    stage = Stage()
    parts = step(stage, "c", "m"), step(stage, "x", "m", "c")
    ran = rounds(tmp_path, f"result.n == {made}", *parts, make=make)
    for n in (1, 2, 3):
        expected = "completed" if n <= made else "skipped"
        assert {ran.statuses[f"loop/round-{n}/{name}"] for name in "cx"} == {expected}
    assert ran.content("loop")["n"] == made
    assert ran.ending.status == "completed"


def test_what_a_skipped_artifact_feeds_is_skipped_in_every_round(tmp_path: Path) -> None:
    """It is not made of what is left in the second round, as it is not in the first."""
    stage = Stage()
    c = step(stage, "c", "m", when="inputs.m.n == 0")
    ran = rounds(tmp_path, "result.n > 9", c, step(stage, "x", "m", "c"), otherwise="keep")
    assert ran.statuses["loop/round-1/x"] == "completed"
    assert ran.statuses["loop/round-2/c"] == ran.statuses["loop/round-2/x"] == "skipped"
    assert ran.statuses["loop/round-3/x"] == "skipped"
    causes = {event.artifact: event.cause for event in ran.of(ArtifactSkippedRecord)}
    assert causes["loop/round-2/x"] == "loop/round-2/c"
    assert ran.statuses["loop"] == "failed"


@pytest.mark.parametrize("made", [1, 2, 3])
def test_the_other_outputs_follow_the_one_that_is_asked(tmp_path: Path, made: int) -> None:
    """`until` is asked of the first output alone: the other counts one less."""
    stage = Stage()
    parts = step(stage, "c", "m"), step(stage, "x", "c")
    ran = rounds(tmp_path, f"result.n == {2 * made}", *parts, also="c")
    assert (ran.content("loop")["n"], ran.content("beside")["n"]) == (2 * made, 2 * made - 1)
    assert ran.ending.status == "completed"


def test_no_output_is_taken_of_what_did_not_suffice(tmp_path: Path) -> None:
    stage = Stage()
    parts = step(stage, "c", "m"), step(stage, "x", "c")
    ran = rounds(tmp_path, "result.n == 5", *parts, also="c")
    assert (ran.statuses["loop"], ran.statuses["beside"]) == ("failed", "skipped")


def test_a_repeated_child_in_a_round_that_is_not_needed(tmp_path: Path) -> None:
    """Rounds of rounds: nothing of the second outer one is made, and nothing is missed."""
    stage = Stage()
    inner = {
        "inputs": {"m": {"input_schema": "json"}},
        "outputs": {"o": {"artifact": "y"}},
        "artifacts": step(stage, "y", "m"),
    }
    (tmp_path / "inner.yaml").write_text(json.dumps(inner))
    again = {
        "x": {
            "child_runbook": {
                "path": "inner.yaml",
                "input_mapping": {"m": "m"},
                "output_mapping": {"o": "x"},
            },
            "repeat": {"until": "result.n >= 2", "max": 3, "feed": {"o": "m"}},
        }
    }
    ran = rounds(tmp_path, "result.n >= 2", again)
    assert ran.content("loop")["n"] == 2
    assert ran.statuses["loop/round-1/x/round-2/y"] == "completed"
    assert ran.statuses["loop/round-1/x/round-3/y"] == "skipped"
    assert ran.statuses["loop/round-2/x/round-1/y"] == ran.statuses["loop/round-2/x"] == "skipped"
    assert ran.ending.status == "completed"
