"""The life of runs in a store, by the commands that a person types."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from harness import WCT

from waivern import load, run
from waivern.runs.verify import verify
from waivern.store.base import RunStore

RUNBOOK = """\
name: letters
artifacts:
  mail: {keep: content, source: {type: filesystem, properties: {path: mail}}}
  findings: {inputs: mail, process: {type: personal_data}}
  ask: {gate: {question: "Send it?", show: findings}}
  sent: {inputs: [findings, ask], process: {type: command, properties: {argv: [cat]}}}
"""
SCAN = """\
name: scan
artifacts:
  mail: {source: {type: filesystem, properties: {path: mail}}}
  findings: {inputs: mail, process: {type: personal_data}}
"""
CANARY = "ann.unmistakable@example.com"


def repeats(folder: Path, store: RunStore, executor: str) -> None:
    """Run a scan twice in a store; the second run is cached."""
    (folder / "mail").mkdir()
    for n in range(40):
        (folder / "mail" / f"{n}.txt").write_text(f"ann{n}@example.com\n" * 20)
    book = load(text=SCAN, folder=folder)
    first = run(book, store=store, run_id="first", executor=executor)
    assert (first.status, verify(store, "first").faults) == ("completed", ())
    second = run(book, store=store, run_id="second", executor=executor)
    assert {each.completed.how for each in second.steps if each.completed} >= {"cached"}
    assert verify(store, "second").faults == ()


def lives(folder: Path, url: str, redacted: Callable[[], None] = lambda: None) -> None:
    """Run, approve, repeat, replay, annotate, redact, copy, check and remove in a store.

    `redacted` is called when no source content may be left in it.
    """
    (folder / "mail").mkdir()
    (folder / "mail" / "a.txt").write_text(f"{CANARY}\n" * 500)
    (folder / "letters.yaml").write_text(RUNBOOK)

    def wct(*words: str, code: int = 0, stores: tuple[str, ...] = ("--store", url)) -> str:
        command = [WCT, *words, *stores]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    wct("run", "letters.yaml", "--run-id", "first", code=7)
    wct("runs", "approve", "first", "--by", "ada")
    wct("run", "letters.yaml", "--run-id", "second", code=7)
    assert "cached" in wct("runs", "inspect", "second", "--json")
    wct("runs", "replay", "first", "--run-id", "third", code=7)
    wct("runs", "cancel", "second")
    wct("runs", "cancel", "third")
    wct("runs", "tag", "first", "kept")
    assert wct("runs", "list", "--tag", "kept").split("\t")[0] == "first"
    wct("runs", "verify", "first", "second", "third")
    wct("store", "copy", url, "folder", stores=())
    wct("runs", "verify", "first", "second", "third", stores=("--store", "folder"))
    assert holds(folder / "folder"), "the canary is no canary"
    wct("runs", "redact", "first", "--yes")
    wct("runs", "redact", "second", "--yes")
    wct("runs", "redact", "third", "--yes")
    assert "redacted" in wct("runs", "verify", "first", "--json")
    wct("store", "check", url, stores=())
    wct("store", "copy", url, "redacted", stores=())
    assert not holds(folder / "redacted")
    redacted()
    wct("runs", "delete", "first", "second", "third", "--yes")
    assert wct("runs", "list") == ""
    wct("store", "copy", "folder", url, stores=())
    wct("runs", "verify", "first", "second", "third")


def holds(folder: Path) -> bool:
    """Return whether the canary is in a file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return any(CANARY.encode() in path.read_bytes() for path in files)
