"""A source that is read by reference: nothing of it is stored, and what changes is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

MARK = "qzxv"
"""Letters that only the source holds: in each address, and in the text around it."""
SCAN = """
  files: {{source: {{type: filesystem, properties: {{path: data}}}}{more}}}
  edit: {{after: files, source: {{type: python, properties: {{call: "edit.py:edit"}}}}}}
  findings: {{after: edit, inputs: files, process: {{type: personal_data}}}}
"""
EDIT = """
import os, pathlib, shutil

def edit():
    data = pathlib.Path(__file__).parent / "data"
    b = data / "b.txt"
    {change}
    return {{}}
"""
NOTHING = "pass"


def text(name: str) -> str:
    return f"{MARK} writes to {MARK}.{name}@example.org today.\n"


def project(place: Place, change: str = NOTHING, more: str = "") -> None:
    """Write three files, and a runbook that searches them after `change` has been executed."""
    data = place.path / "data"
    data.mkdir()
    for name in ("a", "b", "c"):
        (data / f"{name}.txt").write_text(text(name))
    (place.path / "edit.py").write_text(EDIT.format(change=change))
    place.runbook("scan.yaml", SCAN.format(more=more))


def artifact(place: Place, name: str, run_id: str = "one") -> dict[str, Any]:
    found = json.loads((place.path / ".waivern" / "runs" / run_id / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def searched(place: Place, run_id: str = "one") -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files with findings, and what the search could not examine, with the reason."""
    found = artifact(place, "findings", run_id)
    files = [each["locations"][0]["file"] for each in found["content"]["findings"]]
    skipped = found["extensions"]["coverage"]["items"]
    return files, [(each["item"], each["reason"]) for each in skipped]


def holding(store: Path) -> list[str]:
    """Return the files of a store that hold text of the source."""
    paths = [path for path in store.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(store)) for path in paths if MARK.encode() in path.read_bytes()]


def test_no_file_of_the_store_holds_text_of_the_source(place: Place, wct: Wct) -> None:
    project(place)
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert searched(place) == (["a.txt", "b.txt", "c.txt"], [])
    assert wct("run", "scan.yaml", "--run-id", "cached").code == 0
    assert wct("run", "scan.yaml", "--run-id", "two", "--no-cache").code == 0
    assert holding(place.path / ".waivern") == []
    assert MARK not in wct("inspect", "one/files").out
    entry = artifact(place, "files")["content"]["files"][0]
    assert (entry["path"], entry["size"]) == ("a.txt", len(text("a")))
    assert entry["digest"].startswith("sha256:")


def test_a_failed_search_leaves_no_text_of_the_source(place: Place, wct: Wct) -> None:
    project(place)
    book = SCAN.format(more="") + "  worse: {inputs: files, process: {type: python, %s}}\n"
    (place.path / "worse.py").write_text(
        "def worse(inputs):\n    raise ValueError(f'{len(inputs[0][\"files\"])} files')\n"
    )
    place.runbook("scan.yaml", book % 'properties: {call: "worse.py:worse"}')
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 1
    assert "3 files" in done.out
    assert holding(place.path / ".waivern") == []


def test_content_is_stored_if_the_runbook_says_so(place: Place, wct: Wct) -> None:
    project(place, more=", keep: content")
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert holding(place.path / ".waivern") == ["runs/one/files.json"]


def test_what_a_processor_copies_is_held_and_can_be_redacted(place: Place, wct: Wct) -> None:
    project(place)
    (place.path / "same.py").write_text("def same(inputs):\n    return inputs[0]\n")
    text = SCAN.format(more="") + "  merged: {inputs: files}\n"
    text += "  all: {inputs: files, output_schema: file_set, process: {type: python, "
    place.runbook("scan.yaml", text + "properties: {call: 'same.py:same'}}}\n")
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    (row,) = wct("runs", "--json").data("runs")
    assert holding(place.path / ".waivern") == ["runs/one/all.json"]
    assert "all" in row["holds"]
    assert "merged" not in row["holds"]
    assert wct("runs", "redact", "one", "--yes").code == 0
    assert holding(place.path / ".waivern") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param("b.write_text('short')", "changed since it was listed", id="shrunk"),
        pytest.param(
            "b.write_text(b.read_text().replace('today', 'never'))",
            "changed since it was listed",
            id="replaced",
        ),
        pytest.param("b.unlink()", "vanished", id="vanished"),
        pytest.param("b.unlink(); b.mkdir()", None, id="a folder now"),
        pytest.param("b.unlink(); os.mkfifo(b)", None, id="a pipe now"),
        pytest.param("b.unlink(); b.symlink_to(data / 'a.txt')", None, id="a link now"),
    ],
)
def test_an_item_that_changed_is_named_and_not_searched(
    place: Place, change: str, reason: str | None
) -> None:
    project(place, change)
    done = place.wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 0, done.err
    files, skipped = searched(place)
    assert files == ["a.txt", "c.txt"]
    assert [item for item, _ in skipped] == ["b.txt"]
    assert reason in (None, skipped[0][1])
    size = len(text("a"))
    assert f"findings examined {2 * size} of {3 * size} bytes" in done.out


def test_a_step_that_reports_nothing_has_examined_what_it_was_given(place: Place) -> None:
    project(place, "b.unlink()")
    (place.path / "steps.py").write_text(LISTS)
    book = (place.path / "scan.yaml").read_text()
    step = '{type: python, properties: {call: "steps.py:paths"}}'
    (place.path / "scan.yaml").write_text(book.replace("{type: personal_data}", step))
    done = place.wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 0, done.err
    size = len(text("a"))
    assert f"findings examined {2 * size} of {3 * size} bytes (1 vanished)" in done.out


def test_a_file_that_grew_is_read_up_to_its_recorded_size(place: Place, wct: Wct) -> None:
    project(place, f"b.write_text(b.read_text() + {text('later')!r})")
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert searched(place) == (["a.txt", "b.txt", "c.txt"], [])
    assert artifact(place, "findings")["content"]["summary"]["findings"] == 3


def test_a_file_that_may_no_longer_be_read_is_named(place: Place) -> None:
    project(place, "b.chmod(0)")
    assert place.held_back("run", "scan.yaml", "--run-id", "one").code == 0
    assert searched(place) == (["a.txt", "c.txt"], [("b.txt", "denied")])


def test_a_change_fails_the_reader_if_the_runbook_says_so(place: Place, wct: Wct) -> None:
    project(place, "b.write_text('short')", more=", on_change: fail")
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 1
    assert "b.txt" in done.out
    assert "changed since it was listed" in done.out
    assert not (place.path / ".waivern" / "runs" / "one" / "findings.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("shutil.rmtree(data)", id="no folder any more"),
        pytest.param("data.rename(data.parent / 'was'); data.mkdir()", id="another folder now"),
        pytest.param("shutil.rmtree(data); data.write_text('x')", id="a file now"),
    ],
)
def test_a_root_that_is_something_else_now(place: Place, wct: Wct, change: str) -> None:
    """Each item is named, or the reader fails: nothing is reported as examined."""
    project(place, change)
    done = wct("run", "scan.yaml", "--run-id", "one")
    if done.code == 0:
        files, skipped = searched(place)
        assert files == []
        assert [item for item, _ in skipped] == ["a.txt", "b.txt", "c.txt"]
        assert "findings examined 0 of" in done.out
    else:
        assert done.code == 1
        assert "data" in done.out
    assert "Traceback" not in done.err


REUSE = """
  files: {reuse: {from_run: one, artifact: files}}
  findings: {inputs: files, process: {type: personal_data}}
"""


def test_a_reused_catalogue_says_which_items_have_changed(place: Place, wct: Wct) -> None:
    project(place)
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    (place.path / "data" / "b.txt").write_text("something else")
    (place.path / "data" / "new.txt").write_text(text("new"))
    place.runbook("again.yaml", REUSE)
    assert wct("run", "again.yaml", "--run-id", "two", "--no-cache").code == 0
    files, skipped = searched(place, "two")
    assert files == ["a.txt", "c.txt"]
    assert skipped == [("b.txt", "changed since it was listed")]


def test_an_unchanged_source_is_listed_anew_and_not_searched_again(place: Place, wct: Wct) -> None:
    project(place)
    for run_id in ("one", "two"):
        assert wct("run", "scan.yaml", "--run-id", run_id).code == 0
    steps = wct("inspect", "two", "--json").data("inspect")["steps"]
    assert {each["artifact"]: each["how"] for each in steps}["findings"] == "cached"
    (place.path / "data" / "b.txt").write_text(text("other"))
    assert wct("run", "scan.yaml", "--run-id", "three").code == 0
    steps = wct("inspect", "three", "--json").data("inspect")["steps"]
    assert {each["artifact"]: each["how"] for each in steps}["findings"] == "produced"
    assert searched(place, "three") == (["a.txt", "b.txt", "c.txt"], [])


FAILS_ONCE = "place = data.parent / 'tried'; new = not place.exists(); place.touch(); 1 / (not new)"


@pytest.mark.parametrize("move", [shutil.copytree, shutil.move])
def test_a_project_that_moved_is_resumed_where_it_is_now(
    place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch, move: Callable[[Path, Path], object]
) -> None:
    (place.path / "here").mkdir()
    here = Place(place.path / "here")
    project(here, FAILS_ONCE)
    monkeypatch.chdir(here.path)
    assert wct("run", "scan.yaml", "--run-id", "one").code == 1
    move(here.path, place.path / "there")
    there = Place(place.path / "there")
    monkeypatch.chdir(there.path)
    if here.path.exists():  # a copy: the original has changed since
        (here.path / "data" / "b.txt").write_text("something else")
    done = wct("run", "scan.yaml", "--resume", "one")
    assert done.code == 0, done.out + done.err
    assert searched(there) == (["a.txt", "b.txt", "c.txt"], [])


def test_a_resume_names_a_source_that_is_missing(place: Place, wct: Wct) -> None:
    project(place, FAILS_ONCE)
    assert wct("run", "scan.yaml", "--run-id", "one").code == 1
    shutil.move(place.path / "data", place.path / "elsewhere")
    done = wct("run", "scan.yaml", "--resume", "one")
    assert done.code != 0
    assert "data" in done.out + done.err
    assert "Traceback" not in done.err


LISTS = """
def paths(inputs):
    files = inputs[0]["files"]
    assert isinstance(files, list)
    return {"sizes": {each["path"]: len(each["text"]) for each in files}}
"""


def test_a_function_gets_the_list_with_its_texts(place: Place, wct: Wct) -> None:
    project(place)
    (place.path / "lists.py").write_text(LISTS)
    book = SCAN.format(more="") + "  sizes: {inputs: files, process: {type: python, %s}}\n"
    place.runbook("scan.yaml", book % 'properties: {call: "lists.py:paths"}')
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 0, done.out
    sizes = artifact(place, "sizes")["content"]["sizes"]
    assert sizes == {f"{name}.txt": len(text(name)) for name in ("a", "b", "c")}


TABLES = """
  tables: {source: {type: sqlite, properties: {path: shop.db}}}
  edit: {after: tables, source: {type: python, properties: {call: "edit.py:edit"}}}
  findings: {after: edit, inputs: tables, process: {type: personal_data}}
"""


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("SELECT 1", []),
        ("UPDATE b SET mail = 'nothing' WHERE id = 3", ["b"]),
        ("DROP TABLE b", ["b"]),
        ("ALTER TABLE b RENAME COLUMN mail TO post", ["b"]),
    ],
)
def test_a_table_that_changed_is_named_and_not_searched(
    place: Place, wct: Wct, statement: str, named: list[str]
) -> None:
    path = place.path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        for table in ("a", "b"):
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, mail TEXT)")
            rows = [(f"{MARK}.{n}@example.org",) for n in range(20)]
            db.executemany(f"INSERT INTO {table} (mail) VALUES (?)", rows)
        db.commit()
    change = f"import sqlite3; db = sqlite3.connect({str(path)!r}); db.execute({statement!r})"
    (place.path / "edit.py").write_text(EDIT.format(change=f"{change}; db.commit(); db.close()"))
    place.runbook("scan.yaml", TABLES)
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 0, done.out
    found = artifact(place, "findings")
    tables = {each["locations"][0]["table"] for each in found["content"]["findings"]}
    assert tables == {"a", "b"} - set(named)
    skipped = found["extensions"]["coverage"]["items"]
    assert [each["item"].partition(".")[0] for each in skipped] == named
    assert holding(place.path / ".waivern") == []
