"""Paths of stores: `~`, new ones, folders in which outputs must not land."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wct_process import Place, Wct

pytestmark = pytest.mark.sweep

BOOK = '  a: {source: {type: python, properties: {call: "steps.py:value"}}, output: true}\n'


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def stored(folder: Path) -> int:
    return len(list((folder / "runs").iterdir()))


def test_a_tilde_is_the_home_folder_wherever_a_path_is_given(place: Place, home: Path) -> None:
    head = "params: {n: {type: integer}}"
    book = place.runbook("b.yaml", BOOK, head)
    (home / "values.yaml").write_text("n: 1\n")
    (place.path / "waivern.yaml").write_text("persistence: {path: ~/by-project}\n")
    environ = {"HOME": str(home)}
    words = ("run", book, "--params", "~/values.yaml", "-q")
    assert place.quick(*words, "--store", "~/by-option", "-o", "~/out", **environ).code == 0
    assert place.quick(*words, WAIVERN_STORE="~/by-variable", **environ).code == 0
    assert place.quick(*words, WAIVERN_STORE="file:~/by-url", **environ).code == 0
    assert place.quick(*words, **environ).code == 0
    for name in ("by-option", "by-variable", "by-url", "by-project"):
        assert stored(home / name) == 1
    assert (home / "out/a.json").exists()
    assert not (place.path / "~").exists()


@pytest.mark.parametrize("form", [".waivern", "deep/er/.waivern", "~/new/.waivern"])
def test_a_new_store_for_programs(place: Place, home: Path, form: str) -> None:
    book = place.runbook("b.yaml", BOOK)
    code = (
        "import os, sys, waivern; from waivern.store.local import LocalFilesystemStore\n"
        "store = LocalFilesystemStore(sys.argv[1])\n"
        "result = waivern.run(sys.argv[2], store=store)\n"
        "os.chdir('/')\n"
        "print(result.status, len(store.runs()), store.path)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, form, str(place.path / book)],
        cwd=place.path,
        env=place.environ(HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    path = form.replace("~", str(home)) if form.startswith("~") else str(place.path / form)
    assert done.stdout.split() == ["completed", "1", path]


def test_a_new_store_is_announced_once(place: Place) -> None:
    book = place.runbook("b.yaml", BOOK)
    first, second = place.quick("run", book), place.quick("run", book)
    assert "new store: .waivern (--store PATH names another)" in first.err
    assert "new store" not in second.err
    assert "new store: elsewhere" in place.quick("run", book, "--store", "elsewhere").err


@pytest.mark.parametrize(
    "form",
    [".waivern", ".waivern/runs/r", ".waivern/runs/r/deep/er", "link", "other/.waivern", "copy"],
)
def test_outputs_must_not_land_where_runs_are_kept(place: Place, form: str) -> None:
    book = place.runbook("b.yaml", BOOK)
    assert place.quick("run", book, "--run-id", "r").code == 0
    run = place.path / ".waivern/runs/r"
    (place.path / "link").symlink_to(run)
    subprocess.run(["cp", "-r", run, place.path / "copy"], check=True)
    before = (run / "a.json").read_bytes()
    done = place.quick("run", book, "-o", form)
    assert done.code == 2, done.err
    assert "where runs are stored" in done.err
    assert (run / "a.json").read_bytes() == before
    assert place.run_ids() == ["r"]


@pytest.mark.parametrize(
    "other",
    ["ann\u200b", "a\u00adnn", "\uff21nn", "ANN", "ann\u2060", "ann\U000e0101", "a\u034fnn"],
)
def test_a_name_that_looks_the_same_is_no_second_approver(place: Place, other: str) -> None:
    gate = "  sure: {gate: {question: Sure?, show: a, approvers: 2}}\n"
    book = place.runbook("b.yaml", BOOK + gate)
    assert place.quick("run", book, "--run-id", "r", "-q").code == 7
    assert place.quick("runs", "approve", "r", "--by", "ann", "--no-resume").code == 0
    again = place.quick("runs", "approve", "r", "--by", other, "--no-resume")
    assert again.code == 5, again.out + again.err
    assert place.quick("runs", "approve", "r", "--by", "bob", "-q").code == 0


def test_a_name_that_shows_nothing_is_no_name(place: Place) -> None:
    gate = "  sure: {gate: {question: Sure?, show: a}}\n"
    book = place.runbook("b.yaml", BOOK + gate)
    assert place.quick("run", book, "--run-id", "r", "-q").code == 7
    assert place.quick("runs", "approve", "r", "--by", "\u200b\u3164").code == 2


def test_no_variable_of_the_environment_gets_into_the_journal(
    place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wct("run", place.runbook("b.yaml", BOOK), "--run-id", "r", "-q").code == 0
    for artifact in (
        "{reuse: {from_run: '${CANARY}', artifact: a}}",
        "{reuse: {from_run: r, artifact: '${CANARY}'}}",
        "{child_runbook: {path: '${CANARY}', output: a}}",
    ):
        book = place.runbook("c.yaml", f"  x: {artifact}\n")
        for value in ("r", "a", "b.yaml"):
            monkeypatch.setenv("CANARY", value)
            done = wct("run", book, "--run-id", "n")
            assert done.code == 3
            assert "c.yaml:3:" in done.err
            assert "it is recorded in the run" in done.err
    assert place.run_ids() == ["r"]
    text = wct("runs", "--json").data("runs")
    assert [row["run_id"] for row in json.loads(json.dumps(text))] == ["r"]


@pytest.mark.parametrize("option", ["--store", "-o"])
def test_the_home_of_an_unknown_user_is_refused(place: Place, option: str) -> None:
    name = place.runbook(
        "one.yaml", '  a: {source: {type: command, properties: {argv: [echo, "1"]}}}\n'
    )
    done = place.quick("run", name, option, "~nosuchuser/out")
    assert done.code == 2
    assert "'~nosuchuser' is not the home folder of a user" in done.err
    assert not (place.path / "~nosuchuser").exists()
