"""A redaction under faults: killed, and without space, at each kind of operation.

Whatever happens: nothing is shown as altered, no finding is lost, and what the journal says is
redacted is gone as soon as the next command holds the run.
"""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import RUN, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import journal, leftovers
from redaction_kit import COMPONENTS, CONTENT, EVIDENCE, FOUND
from step_kinds import broken_at, chosen

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(1800)]

BOOK = f"""{FOUND}
  count: {{inputs: findings, process: {{type: python, properties: {{call: "hidden.py:count"}}}}}}
"""
COPY = """
artifacts:
  again: {reuse: {from_run: main, artifact: rows}}
  found: {reuse: {from_run: main, artifact: findings}}
"""
ORIGINALS = {"rows.json", "rows.jsonl", "one.json"}


@pytest.fixture(scope="module")
def folder(bench: Bench) -> Path:
    made = bench.folder / "redactions"
    made.mkdir()
    for name, text in (("hidden.py", COMPONENTS), ("book.yaml", BOOK), ("copy.yaml", COPY)):
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def template(bench: Bench, folder: Path) -> Shelf:
    """A store with a run that holds source content and evidence, and one with copies of both."""
    shelf = bench.shelf()
    for job in (shelf.start(), shelf.wct("run", "copy.yaml", "--run-id", "copy")):
        done = carry_out(bench.script, replace(job, cwd=folder))
        assert done.code == 0, done.err
    assert holding(shelf, CONTENT) == {
        f"{RUN}/rows.jsonl",
        f"{RUN}/one.json",
        "copy/again.jsonl",
    }
    assert holding(shelf, EVIDENCE) == {f"{RUN}/findings.jsonl", "copy/found.jsonl"}
    bench.warm_up(redact(bench.shelf(shelf.path), folder))
    return shelf


def redact(shelf: Shelf, folder: Path, plan: Plan | None = None) -> Job:
    words = ("runs", "redact", RUN, "--yes", "--reason", "why")
    return replace(shelf.wct(*words, plan=plan), cwd=folder)


def holding(shelf: Shelf, mark: bytes) -> set[str]:
    """Return the files of runs that hold `mark`."""
    runs = shelf.path / ".waivern" / "runs"
    paths = [path for path in runs.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(runs).as_posix() for path in paths if mark in path.read_bytes()}


def redacted(run: Path) -> set[str]:
    """Return the artifacts that the journal says are redacted."""
    events = [line.event for line in journal(run)]
    return {event["artifact"] for event in events if event["type"] == "artifact_redacted"}


def identities(path: Path) -> list[Any]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [(each["id"], each["locations"][0]["row"]) for each in found]


def true_after(shelf: Shelf) -> None:
    """Check that both runs can be read, and that nothing in them looks altered."""
    store = LocalFilesystemStore(shelf.path / ".waivern")
    rows = shelf.rows()
    for run_id in (RUN, "copy"):
        row = rows[run_id]
        assert (row.status, row.fault) == ("completed", None)
        assert not verify(store, run_id).faults
        run = shelf.run.with_name(run_id)
        assert set(row.metadata.redacted if row.metadata else ()) <= redacted(run)


def gone(shelf: Shelf, run_id: str) -> None:
    """Check that nothing is left of what the journal of a run says is redacted."""
    names = redacted(shelf.run.with_name(run_id))
    left = holding(shelf, CONTENT) | holding(shelf, EVIDENCE)
    assert not {
        path for path in left if path.partition(".json")[0] in {f"{run_id}/{n}" for n in names}
    }


def recovered(bench: Bench, folder: Path, shelf: Shelf, number: int) -> None:
    """Let the next holder complete it; then repeat the command, and check that all is gone."""
    if number % 2:  # a resume finds nothing else to do
        resumed = carry_out(bench.zygote, replace(shelf.resume(), cwd=folder))
        assert resumed.code == 0, resumed.err
        gone(shelf, RUN)
        true_after(shelf)
    again = carry_out(bench.zygote, redact(shelf, folder))
    assert again.code == 0, again.err
    assert holding(shelf, CONTENT) == holding(shelf, EVIDENCE) == set()
    assert redacted(shelf.run) == {"rows", "one", "findings"}
    for path in (shelf.run / "findings.jsonl", shelf.run.with_name("copy") / "found.jsonl"):
        assert identities(path) == [(str(n), n) for n in range(1200)]
    true_after(shelf)
    store = LocalFilesystemStore(shelf.path / ".waivern")
    assert not verify(store, RUN).notes
    assert leftovers(shelf) == []
    count = json.loads((shelf.run / "count.json").read_text())
    assert count["content"] == {"count": 1200}


@pytest.mark.parametrize(
    ("what", "plan"),
    [
        ("kill", Plan("kill")),
        ("no space, once", Plan("error", number=errno.ENOSPC)),
        ("no space, from then on", Plan("error", number=errno.ENOSPC, persistent=True)),
    ],
)
def test_a_redaction_broken_at_each_kind_of_operation(
    bench: Bench, folder: Path, template: Shelf, tried: Count, what: str, plan: Plan
) -> None:
    def point(number: int) -> bool:
        shelf = template.copy()
        done = carry_out(bench.zygote, redact(shelf, folder, replace(plan, ordinal=number)))
        honest(done)
        true_after(shelf)
        if done.code == 0:
            gone(shelf, RUN)
        recovered(bench, folder, shelf, number)
        shelf.clear()
        return done.broke is not None

    steps = carry_out(bench.zygote, redact(template.copy(), folder, Plan(trace=True))).steps
    points = broken_at(bench, chosen(steps), point)
    tried(f"{what}: a redaction, at each kind of operation", points)


def honest(done: Done) -> None:
    assert "internal error" not in done.err, done.err
    assert "Traceback" not in done.err, done.err
