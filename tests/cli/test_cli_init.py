"""`wct init`: a runbook that runs, for what a folder has, and never over a file that exists."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from wct_process import Place, Wct


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table people (email text)")
        db.execute("insert into people values ('ada@larkfield.org')")


@pytest.fixture
def folder(place: Place, wct: Wct) -> Path:
    root = place.path / "work"
    (root / "node_modules" / "x").mkdir(parents=True)
    (root / "node_modules" / "x" / "a.js").write_text("// jo@acme.io\n")
    (root / "notes.txt").write_text("Please write to ada@larkfield.org.\n")
    (root / "people.csv").write_text("name,email\nAda,ada@larkfield.org\n")
    (root / "app.py").write_text("def f(date_of_birth): ...\n")
    (root / "logo.png").write_bytes(b"\x89PNG\0\0\0\0")
    database(root / "shop.db")
    wct("runs")
    return root


def test_the_runbook_runs_and_finds_what_is_there(folder: Path, place: Place, wct: Wct) -> None:
    done = wct("init", "work")
    assert (done.code, done.rows) == (0, [["work/scan.yaml", "2", "1", "1"]])
    checked = wct("validate", "work/scan.yaml", "--json")
    (document,) = checked.data("validate")
    assert (document["valid"], document["warnings"]) == (True, [])
    assert document["keep"] == dict.fromkeys(("files", "code", "shop"), "reference")
    done = wct("run", "work/scan.yaml", "--json", "-q")
    assert done.code == 0, done.err
    state = json.loads((place.run_folder() / "_system" / "state.json").read_text())
    assert "shop_findings" in state["completed"]
    text = (place.run_folder() / "findings.json").read_text()
    assert "notes.txt" in text
    assert "people" in text
    assert "app.py" in text
    assert "scan.yaml" not in text
    assert "node_modules" not in text
    examined = (place.run_folder() / "files.json").read_text()
    assert "logo.png" in examined  # is reported as not examined


def test_a_terminal_shows_what_to_type_next(folder: Path, place: Place) -> None:
    shown = place.on_a_terminal("init", "work").out
    assert "reads   2 text files, 1 file of source code, 1 database" in shown
    assert "next:   wct run work/scan.yaml" in shown
    assert "leaves  node_modules" in shown


def test_a_file_that_exists_is_not_overwritten(folder: Path, wct: Wct) -> None:
    (folder / "scan.yaml").write_text("mine")
    done = wct("init", "work")
    assert (done.code, done.out) == (5, "")
    assert "exists, and is not overwritten" in done.err
    assert (folder / "scan.yaml").read_text() == "mine"
    assert wct("init", "work", "--file", "other.yaml").code == 0
    (folder / "link.yaml").symlink_to("/nowhere/x.yaml")
    assert wct("init", "work", "--file", "link.yaml").code == 5


def test_an_empty_folder_gets_a_runbook_too(place: Place, wct: Wct) -> None:
    wct("runs")
    (place.path / "empty").mkdir()
    assert wct("init", "empty").code == 0
    assert wct("run", "empty/scan.yaml", "-q").code == 0


def test_names_of_files_cannot_change_the_runbook(place: Place, wct: Wct) -> None:
    wct("runs")
    root = place.path / "a: [b] ${HOME} #x"
    root.mkdir()
    names = (
        "${HOME}.db",
        "x\ny: 1.db",
        "'q' \"r\" # [s].db",
        "_system.db",
        "code.db",
        "ü\u202e.db",
    )
    for name in names:
        database(root / name)
    (root / b"\xff.db".decode(errors="surrogateescape")).touch()
    (root / "a.tsv").write_text("a\tb\n")
    assert wct("init", str(root)).code == 0
    (document,) = wct("validate", str(root / "scan.yaml"), "--json").data("validate")
    assert (document["valid"], document["warnings"]) == (True, [])  # each path leads to a file
    assert document["artifacts"] == 3 + 2 * len(names)


@pytest.mark.parametrize("name", ["a/b.yaml", "../b.yaml", "b.txt", "\x1b.yaml"])
def test_the_name_is_one_of_a_yaml_file_here(place: Place, wct: Wct, name: str) -> None:
    wct("runs")
    assert wct("init", "--file", name).code == 2
    assert wct("init", "nowhere").code == 4
