"""A source that changed after it was listed: by reuse, by resume, and with cached results."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wct_process import Place, Wct

SCAN = """
  files: {source: {type: filesystem, properties: {path: data}}%s}
  findings: {inputs: files, process: {type: personal_data}}
"""
REUSE = """
  files: {reuse: {from_run: one, artifact: files}}
  findings: {inputs: files, process: {type: personal_data}}
"""


def text(name: str) -> str:
    return f"write to person.{name}@example.org today\n"


@pytest.fixture
def data(place: Place) -> Path:
    folder = place.path / "data"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(text(name))
    place.runbook("scan.yaml", SCAN % "")
    place.runbook("reuse.yaml", REUSE)
    return folder


def folder_of(place: Place, run_id: str) -> Path:
    return place.path / ".waivern/runs" / run_id


def artifact(place: Place, name: str, run_id: str) -> dict[str, Any]:
    found = json.loads((folder_of(place, run_id) / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def searched(place: Place, run_id: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files with findings, and what the search could not examine, with the reason."""
    found = artifact(place, "findings", run_id)
    files = [each["locations"][0]["file"] for each in found["content"]["findings"]]
    skipped = found["extensions"]["coverage"]["items"]
    return files, [(each["item"], each["reason"]) for each in skipped]


def step(wct: Wct, run_id: str, name: str = "findings") -> dict[str, Any]:
    steps = wct("inspect", run_id, "--json").data("inspect")["steps"]
    (found,) = (each for each in steps if each["artifact"] == name)
    assert isinstance(found, dict)
    return found


CHANGED = "changed since it was listed"


def test_a_reused_list_names_what_has_changed_also_with_cached_results(
    place: Place, wct: Wct, data: Path
) -> None:
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert wct("run", "reuse.yaml", "--run-id", "same").code == 0
    assert step(wct, "same")["how"] == "cached"
    (data / "b.txt").write_text(text("other"))
    for run_id, more in (("cached", []), ("fresh", ["--no-cache"])):
        done = wct("run", "reuse.yaml", "--run-id", run_id, *more)
        assert done.code == 0
        assert searched(place, run_id) == (["a.txt", "c.txt"], [("b.txt", CHANGED)])
        size = len(text("a"))
        assert f"findings examined {2 * size} of {len(text('b')) + 2 * size} bytes" in done.out
    assert (
        artifact(place, "findings", "cached")["content"]
        == (artifact(place, "findings", "fresh")["content"])
    )
    completed = [
        json.loads(line)["event"]
        for line in (folder_of(place, "cached") / "_system/events.jsonl").read_text().splitlines()
    ]
    (items,) = (each["items"] for each in completed if each.get("items"))
    assert (items["total"], items["taken"]) == (3, 2), "those that have not changed are taken"
    (data / "b.txt").write_text(text("b"))
    assert wct("run", "reuse.yaml", "--run-id", "back").code == 0
    assert step(wct, "back")["how"] == "cached"


@pytest.mark.parametrize("change", ["grown", "vanished", "folder"])
def test_other_changes(place: Place, wct: Wct, data: Path, change: str) -> None:
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    if change == "grown":
        (data / "b.txt").write_text(text("b") + text("later"))
    elif change == "vanished":
        (data / "b.txt").unlink()
    else:
        data.rename(place.path / "was")
        data.mkdir()
        for name in ("a", "c"):
            (place.path / "was" / f"{name}.txt").rename(data / f"{name}.txt")
    assert wct("run", "reuse.yaml", "--run-id", "two").code == 0
    if change == "grown":  # what was listed of it is still there
        assert step(wct, "two")["how"] == "cached"
        assert searched(place, "two") == (["a.txt", "b.txt", "c.txt"], [])
    else:
        assert searched(place, "two") == (["a.txt", "c.txt"], [("b.txt", "vanished")])


def test_a_forecast_says_that_a_reused_list_has_changed(place: Place, wct: Wct, data: Path) -> None:
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert wct("run", "reuse.yaml", "--run-id", "two").code == 0

    def forecast() -> tuple[str, str]:
        rows = wct("plan", "reuse.yaml", "--json").data("plan")["artifacts"]
        (row,) = (each for each in rows if each["artifact"] == "findings")
        return row["action"], row["reason"]

    assert forecast()[0] == "cached"
    (data / "b.txt").write_text(text("other"))
    action, reason = forecast()
    assert action == "produce"
    assert "input files: 1 item is not what was listed" in reason


def test_a_resume_does_not_take_results_of_what_has_changed(
    place: Place, wct: Wct, data: Path
) -> None:
    place.runbook("scan.yaml", SCAN % "" + "  gate: {gate: {question: Well?, show: files}}\n")
    book = (
        (place.path / "scan.yaml")
        .read_text()
        .replace("inputs: files,", "inputs: files, after: gate,")
    )
    (place.path / "scan.yaml").write_text(book)
    assert wct("run", "scan.yaml", "-q", "--run-id", "one").code == 7
    place.runbook("all.yaml", SCAN % "")
    assert wct("run", "all.yaml", "-q", "--run-id", "two").code == 0
    (data / "b.txt").write_text(text("other"))
    assert wct("runs", "approve", "one", "--by", "ann", "-q").code == 0
    assert searched(place, "one") == (["a.txt", "c.txt"], [("b.txt", CHANGED)])


def test_a_table_of_a_reused_list(place: Place, wct: Wct, data: Path) -> None:
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        for table in ("a", "b"):
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, mail TEXT)")
            db.executemany(
                f"INSERT INTO {table} (mail) VALUES (?)",
                [(f"person.{n}@example.org",) for n in range(20)],
            )
        db.commit()
    source = "{source: {type: sqlite, properties: {path: shop.db}}}"
    place.runbook(
        "scan.yaml",
        SCAN.replace(
            "files: {source: {type: filesystem, properties: {path: data}}%s}", f"files: {source}"
        ),
    )
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    assert wct("run", "reuse.yaml", "--run-id", "same").code == 0
    assert step(wct, "same")["how"] == "cached"
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        db.execute("UPDATE b SET mail = 'nothing' WHERE id = 3")
        db.commit()
    assert wct("run", "reuse.yaml", "--run-id", "two").code == 0
    found = artifact(place, "findings", "two")
    assert {each["locations"][0]["table"] for each in found["content"]["findings"]} == {"a"}
    assert [
        each["item"].partition(".")[0] for each in found["extensions"]["coverage"]["items"]
    ] == ["b"]


EDIT = """
import pathlib

def edit():
    b = pathlib.Path(__file__).parent / "data" / "b.txt"
    if "first" in b.read_text():
        b.write_text("now write to another.person@example.org")
    return {}
"""
STRICT = """
  files: {source: {type: filesystem, properties: {path: data}}, on_change: fail}
  edit: {after: [files%s], source: {type: python, properties: {call: "edit.py:edit"}}}
  findings: {after: edit, inputs: files, process: {type: personal_data}}
"""
SIZES = """
  sizes: {inputs: files, process: {type: python, properties: {call: "sizes.py:sizes"}}}
"""


def strict(place: Place, data: Path, more: str = "", after: str = "") -> None:
    (data / "b.txt").write_text("first\n")
    (place.path / "edit.py").write_text(EDIT)
    (place.path / "sizes.py").write_text(
        "def sizes(inputs):\n    return [len(each['text']) for each in inputs[0]['files']]\n"
    )
    place.runbook("scan.yaml", STRICT % after + more)


def test_a_resume_lists_a_changed_source_again(place: Place, wct: Wct, data: Path) -> None:
    """The strict reader failed; nothing was derived from the old list."""
    strict(place, data)
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 1
    assert f"'b.txt' of input 'files': {CHANGED}" in done.out
    rows = wct("plan", "scan.yaml", "--resume", "one", "--json").data("plan")["artifacts"]
    reasons = {each["artifact"]: each["reason"] for each in rows}
    assert reasons["files"] == "its source has changed since it was listed"
    done = wct("runs", "resume", "one")
    assert done.code == 0, done.out
    assert searched(place, "one") == (["a.txt", "b.txt", "c.txt"], [])
    assert wct("runs", "verify", "one").code == 0


def test_a_list_on_which_results_depend_is_renewed_on_demand(
    place: Place, wct: Wct, data: Path
) -> None:
    strict(place, data, SIZES, ", sizes")
    done = wct("run", "scan.yaml", "--run-id", "one")
    assert done.code == 1
    assert "wct runs resume one --refresh files" in done.out + done.err
    before = artifact(place, "sizes", "one")["content"]
    assert wct("runs", "resume", "one").code == 1
    assert artifact(place, "sizes", "one")["content"] == before
    done = wct("runs", "resume", "one", "--refresh", "files")
    assert done.code == 0, done.out
    assert artifact(place, "sizes", "one")["content"] != before
    assert searched(place, "one") == (["a.txt", "b.txt", "c.txt"], [])


def test_a_strict_reader_of_a_reused_list(place: Place, wct: Wct, data: Path) -> None:
    place.runbook("scan.yaml", SCAN % ", on_change: fail")
    assert wct("run", "scan.yaml", "--run-id", "one").code == 0
    (data / "b.txt").write_text(text("other"))
    done = wct("run", "reuse.yaml", "--run-id", "two")
    assert done.code == 1, "a cached result would hide the change"
    assert "run the runbook of the reused run again" in done.out + done.err
    assert wct("run", "scan.yaml", "--run-id", "three").code == 0
    place.runbook("reuse.yaml", REUSE.replace("one", "three"))
    assert wct("run", "reuse.yaml", "--run-id", "four").code == 0
