"""References that name a runbook, by its stem or its path; and runs of one runbook or another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from wct_process import Place, Wct

pytestmark = pytest.mark.sweep

VALUE = """
  one: {source: {type: command, properties: {argv: [echo, '"%s"']}}}
"""


@pytest.fixture
def two(place: Place, wct: Wct) -> Place:
    """A project with a/scan.yaml and b/scan.yaml, the run `run-a` and the newer run `run-b`."""
    for name in ("a", "b"):
        (place.path / name).mkdir()
        place.runbook(f"{name}/scan.yaml", VALUE % name)
        assert wct("run", f"{name}/scan.yaml", "-q", "--run-id", f"run-{name}").code == 0
    return place


@pytest.mark.parametrize(
    ("reference", "run"),
    [
        ("a/scan@last", "run-a"),
        ("a/scan.yaml@last", "run-a"),
        ("./a/scan.yaml@last", "run-a"),
        ("b/../a/scan@last", "run-a"),
        ("b/scan@last", "run-b"),
        ("@last", "run-b"),
        ("@last~1", "run-a"),
    ],
)
def test_paths_are_references(two: Place, wct: Wct, reference: str, run: str) -> None:
    assert wct("inspect", reference, "--json").data("inspect")["run_id"] == run
    shown = wct("inspect", f"{reference}/one", "--full")
    assert shown.out.strip() == f'"{run[-1]}"', shown.err


def test_an_absolute_path_is_a_reference(two: Place, wct: Wct) -> None:
    done = wct("inspect", f"{two.path}/a/scan.yaml@last", "--json")
    assert done.data("inspect")["run_id"] == "run-a"


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "scan@last"],
        ["inspect", "scan.yaml@last/one"],
        ["runs", "verify", "scan@last"],
        ["runs", "delete", "scan@last"],
        ["runs", "resume", "scan@last~1"],
        ["runs", "replay", "scan@last"],
        ["run", "a/scan.yaml", "--resume", "scan@last"],
        ["run", "a/scan.yaml", "--select", "result:failed@scan@last"],
        ["plan", "a/scan.yaml", "--resume", "scan@last"],
    ],
)
def test_an_ambiguous_stem_is_refused_with_the_list(two: Place, wct: Wct, words: list[str]) -> None:
    done = wct(*words)
    assert (done.code, done.out) == (4, ""), done.err
    assert "fits the runs of 2 runbooks: a/scan.yaml, b/scan.yaml" in done.err
    assert "'a/scan.yaml@last" in done.err
    assert sorted(two.run_ids()) == ["run-a", "run-b"]


def test_in_a_folder_its_own_file_is_meant_by_path(two: Place) -> None:
    def inspected(reference: str) -> str:
        done = Place(two.path / "a").wct("inspect", reference, "--json")
        return str(done.data("inspect")["run_id"])

    assert inspected("./scan@last") == "run-a"
    assert inspected("scan.yaml@last") == "run-a"
    assert inspected("../b/scan.yaml@last") == "run-b"


def test_a_file_without_runs_is_not_another_one(two: Place, wct: Wct) -> None:
    shutil.rmtree(two.path / ".waivern/runs/run-b")
    two.runbook("scan.yaml", VALUE % "top")
    assert wct("inspect", "scan@last", "--json").data("inspect")["run_id"] == "run-a"
    for reference in ("./scan@last", "scan.yaml@last", "b/scan@last"):
        done = wct("inspect", reference)
        assert done.code == 4, reference
        assert f"no run matches '{reference}'" in done.err


def test_reuse_by_path_and_by_an_ambiguous_stem(two: Place, wct: Wct) -> None:
    reuse = "\n  copy: {reuse: {from_run: '%s', artifact: one}, output: true}\n"
    two.runbook("copy.yaml", reuse % "a/scan@last")
    assert wct("run", "copy.yaml", "-q", "--run-id", "copy").code == 0
    assert wct("inspect", "copy/copy", "--full").out.strip() == '"a"'
    two.runbook("b/copy.yaml", reuse % "../a/scan.yaml@last")
    assert wct("run", "b/copy.yaml", "-q").code == 0  # relative to the runbook, as all its paths
    two.runbook("copy.yaml", reuse % "scan@last")
    done = wct("run", "copy.yaml", "-q")
    assert done.code == 3
    assert "fits the runs of 2 runbooks" in done.err


def test_a_moved_project_keeps_its_references(two: Place, wct: Wct, tmp_path: Path) -> None:
    """Runs from before and after the move are of one runbook, so that the stem is not ambiguous."""
    shutil.rmtree(two.path / ".waivern/runs/run-b")
    moved = two.path / "moved"
    moved.mkdir()
    for name in ("a", ".waivern"):
        (two.path / name).rename(moved / name)
    inside = Place(moved)
    assert inside.wct("run", "a/scan.yaml", "-q", "--run-id", "later").code == 0
    assert inside.wct("inspect", "scan@last", "--json").data("inspect")["run_id"] == "later"
    assert inside.wct("inspect", "a/scan@last~1", "--json").data("inspect")["run_id"] == "run-a"


# --resume is for runs of that runbook


def test_a_run_of_another_runbook_is_refused_always(two: Place, wct: Wct) -> None:
    before = (two.path / ".waivern/runs/run-a/_system/events.jsonl").read_bytes()
    for more in ([], ["--allow-changed"], ["--force"]):
        done = wct("run", "b/scan.yaml", "--resume", "run-a", *more)
        assert done.code == 5, more
        assert "run run-a is a run of a/scan.yaml, not of b/scan.yaml" in done.err
        assert "`wct runs resume run-a`" in done.err
    assert wct("plan", "b/scan.yaml", "--resume", "run-a").code == 5
    assert (two.path / ".waivern/runs/run-a/_system/events.jsonl").read_bytes() == before


def test_a_run_of_a_runbook_of_the_same_name_is_refused_by_paths(two: Place, wct: Wct) -> None:
    """What was typed is `scan.yaml` both times."""
    root = os.path.realpath(two.path)
    store = ("--store", f"{root}/.waivern")
    inside = Place(two.path / "a")
    assert inside.wct("run", "scan.yaml", "-q", "--run-id", "typed", *store).code == 0
    done = Place(two.path / "b").wct("run", "scan.yaml", "--resume", "typed", *store)
    assert done.code == 5
    assert f"run typed is a run of {root}/a/scan.yaml, not of scan.yaml" in done.err
    assert f"`wct run {root}/a/scan.yaml --resume typed`" in " ".join(done.err.split())


def test_last_is_looked_up_among_the_runs_of_the_runbook(two: Place, wct: Wct) -> None:
    done = wct("run", "a/scan.yaml", "--resume", "@last", "--json")
    assert (done.code, done.data("run")["run_id"]) == (0, "run-a")
    done = wct("run", "a/scan.yaml", "--resume", "@failed")
    assert done.code == 4
    assert "no run matches '@failed' among the runs of" in done.err
    two.runbook("new.yaml", VALUE % "new")
    assert wct("run", "new.yaml", "--resume", "@last").code == 4


def test_equal_bytes_suffice_whatever_the_file_is_called(two: Place, wct: Wct) -> None:
    (two.path / "a/scan.yaml").rename(two.path / "renamed.yaml")
    assert wct("run", "renamed.yaml", "--resume", "run-a").code == 0
    assert wct("run", "renamed.yaml", "--resume", "@last", "-q").code == 0
    with (two.path / "renamed.yaml").open("a") as file:
        file.write("# edited\n")
    done = wct("run", "renamed.yaml", "--resume", "run-a", "--allow-changed")
    assert done.code == 5
    assert "run run-a is a run of a/scan.yaml, not of renamed.yaml" in done.err
    assert "renamed and edited" in done.err


def test_an_edited_runbook_is_changed_not_another(two: Place, wct: Wct) -> None:
    two.runbook("a/scan.yaml", VALUE % "edited")
    done = wct("run", "a/scan.yaml", "--resume", "run-a")
    assert done.code == 5
    assert "the runbook has changed since run run-a" in done.err
    assert wct("run", os.fspath(two.path / "a/scan.yaml"), "--resume", "run-a").code == 5
    assert wct("run", "a/scan.yaml", "--resume", "run-a", "--allow-changed", "-q").code == 0


@pytest.mark.parametrize(
    "text",
    [
        "artifacts: [",
        "artifacts:\n  one: {source: {type: nowhere}}\n",
        "params: {x: {type: string}}\nartifacts:\n  one: {source: {type: command}}\n",
    ],
)
def test_an_edited_runbook_that_no_longer_plans_is_changed(two: Place, wct: Wct, text: str) -> None:
    (two.path / "a/scan.yaml").write_text(text)
    done = wct("run", "a/scan.yaml", "--resume", "run-a")
    assert done.code == 5, done.err
    assert "the runbook has changed since run run-a; resume refused" in done.err
    assert "it cannot be planned any more" in done.err
    assert "`wct validate a/scan.yaml`" in done.err
    assert wct("run", "a/scan.yaml", "--resume", "run-a", "--allow-changed").code in (2, 3)
    assert wct("runs", "resume", "run-a").code == 0


def test_a_child_that_is_gone_or_broken_is_changed(place: Place, wct: Wct) -> None:
    place.runbook("kid.yaml", VALUE % "kid", "outputs: {it: {artifact: one}}")
    place.runbook("top.yaml", "\n  top: {child_runbook: {path: kid.yaml, output: it}}\n")
    assert wct("run", "top.yaml", "-q", "--run-id", "r").code == 0
    kid = place.path / "kid.yaml"
    for text in ("artifacts: [", None):
        if text is None:
            kid.unlink()
        else:
            kid.write_text(text)
        done = wct("run", "top.yaml", "--resume", "r")
        assert done.code == 5, done.err
        assert "the child runbook kid.yaml has changed since run r" in done.err


def test_a_long_list_of_changes_says_how_many_more(place: Place, wct: Wct) -> None:
    def book(word: str) -> str:
        one = "  a%d" + VALUE.strip()[3:] + "\n"
        return place.runbook("many.yaml", "".join(one % (n, word) for n in range(25)))

    assert wct("run", book("old"), "-q", "--run-id", "r").code == 0
    done = wct("run", book("new"), "--resume", "r")
    assert done.code == 5
    assert done.err.count("  changed: ") == 20
    assert "and 5 more" in done.err
    assert "touches completed: a0, a1" in done.err
