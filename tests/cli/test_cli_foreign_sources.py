"""Catalogues of another store's runs, and forged ones: nothing is read that nobody agreed to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wct_process import Done, Place, Wct

import waivern
from waivern.message import content_digest, sha256
from waivern.store.journal import JournalChain

SECRET = "letter to private.person@example.org\n"
SCAN = """
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  edit: {after: files, source: {type: python, properties: {call: "edit.py:edit"}}}
  findings: {after: edit, inputs: files, process: {type: personal_data}}
"""
REUSE = """
artifacts:
  files: {reuse: {from_run: r, artifact: files}}
  findings: {inputs: files, process: {type: personal_data}}
"""
Change = Callable[[dict[str, Any]], object]
Inside = Callable[..., Done]
"""Carries out a command line in the folder of a place, in this process."""


@pytest.fixture
def inside(wct: Wct, monkeypatch: pytest.MonkeyPatch) -> Inside:
    def call(place: Place, *args: str) -> Done:
        monkeypatch.chdir(place.path)
        return wct(*args)

    return call


def nothing(_document: dict[str, Any]) -> None:
    """Change nothing."""


def forge(run: Path, change: Change = nothing, claim: Change = nothing) -> None:
    """Change a catalogue and the event that completed it, and make all digests right again."""
    path, system = run / "files.json", run / "_system"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    chain, events = JournalChain(), []
    for line in (system / "events.jsonl").read_text().splitlines():
        event = json.loads(line)["event"]
        if event.get("artifact") == "files" and event["type"] == "artifact_completed":
            data = path.read_bytes()
            event |= {"size": len(data), "digest": sha256(data)}
            event["content_digest"] = content_digest(document["content"])
            claim(event)
        events.append(event)
    (system / "events.jsonl").write_bytes(chain.extend(events))
    record = json.loads((system / "run.json").read_text())
    record["journal"] = {"count": chain.count, "head": chain.head}
    (system / "run.json").write_text(json.dumps(record))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder with a file of the same name, size and digest as the listed one."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.txt").write_text(SECRET)
    return tmp_path / "private"


@pytest.fixture
def theirs(tmp_path: Path, inside: Inside) -> Place:
    """A project with the run `r`, whose search failed after its source was listed."""
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.txt").write_text(SECRET)
    (folder / "edit.py").write_text("def edit():\n    raise ValueError('stopped')\n")
    (folder / "scan.yaml").write_text(SCAN)
    place = Place(folder)
    assert inside(place, "run", "scan.yaml", "-q", "--run-id", "r").code == 1
    return place


def received(theirs: Place) -> Place:
    """Return a project that the run was copied into."""
    ours = theirs.path.parent / "ours"
    (ours / ".waivern/runs").mkdir(parents=True)
    shutil.copytree(theirs.run_folder(), ours / ".waivern/runs/r")
    (ours / "reuse.yaml").write_text(REUSE)
    return Place(ours)


def aim(at: Path) -> Change:
    """Return a change that has a catalogue name another folder."""

    def change(document: dict[str, Any]) -> None:
        origin = {"base": "/", "below": None, "properties": {"path": str(at)}}
        document["extensions"]["catalogue"] |= origin

    return change


def reused(inside: Inside, place: Place, *more: str) -> Done:
    return inside(place, "run", "reuse.yaml", "--run-id", "mine", *more)


def test_what_a_foreign_catalogue_names_is_shown_and_not_read(
    theirs: Place, inside: Inside, secret: Path
) -> None:
    forge(theirs.run_folder(), aim(secret))
    ours = received(theirs)
    done = reused(inside, ours, "-q")
    assert done.code == 5
    assert "run r was begun in another store" in done.err
    assert f'files  filesystem  {{"path": "{secret}"}}  in /' in done.err
    assert "--trust-run" in done.err
    assert not (ours.path / ".waivern/runs/mine").exists()
    shutil.rmtree(theirs.path)
    done = reused(inside, ours, "-q", "--trust-run")
    assert done.code == 0, done.err
    assert str(secret) in done.err
    findings = json.loads((ours.path / ".waivern/runs/mine/findings.json").read_text())
    assert findings["content"]["summary"]["findings"] == 1


def test_a_yes_on_a_terminal_is_trust(theirs: Place, secret: Path) -> None:
    forge(theirs.run_folder(), aim(secret))
    ours = received(theirs)
    words = ("run", "reuse.yaml", "-q", "--run-id", "mine")
    assert ours.on_a_terminal(*words, answer="n\n").code == 5
    assert not (ours.path / ".waivern/runs/mine").exists()
    done = ours.on_a_terminal(*words, answer="y\n")
    assert (done.code, str(secret) in done.out) == (0, True)


def test_what_was_trusted_once_is_reused_without_a_word(theirs: Place, inside: Inside) -> None:
    ours = received(theirs)
    assert reused(inside, ours, "-q", "--trust-run").code == 0
    (ours.path / "reuse.yaml").write_text(REUSE.replace("from_run: r,", "from_run: mine,"))
    assert inside(ours, "run", "reuse.yaml", "-q").code == 0


def test_in_python(theirs: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = received(theirs)
    monkeypatch.chdir(ours.path)
    with pytest.raises(waivern.RefusedError, match="names sources that are read here"):
        waivern.run("reuse.yaml", run_id="mine")
    assert waivern.forecast("reuse.yaml")  # which reads nothing of it
    assert waivern.run("reuse.yaml", run_id="mine", trust_run=True).status == "completed"


def test_results_of_a_foreign_run_are_reused_without_a_word(theirs: Place, inside: Inside) -> None:
    """They name nothing that is read."""
    (theirs.path / "edit.py").write_text("def edit():\n    return {}\n")
    assert inside(theirs, "run", "scan.yaml", "-q", "--resume", "r").code == 0
    ours = received(theirs)
    (ours.path / "reuse.yaml").write_text(
        "artifacts:\n  findings: {reuse: {from_run: r, artifact: findings}}\n"
    )
    assert reused(inside, ours, "-q").code == 0


def test_an_item_of_a_foreign_catalogue_is_not_shown(
    theirs: Place, inside: Inside, secret: Path
) -> None:
    forge(theirs.run_folder(), aim(secret))
    ours = received(theirs)
    show = ("inspect", "r/files", "--show", "1", "--base", ".")
    done = inside(ours, *show)
    assert (done.code, done.out) == (5, "")
    assert f'files  filesystem  {{"path": "{secret}"}}  in /' in done.err
    assert "--trust-run" in done.err
    assert not (ours.path / ".waivern/access.jsonl").exists()
    assert inside(ours, *show, "--trust-run").out == SECRET


def resumable(theirs: Place) -> Place:
    """Return one's own project with the received run, its runbook and its source."""
    ours = received(theirs)
    shutil.copytree(theirs.path / "data", ours.path / "data")
    (ours.path / "scan.yaml").write_text(SCAN)
    (ours.path / "edit.py").write_text("def edit():\n    return {}\n")
    return ours


def test_a_resumed_foreign_run_names_what_its_runbook_does_not_say(
    theirs: Place, inside: Inside, secret: Path
) -> None:
    """The runbook is one's own, so that its code is not asked about."""
    forge(theirs.run_folder(), aim(secret))
    ours = resumable(theirs)
    resume = ("run", "scan.yaml", "-q", "--resume", "r")
    done = inside(ours, *resume)
    assert done.code == 5
    assert f'files  filesystem  {{"path": "{secret}"}}  in /' in done.err
    assert inside(ours, *resume, "--trust-run").code == 0


def test_a_resumed_foreign_run_as_it_was_asks_nothing(theirs: Place, inside: Inside) -> None:
    ours = resumable(theirs)
    shutil.rmtree(theirs.path)
    done = inside(ours, "run", "scan.yaml", "-q", "--resume", "r")
    assert done.code == 0, done.err


LIES: dict[str, Change] = {
    "a base that is relative": lambda origin: origin.update(base="data"),
    "a base that is no text": lambda origin: origin.update(base=["/"]),
    "a way out of the project": lambda origin: origin.update(below="../../private"),
    "an absolute place": lambda origin: origin.update(below="/etc"),
    "a NUL": lambda origin: origin.update(base="/tmp\0/x"),
    "no connector": lambda origin: origin.pop("connector"),
    "properties that are none": lambda origin: origin.update(properties=["path"]),
    "another key": lambda origin: origin.update(more=1),
    "no part": lambda origin: origin.update(parts=[]),
    "a part that is none": lambda origin: origin.update(parts=["filesystem"]),
    "fewer entries than there are": lambda origin: origin.update(parts=[{**origin, "entries": 0}]),
    "more entries than there are": lambda origin: origin.update(parts=[{**origin, "entries": 2}]),
    "a negative number of entries": lambda origin: origin.update(
        parts=[{**origin, "entries": 2}, {**origin, "entries": -1}]
    ),
    "another policy": lambda origin: origin.update(on_change="ignore"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_catalogue_that_cannot_be_one_is_refused(theirs: Place, inside: Inside, lie: str) -> None:
    forge(theirs.run_folder(), lambda document: LIES[lie](document["extensions"]["catalogue"]))
    ours = received(theirs)
    for words in (
        ("run", "reuse.yaml", "-q", "--trust-run"),
        ("inspect", "r/files", "--show", "1", "--trust-run", "--base", "."),
    ):
        done = inside(ours, *words)
        assert done.code == 9, (words, done.err)
        assert "does not list a source as a catalogue does" in done.err
        assert "Traceback" not in done.err


ENTRIES: dict[str, Any] = {
    "above the source": {"path": "../private/a.txt"},
    "absolute": {"path": "/etc/passwd"},
    "a hidden way up": {"path": "a.txt", "path_bytes": b"../private/a.txt".hex()},
    "bytes that are none": {"path_bytes": "xyz"},
    "a link": {"path": "link.txt"},
    "below a link": {"path": "inside/a.txt"},
    "a NUL": {"path": "a\0.txt"},
    "no size": {"size": "many"},
    "a size with too few digests": {"size": 1 << 40},
    "another digest": {"digest": "sha256:" + "0" * 64},
    "an unknown encoding": {"encoding": "rot13"},
    "no name": {"path": 7},
    "names with line ends": {"path": "a.txt\n✔ findings  nothing found"},
}


@pytest.mark.parametrize("lie", ENTRIES)
def test_an_entry_that_leads_elsewhere_is_not_read(
    theirs: Place, inside: Inside, secret: Path, lie: str
) -> None:
    data = theirs.path / "data"
    (data / "link.txt").symlink_to(secret / "a.txt")
    (data / "inside").symlink_to(secret)
    forge(
        theirs.run_folder(), lambda document: document["content"]["files"][0].update(ENTRIES[lie])
    )
    ours = received(theirs)
    done = inside(ours, "run", "reuse.yaml", "--trust-run", "--run-id", "mine")
    shown = inside(
        ours, "inspect", "r/files", "--show", "1", "--trust-run", "--base", str(theirs.path)
    )
    assert "private.person" not in shown.out
    assert shown.code != 0
    for each in (done, shown):
        assert "Traceback" not in each.err
        assert "\n✔ findings  nothing found" not in each.out + each.err
    if done.code == 0:
        found = json.loads((ours.path / ".waivern/runs/mine/findings.json").read_text())
        assert found["content"]["summary"]["findings"] == 0
        assert found["extensions"]["coverage"]["skipped"] == 1
    else:
        assert done.code == 1


@pytest.mark.parametrize("keep", [None, "content"])
def test_a_journal_that_denies_a_catalogue(theirs: Place, inside: Inside, keep: str | None) -> None:
    forge(theirs.run_folder(), claim=lambda event: event.update(keep=keep))
    ours = received(theirs)
    done = inside(ours, "run", "reuse.yaml", "-q")
    assert done.code == 1
    assert "differ in whether it lists a source" in done.err + done.out
    assert inside(ours, "inspect", "r/files", "--show", "1", "--base", ".").code == 2


def test_a_catalogue_edited_by_hand_is_reported_as_altered(
    theirs: Place, inside: Inside, secret: Path
) -> None:
    """In its own store, too: the digest in the journal shows it."""
    path = theirs.run_folder() / "files.json"
    document = json.loads(path.read_text())
    aim(secret)(document)
    path.write_text(json.dumps(document))
    (theirs.path / "reuse.yaml").write_text(REUSE)
    assert reused(inside, theirs, "-q").code == 9
    assert inside(theirs, "inspect", "r/files", "--show", "1").code == 9
    (theirs.path / "edit.py").write_text("def edit():\n    return {}\n")
    assert inside(theirs, "run", "scan.yaml", "-q", "--resume", "r").code == 0
    rebuilt = json.loads(path.read_text())
    assert rebuilt["extensions"]["catalogue"]["properties"] == {"path": "data"}
