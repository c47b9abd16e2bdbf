"""`-o`: the folder holds the outputs of the last run and of no earlier one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from wct_process import Place

import waivern

pytestmark = pytest.mark.sweep

RECORD = ".waivern-output.json"
STEPS = """
import os

def value(x=1):
    return {"x": x}

def broken():
    raise ValueError("no luck")

def wander():
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    return {}
"""


def python(function: str, **args: object) -> str:
    return (
        f"{{type: python, properties: {{call: 'steps.py:{function}', args: {json.dumps(args)}}}}}"
    )


def book(place: Place, name: str = "book.yaml", **artifacts: str) -> str:
    place.runbook(name, "".join(f"  {id_}: {text}\n" for id_, text in artifacts.items()))
    (place.path / "steps.py").write_text(STEPS)
    return name


def output(function: str = "value", more: str = "", **args: object) -> str:
    return f"{{source: {python(function, **args)}, output: true{more}}}"


GATE = '{gate: {question: "Publish?", show: [a]}}'


def files(folder: Path) -> set[str]:
    """Return the files below a folder but for the record of what was delivered."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {RECORD}


def content(path: Path) -> object:
    return json.loads(path.read_text())["content"]


@pytest.mark.parametrize(
    "later",
    [
        {"a": output(), "b": output("broken", ", optional: true")},
        {"a": output(), "b": output("value", ', when: "params.x == 2"')},
        {"a": output(), "b": f"{{source: {python('value')}}}"},
        {"a": output()},
    ],
    ids=["failed", "skipped", "no longer an output", "gone"],
)
def test_what_an_earlier_run_delivered_is_removed(place: Place, later: dict[str, str]) -> None:
    assert place.quick("run", book(place, a=output(), b=output()), "-o", "answers").code == 0
    answers = place.path / "answers"
    (answers / "mine.txt").write_text("notes")
    assert files(answers) == {"a.json", "b.json", "mine.txt"}

    text = "params: {x: {type: integer, default: 1}}\n"
    name = book(place, **later)
    (place.path / name).write_text(text + (place.path / name).read_text())
    done = place.quick("run", name, "-o", "answers")
    assert done.code == 0, done.err
    assert files(answers) == {"a.json", "mine.txt"}
    assert "answers/b.json removed: it was written by an earlier run" in done.out
    missing = "b" in later and "output: true" in later["b"]
    assert ("b is missing: " in done.out) == missing


def test_json_names_what_was_removed_and_what_is_missing(place: Place) -> None:
    place.quick("run", book(place, a=output(), b=output()), "-o", "answers")
    name = book(place, a=output(), b=output("broken"))
    done = place.quick("run", name, "-o", "answers", "--json")
    data = done.data("run")
    assert done.code == 1
    assert data["outputs"] == ["answers/a.json"]
    assert data["output"] == {
        "folder": str(place.path / "answers"),
        "pending": False,
        "missing": {"b": "failed"},
        "removed": ["answers/b.json"],
        "retained": [],
        "error": None,
    }


def test_a_stale_file_that_somebody_edited_is_left_and_named(place: Place) -> None:
    place.quick("run", book(place, a=output(), b=output()), "-o", "answers")
    edited = place.path / "answers" / "b.json"
    edited.write_text("my notes")
    done = place.quick("run", book(place, a=output()), "-o", "answers")
    assert done.code == 0
    assert edited.read_text() == "my notes"
    assert "answers/b.json was written by an earlier run and edited since" in done.out


def test_two_runbooks_share_a_folder(place: Place) -> None:
    one, two = book(place, "one.yaml", a=output(x=1)), book(place, "two.yaml", b=output(x=2))
    for name in (one, two, one):
        assert place.quick("run", name, "-o", "answers").code == 0
    assert files(place.path / "answers") == {"a.json", "b.json"}


def test_ids_of_children_are_folders(place: Place) -> None:
    child = place.path / book(place, "child.yaml", end=output(x=3))
    child.write_text("outputs: {end: {artifact: end}}\n" + child.read_text())
    text = "{child_runbook: {path: child.yaml, output: end}, output: true}"
    assert place.quick("run", book(place, c=text), "-o", "answers").code == 0
    assert files(place.path / "answers") == {"c/end.json"}
    place.quick("run", book(place, a=output()), "-o", "answers")
    assert files(place.path / "answers") == {"a.json"}


def test_the_request_is_kept_until_the_run_completes(place: Place) -> None:
    name = book(place, a=output(), gate=GATE, end=output("value", ", after: gate", x=5))
    waits = place.quick("run", name, "-o", "answers")
    assert waits.code == 7
    assert "output     nothing yet: answers is written when the run has ended" in waits.out
    assert not (place.path / "answers").exists()
    done = place.quick("runs", "approve", "@last", "--by", "ann")
    assert done.code == 0, done.err
    assert files(place.path / "answers") == {"a.json", "end.json"}
    assert "answers/end.json" in done.out


def test_python_carries_out_what_was_requested(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = book(place, a=output(), gate=GATE, end=output("value", ", after: gate", x=5))
    monkeypatch.chdir(place.path)
    first = waivern.run(name, output="answers")
    assert first.outputs is not None
    assert first.outputs.pending
    decided = waivern.approve(f"{first.run_id}/gate", by="ann")
    assert decided.result is not None
    assert decided.result.outputs is not None
    assert [path.name for path in decided.result.outputs.copied] == ["a.json", "end.json"]
    assert files(place.path / "answers") == {"a.json", "end.json"}


def test_a_copied_project_delivers_into_itself(place: Place) -> None:
    project = place.path / "project"
    project.mkdir()
    inner = Place(project)
    name = book(inner, a=output(), gate=GATE, end=output("value", ", after: gate"))
    assert inner.wct("run", name, "-o", "answers").code == 7
    shutil.copytree(project, place.path / "copy", symlinks=True)
    copy = Place(place.path / "copy")
    (copy.path / "steps.py").write_text(STEPS)
    done = copy.wct("runs", "approve", "@last", "--by", "ann")
    assert done.code == 0, done.err
    assert files(copy.path / "answers") == {"a.json", "end.json"}
    assert not (project / "answers").exists()


def test_an_interrupted_run_delivers_when_it_is_resumed(place: Place) -> None:
    name = book(
        place,
        a=output(),
        wait="{after: a, source: {type: command, properties: "
        "{argv: [sh, -c, 'test -e go || kill -9 $PPID; echo 1']}}}",
    )
    assert place.wct("run", name, "-o", "answers").code == -9
    assert not (place.path / "answers").exists()
    (place.path / "go").write_text("")
    assert place.quick("run", name, "--resume", "@last").code == 0
    assert files(place.path / "answers") == {"a.json"}


def test_a_component_that_changes_the_folder_changes_nothing(place: Place) -> None:
    name = book(place, w=output("wander"))
    assert place.quick("run", name, "-o", "answers").code == 0
    assert files(place.path / "answers") == {"w.json"}


def test_nothing_is_replaced_when_one_output_cannot_be(place: Place) -> None:
    place.quick("run", book(place, a=output(x=1), b=output(x=1)), "-o", "answers")
    spoil = "{after: [a, b], source: {type: command, properties: {argv: [sh, -c, "
    spoil += "'until test -s .waivern/latest/b.json; do sleep 0.01; done; "
    spoil += "echo >> .waivern/latest/b.json; echo 1']}}}"
    name = book(place, a=output(x=2), b=output(x=2), spoil=spoil)
    done = place.quick("run", name, "-o", "answers")
    assert done.code == 9
    answers = place.path / "answers"
    assert content(answers / "a.json") == {"x": 1}
    assert files(answers) == {"a.json", "b.json"}, "no staged file is left"


def test_a_record_that_names_other_files_removes_nothing(place: Place) -> None:
    place.quick("run", book(place, a=output()), "-o", "answers")
    record = place.path / "answers" / RECORD
    document = json.loads(record.read_text())
    (entry,) = document["runbooks"].values()
    victim = place.path / "victim.json"
    victim.write_text("{}\n")
    digest = "sha256:" + hashlib.sha256(b"{}\n").hexdigest()
    entry["files"] |= {"../victim.json": digest, str(victim): digest, "x": "y"}
    record.write_text(json.dumps(document))
    assert place.quick("run", book(place, a=output()), "-o", "answers").code == 0
    assert victim.exists()
    record.write_text("[" * 100_000)
    assert place.quick("run", book(place, a=output()), "-o", "answers").code == 0


def test_a_folder_that_cannot_be_is_refused_before_the_run(place: Place) -> None:
    name = book(place, a=output())
    (place.path / "file").write_text("")
    (place.path / "dangling").symlink_to("nowhere")
    for folder in ("file", "file/below", "file/a/b", "dangling/x"):
        done = place.quick("run", name, "-o", folder)
        assert (done.code, f"-o '{folder}' is not a folder" in done.err) == (2, True)
    assert not (place.path / ".waivern").exists()
