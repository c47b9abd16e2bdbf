"""Projects that were moved or copied: what goes on acts where the command is called, never in the
original of a copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import waivern

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

WCT = str(Path(sys.executable).with_name("wct"))
KID = """
artifacts:
  inner: {source: {type: command, properties: {argv: [./act, kid]}}}
outputs: {inner: {artifact: inner}}
"""
BOOK = """
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:first"}}}
  ok: {gate: {question: Well?, show: [first]}}
  sent: {after: [ok], source: {type: command, properties: {argv: [./act, top]}}}
  own: {inputs: first, after: [ok], process: {type: own}}
  kid: {after: [ok], child_runbook: {path: kids/kid.yaml, output: inner}}
"""
OWN = """
from pathlib import Path

from pydantic import BaseModel
from waivern.message import SchemaRef


class Own:
    name, version = "own", "1.0.0"
    accepts, produces = None, SchemaRef("json")

    class Config(BaseModel):
        pass

    def process(self, inputs, config, ctx):
        (Path(__file__).parent / "used").touch()
        return {"base": ctx.base.name}


processor = Own()
"""


class Done(NamedTuple):
    """A command that is over."""

    code: int
    err: str


class Place:
    """A folder, and `wct` called in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wct(self, *args: str) -> Done:
        environ = {k: v for k, v in os.environ.items() if k != "WAIVERN_STORE"}
        done = subprocess.run(
            [WCT, *args],
            cwd=self.path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stderr)


class Project(Place):
    """A project of a runbook with a child, steps, a component of its own, and a gate."""

    @classmethod
    def begun(cls, path: Path) -> Project:
        """Make the project, and run its runbook up to the gate."""
        path.mkdir()
        self = cls(path)
        for folder in ("books/kids", "parts"):
            (path / folder).mkdir(parents=True)
        (path / "books/steps.py").write_text("def first():\n    return {'n': 1}\n")
        (path / "books/q.yaml").write_text(BOOK)
        (path / "books/kids/kid.yaml").write_text(KID)
        (path / "parts/own.py").write_text(OWN)
        (path / "waivern.yaml").write_text("component_paths: [parts]\n")
        for folder in ("books", "books/kids"):
            act = path / folder / "act"
            act.write_text('#!/bin/sh\necho here >> "acted-$1"\nprintf \'"%s"\' "$PWD"\n')
            act.chmod(0o755)
        done = self.wct("run", "books/q.yaml", "-q", "--run-id", "r")
        assert done.code == 7, done.err
        return self

    def acted(self) -> list[str]:
        """Return what was done in this project."""
        found = [*self.path.rglob("acted-*"), *self.path.rglob("used")]
        return sorted(str(each.relative_to(self.path)) for each in found)


ALL = ["books/acted-top", "books/kids/acted-kid", "parts/used"]
VERBS: dict[str, Callable[[Place], Done]] = {
    "approve": lambda place: place.wct("runs", "approve", "r", "--by", "ann", "-q"),
    "resume": lambda place: place.wct("runs", "resume", "r", "--data", "approved=true", "-q"),
    "run --resume": lambda place: (
        place.wct("runs", "approve", "r", "--by", "ann", "--no-resume"),
        place.wct("run", "books/q.yaml", "--resume", "r", "-q"),
    )[1],
}


@pytest.fixture
def original(tmp_path: Path) -> Project:
    return Project.begun(tmp_path / "original")


def copied(original: Project, name: str = "copy") -> Project:
    """Return a copy of a project with its store."""
    path = original.path.parent / name
    shutil.copytree(original.path, path, symlinks=True)
    return Project(path)


def moved(original: Project) -> Project:
    copy = copied(original)
    shutil.rmtree(original.path)
    return copy


@pytest.mark.parametrize("verb", VERBS)
def test_in_a_copy_the_copy_acts(original: Project, verb: str) -> None:
    copy = copied(original)
    done = VERBS[verb](copy)
    assert done.code == 0, done.err
    assert (copy.acted(), original.acted()) == (ALL, [])
    assert f"ran in {original.path}/books" in done.err  # the two differ, and that is said
    assert f"{copy.path}/books" in done.err


@pytest.mark.parametrize("verb", VERBS)
def test_a_moved_project_goes_on(original: Project, verb: str) -> None:
    copy = moved(original)
    done = VERBS[verb](copy)
    assert done.code == 0, done.err
    assert copy.acted() == ALL
    assert not original.path.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_said_where_nothing_moved(original: Project, verb: str) -> None:
    done = VERBS[verb](original)
    assert done.code == 0, done.err
    assert original.acted() == ALL
    assert "ran in" not in done.err


def test_a_replay_acts_in_the_copy(original: Project) -> None:
    copy = copied(original)
    done = copy.wct("runs", "replay", "r", "-q", "--run-id", "again")
    assert done.code == 7, done.err
    assert copy.wct("runs", "approve", "again", "--by", "ann", "-q").code == 0
    assert (copy.acted(), original.acted()) == (ALL, [])
    run = json.loads((copy.path / ".waivern/runs/again/_system/run.json").read_text())
    assert [each["base"] for each in run["attempts"]] == [f"{copy.path}/books"] * 2


def test_each_attempt_records_its_folder(original: Project) -> None:
    copy = copied(original)
    VERBS["approve"](copy)
    run = json.loads((copy.path / ".waivern/runs/r/_system/run.json").read_text())
    bases = [each["base"] for each in run["attempts"]]
    assert bases == [f"{original.path}/books", f"{copy.path}/books"]
    assert copy.wct("runs", "verify", "r").code == 0


@pytest.mark.parametrize("verb", ["approve", "resume"])
def test_a_copy_whose_runbook_was_edited_asks(original: Project, verb: str) -> None:
    copy = copied(original)
    with (copy.path / "books/q.yaml").open("a") as file:
        file.write("# edited\n")
    before = (copy.path / ".waivern/runs/r/_system/events.jsonl").read_bytes()
    done = VERBS[verb](copy)
    assert done.code == 5
    assert f"run r ran in {original.path}/books" in done.err
    assert f"{copy.path}/books/q.yaml is not the runbook as it ran" in done.err
    assert f"--base {copy.path}/books" in done.err
    assert (copy.acted(), original.acted()) == ([], [])
    assert (copy.path / ".waivern/runs/r/_system/events.jsonl").read_bytes() == before
    done = copy.wct("runs", "approve", "r", "--by", "ann", "-q", "--base", "books")
    assert done.code == 0, done.err
    assert (copy.acted(), original.acted()) == (ALL, [])
    assert "does not hold q.yaml as run r ran it" in done.err


@pytest.mark.parametrize("verb", ["approve", "resume", "replay"])
def test_a_copy_without_the_runbook_asks(original: Project, verb: str) -> None:
    copy = copied(original)
    (copy.path / "books/q.yaml").unlink()
    words = {"approve": ["approve", "r", "--by", "ann"], "resume": ["resume", "r"]}
    done = copy.wct("runs", *words.get(verb, ["replay", "r"]), "-q")
    assert done.code == 5
    assert "--base" in done.err
    assert (copy.acted(), original.acted()) == ([], [])


def test_a_decision_alone_needs_no_folder(original: Project) -> None:
    copy = moved(original)
    (copy.path / "books/q.yaml").unlink()
    assert copy.wct("runs", "approve", "r", "--by", "ann", "--no-resume").code == 0


def test_in_place_an_edited_or_removed_runbook_is_no_obstacle(original: Project) -> None:
    (original.path / "books/q.yaml").unlink()
    done = VERBS["approve"](original)
    assert done.code == 0, done.err
    assert original.acted() == ALL
    assert "is not there any more" in done.err


@pytest.mark.parametrize("base", ["nowhere", "waivern.yaml"])
def test_a_base_that_is_no_folder(original: Project, base: str) -> None:
    done = original.wct("runs", "approve", "r", "--by", "ann", "--base", base)
    assert done.code == 4
    assert f"--base: there is no folder '{original.path}/{base}'" in done.err


# a store beside the project


def outside(tmp_path: Path) -> tuple[Project, str]:
    """Return a project whose runs are in a store elsewhere, and that store."""
    original = Project.begun(tmp_path / "original")
    store = str(tmp_path / "elsewhere/runs-of-all")
    assert original.wct("run", "books/q.yaml", "-q", "--run-id", "o", "--store", store).code == 7
    shutil.rmtree(original.path / ".waivern")
    return original, store


def approved(place: Place, store: str, *more: str) -> Done:
    return place.wct("runs", "approve", "o", "--by", "ann", "-q", "--store", store, *more)


def test_with_one_store_the_copy_acts_too(tmp_path: Path) -> None:
    original, store = outside(tmp_path)
    copy = copied(original)
    done = approved(copy, store)
    assert done.code == 0, done.err
    assert (copy.acted(), original.acted()) == (ALL, [])


def test_with_one_store_the_project_may_move(tmp_path: Path) -> None:
    original, store = outside(tmp_path)
    copy = moved(original)
    assert approved(copy, store).code == 0
    assert copy.acted() == ALL


def test_from_elsewhere_the_recorded_folder_counts_while_it_holds_the_runbook(
    tmp_path: Path,
) -> None:
    original, store = outside(tmp_path)
    elsewhere = Place(tmp_path)
    (tmp_path / "waivern.yaml").write_text("component_paths: [original/parts]\n")
    done = approved(elsewhere, store)
    assert done.code == 0, done.err
    assert original.acted() == ALL


def test_from_elsewhere_a_moved_project_asks(tmp_path: Path) -> None:
    original, store = outside(tmp_path)
    copy = moved(original)
    other = tmp_path / "other"
    other.mkdir()
    done = approved(Place(other), store)
    assert done.code == 5
    assert "that folder is gone" in done.err
    assert copy.acted() == []


def test_siblings_with_the_same_runbook_are_not_copies(tmp_path: Path) -> None:
    """Two clients' folders in one project, with equal runbooks: each run stays in its own."""
    top = Place(tmp_path)
    for name in ("ann", "bob"):
        folder = tmp_path / name
        folder.mkdir()
        act = folder / "act"
        act.write_text('#!/bin/sh\ntouch acted\necho "\\"$PWD\\""\n')
        act.chmod(0o755)
        (folder / "q.yaml").write_text(
            "artifacts:\n  a: {source: {type: command, properties: {argv: [echo, '1']}}}\n"
            "  ok: {gate: {question: Well?, show: [a]}}\n"
            "  sent: {after: [ok], source: {type: command, properties: {argv: [./act]}}}\n"
        )
    assert top.wct("run", "ann/q.yaml", "-q", "--run-id", "of-ann").code == 7
    done = Place(tmp_path / "bob").wct("runs", "approve", "of-ann", "--by", "x", "-q")
    assert done.code == 0, done.err
    assert (tmp_path / "ann/acted").exists()
    assert not (tmp_path / "bob/acted").exists()


# the same in Python


def test_in_python(original: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = moved(original)
    (copy.path / "books/q.yaml").unlink()
    (copy.path / "waivern.yaml").unlink()
    (copy.path / "books/kids/kid.yaml").unlink()
    monkeypatch.chdir(copy.path.parent)
    with pytest.raises(waivern.RefusedError, match="ran in"):
        waivern.replay("r", project_root=copy.path)
    with pytest.raises(waivern.NotFoundError, match="there is no folder"):
        waivern.replay("r", project_root=copy.path, base="nowhere")
    with pytest.raises(waivern.UsageError, match="base= cannot be"):
        waivern.replay("r", project_root=copy.path, base=3)  # type: ignore[arg-type]
