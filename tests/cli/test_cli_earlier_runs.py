"""Runs of earlier versions are what they were; those of newer ones are read, and not changed.

The runs in `tests/runs/earlier` were written by versions of this program, and never touched.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

pytestmark = pytest.mark.sweep

EARLIER = Path(__file__).parents[1] / "runs/earlier"
NAMES = sorted(path.name for path in EARLIER.iterdir())
GOOD = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'


@pytest.fixture
def runs(place: Place) -> Path:
    folder = place.path / ".waivern/runs"
    shutil.copytree(EARLIER, folder)
    return folder


def change(path: Path, **keys: Any) -> None:
    document = json.loads(path.read_text())
    text = json.dumps(document | keys, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text)


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_run_of_an_earlier_version_is_intact(runs: Path, wct: Wct, name: str) -> None:
    done = wct("runs", "verify", name, "--json")
    (found,) = done.data("verify")
    assert (done.code, found["faults"], found["notes"]) == (0, [], [])
    assert found["artifacts"] == len(list((runs / name).rglob("[!_]*.json"))) - 2
    assert wct("inspect", name).code == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {"status": "cancelled"},
        {"error": "no"},
        {"duration_ms": 1},
        {"runbook_name": "Another"},
        {"journal": {"count": 3, "head": "0" * 64}},
        {"params": {"x": 1}},
        {"attempts": []},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_run_of_an_earlier_version_that_was_altered(
    runs: Path, wct: Wct, name: str, changes: dict[str, Any]
) -> None:
    change(runs / name / "_system/run.json", **changes)
    done = wct("runs", "verify", name)
    assert done.code == 9
    assert "_system/" in done.out


@pytest.mark.parametrize("key", ["error", "attempts", "schema_version", "status"])
def test_a_key_that_every_version_writes_is_missing(runs: Path, wct: Wct, key: str) -> None:
    path = runs / "third/_system/run.json"
    document = json.loads(path.read_text())
    del document[key]
    path.write_text(json.dumps(document, indent=2) + "\n")
    assert wct("runs", "verify", "third").code == 9


def test_a_key_of_a_later_version_is_a_note(runs: Path, place: Place, wct: Wct) -> None:
    book = place.runbook("b.yaml", GOOD)
    assert wct("run", book, "--run-id", "now").code == 0
    change(runs / "now/_system/run.json", colour="red")
    done = wct("runs", "verify", "now", "--json")
    (found,) = done.data("verify")
    assert found["faults"] == []
    assert found["notes"] == [
        "run.json has keys that this version does not know, not compared: colour"
    ]


@pytest.fixture
def newer(place: Place, wct: Wct) -> Path:
    book = place.runbook(
        "b.yaml",
        GOOD + "  sure: {gate: {question: Sure?, show: a}}\n  z: {inputs: [a], after: sure}\n",
    )
    assert wct("run", book, "--run-id", "future").code == 7
    assert wct("run", place.runbook("c.yaml", GOOD), "--run-id", "other").code == 0
    run = place.path / ".waivern/runs/future"
    change(run / "_system/run.json", schema_version=2, extra={"deep": []})
    return run


def test_a_newer_run_is_said_to_be_newer(newer: Path, wct: Wct) -> None:
    rows = {row[0]: row for row in wct("runs").rows}
    assert rows["other"][1] == "completed"
    assert rows["future"][1] == "newer"
    assert "a newer version of waivern wrote it (schema_version 2" in rows["future"][9]
    looked = wct("runs", "verify", "future")
    assert looked.code == 0
    assert "a newer version of waivern wrote run.json: it was not compared" in looked.out
    assert wct("inspect", "future").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("run", "b.yaml", "--resume", "future"),
        ("runs", "resume", "future"),
        ("runs", "approve", "future", "--by", "ann"),
        ("runs", "approve", "future", "--by", "ann", "--no-resume"),
        ("runs", "cancel", "future"),
        ("runs", "pin", "future"),
        ("runs", "delete", "future", "--yes"),
        ("runs", "prune", "--older-than", "0d", "--yes"),
    ],
    ids=" ".join,
)
def test_a_newer_run_is_not_changed(newer: Path, wct: Wct, words: tuple[str, ...]) -> None:
    before = {path: path.read_bytes() for path in newer.rglob("*") if path.is_file()}
    done = wct(*words)
    if "prune" not in words:
        assert done.code == 5, done.err
        assert "newer version of waivern" in done.err
    assert {path: path.read_bytes() for path in newer.rglob("*") if path.is_file()} == before


def test_a_newer_run_is_removed_by_name_and_force(newer: Path, wct: Wct) -> None:
    assert wct("runs", "delete", "future", "--force", "--yes").code == 0
    assert not newer.exists()
