"""What a name on the command line stands for, and what is said of what is damaged or lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from wct_process import WCT, Place, Wct

BOOK = """
  one: {source: {type: python, properties: {call: "steps.py:value"}}}
  two: {inputs: one, process: {type: python, properties: {call: "steps.py:total"}}}
"""


@pytest.fixture
def store(place: Place, wct: Wct) -> Path:
    """A store with the runs `old`, of a.yaml, and `new`, of b.yaml."""
    for run, book in (("old", "a.yaml"), ("new", "b.yaml")):
        assert (
            wct("run", place.runbook(book, BOOK, f"name: {run}"), "-q", "--run-id", run).code == 0
        )
    return place.path / ".waivern/runs"


def _no_journal(run: Path) -> None:
    (run / "_system/events.jsonl").write_text("")


def _no_head(run: Path) -> None:
    (run / "_system/run.json").write_text("{")


def _nothing(run: Path) -> None:
    shutil.rmtree(run / "_system")


@pytest.mark.parametrize("damage", [_no_journal, _no_head, _nothing])
def test_a_damaged_run_is_not_passed_over(
    store: Path, wct: Wct, damage: Callable[[Path], None]
) -> None:
    damage(store / "new")
    for words in (
        ["runs", "verify", "@last"],
        ["inspect", "@last"],
        ["runs", "delete", "--yes", "@last"],
        ["runs", "verify", "b@last"],
        ["runs", "verify", "@failed"],
        ["run", "b.yaml", "--resume", "@last"],
    ):
        done = wct(*words)
        assert (done.code, done.out) == (9, ""), words
        assert "may mean run new, which cannot be read" in done.err, words
    assert sorted(each.name for each in store.iterdir()) == ["new", "old"]


def test_a_damaged_run_keeps_nobody_from_what_it_surely_is_not(store: Path, wct: Wct) -> None:
    _no_journal(store / "old")
    assert "new  intact" in wct("runs", "verify", "@last").out
    assert "new  intact" in wct("runs", "verify", "b@last").out
    assert wct("runs", "verify", "a@last").code == 9
    assert wct("runs", "verify", "@last~1").code == 9


def test_a_resume_looks_among_the_runs_of_its_runbook(store: Path, wct: Wct) -> None:
    _no_journal(store / "new")  # surely a run of b.yaml
    done = wct("run", "a.yaml", "--resume", "@last", "--json")
    assert (done.code, done.data("run")["run_id"]) == (0, "old"), done.err


def test_a_run_alone_and_damaged(store: Path, wct: Wct) -> None:
    shutil.rmtree(store / "old")
    _no_journal(store / "new")
    assert wct("runs", "verify", "@last").code == 9


def test_a_lost_artifact_is_not_one_that_never_was(store: Path, wct: Wct) -> None:
    (store / "old/two.json").unlink()
    done = wct("inspect", "old/two")
    assert done.code == 9
    assert "its file is missing" in done.err
    assert "`wct runs resume old` rebuilds it" in done.err
    whole = wct("inspect", "old", "--full", "--json")
    assert whole.code == 9
    assert "its file is missing" in whole.data("inspect")["faults"]["two"]
    assert wct("inspect", "old/three").code == 4


def test_the_whole_run_is_what_its_record_says(store: Path, wct: Wct) -> None:
    printed = wct("inspect", "old", "--full", "--json").data("inspect")["record"]
    assert printed["journal"]["count"] == 7
    assert printed["journal"]["head"] in (store / "old/_system/run.json").read_text()
    assert printed["journal"]["head"] in wct("inspect", "old", "--full").out


def test_a_name_that_stands_for_artifacts(place: Place, wct: Wct) -> None:
    for name, word in (("one.yaml", "only"), ("two.yaml", "first")):
        place.runbook(
            name,
            f"""
  {word}:
    source: {{type: python, properties: {{call: "steps.py:value"}}}}
""",
            head=f"outputs: {{made: {{artifact: {word}}}}}",
        )
    place.runbook(
        "book.yaml",
        """
  part:
    child_runbook: {path: one.yaml, output_mapping: {made: made}}
  many:
    for_each: [x, y]
    child_runbook: {path: two.yaml, output_mapping: {made: several}}
""",
    )
    assert wct("run", "book.yaml", "-q", "--run-id", "r").code == 0
    rows = dict(wct("inspect", "r/made").rows)
    assert rows["artifact"] == "part/only"
    done = wct("inspect", "r/several")
    assert done.code == 4
    assert "resolves to 2 artifacts" in done.err
    assert "many/x/first, many/y/first" in done.err


def test_a_path_that_is_not_utf8_is_a_mistake(place: Place) -> None:
    place.runbook("a.yaml", BOOK)
    odd = place.path / os.fsdecode(b"d\xff")
    try:
        odd.mkdir()
    except OSError:  # macOS has no such names
        return
    shutil.copy(place.path / "a.yaml", odd)
    shutil.copy(place.path / "steps.py", odd)
    for folder, words in (
        (place.path, ["run", str(odd / "a.yaml")]),
        (odd, ["run", "a.yaml"]),
        (odd, ["validate", "a.yaml"]),
        (place.path, ["run", "a.yaml", "--store", str(odd)]),
        (place.path, ["run", "a.yaml", "-p", os.fsdecode(b"key=\xff")]),
    ):
        done = subprocess.run(
            [WCT, *words], cwd=folder, env=place.environ(), capture_output=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert b"not UTF-8" in done.stderr
        assert b"= help: " in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(place: Place, closed: str, wct: Wct) -> None:
    book = place.runbook("a.yaml", BOOK)
    for n, words in enumerate((["run", book, "--run-id", "r"], ["runs"], ["--version"])):
        line = f'exec "$0" "$@" {closed}'
        done = subprocess.run(
            ["sh", "-c", line, WCT, *words],
            cwd=place.path,
            check=False,
            env=place.environ(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert bool(done.stdout) == (closed == "2>&-"), n
    assert wct("runs", "verify", "r").code == 0


def test_a_component_of_the_project_can_be_asked_for(place: Place, wct: Wct) -> None:
    parts = place.path / "parts"
    parts.mkdir()
    (parts / "route.py").write_text(
        """
from pydantic import BaseModel
from waivern.message import SchemaRef


class Route:
    \"\"\"Sends on.\"\"\"

    name, version = "route", "1.0.0"
    accepts, produces = None, SchemaRef("json")

    class Config(BaseModel, extra="forbid"):
        target: str

    def process(self, inputs, config, ctx):
        return {}


processor = Route()
"""
    )
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    done = wct("processors", "route")
    assert done.code == 0, done.err
    assert done.rows == [["target", "str", "", ""]]


def test_the_help_for_an_unknown_artifact_is_about_artifacts(store: Path, wct: Wct) -> None:
    for words in (["run", "a.yaml", "--refresh", "zzzz"], ["plan", "a.yaml", "--refresh", "zzzz"]):
        done = wct(*words)
        assert done.code == 4
        assert "`wct plan RUNBOOK`" in done.err
        assert "connectors" not in done.err
