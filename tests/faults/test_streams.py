"""Streams and catalogues under faults: killed, and without space, at each kind of operation.

A run lists files, searches them, and yields more records than its artifact's own file holds. No
fault leaves half of the records visible, or any of them outside an artifact once the run has been
resumed; what was completed stays; and of the files' text nothing is ever in the store.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import ALL, RUN, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import Known, after_fault, after_resume, contents, is_new, leftovers
from step_kinds import broken_at, chosen

from waivern.errors import Exit
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(1800)]

MARK = b"qzxv"
"""In each file that is read by reference."""
RECORD = b"wxkj"
"""In each record."""
COMPONENTS = """
import os
from pydantic import BaseModel
from waivern.message import ANY_JSON

def note(name):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(name + "\\n")

class Config(BaseModel):
    pass

class Stream:
    name, version, produces = "stream", "1.0.0", ANY_JSON
    Config = Config
    def extract(self, config, ctx):
        note("records")
        for n in range(700):
            yield {"number": n, "text": "wxkj" * 250}

class Halve:
    name, version, accepts, produces = "halve", "1.0.0", None, ANY_JSON
    reads_streams = True
    Config = Config
    def process(self, inputs, config, ctx):
        note("half")
        for record in inputs[0].each("records"):
            if record["number"] % 2:
                yield record
"""
BOOK = """
name: book
artifacts:
  records: {source: {type: stream}}
  half: {inputs: records, process: {type: halve}}
  files: {source: {type: filesystem, properties: {path: data}}}
  findings: {inputs: files, process: {type: personal_data, properties: {types: [EMAIL_ADDRESS]}}}
"""
COUNTED = {"records", "half"}


@pytest.fixture(scope="module")
def folder(bench: Bench) -> Path:
    """A project with the runbook, its components and its source."""
    made = bench.folder / "streams"
    (made / "components").mkdir(parents=True)
    (made / "data").mkdir()
    for n in range(5):
        (made / "data" / f"{n}.txt").write_text(f"Write to qzxv.{n}@example.org about qzxv.\n")
    (made / "book.yaml").write_text(BOOK)
    (made / "waivern.yaml").write_text("component_paths: [components]\n")
    for name, kind in (("Stream", "connector"), ("Halve", "processor")):
        path = made / "components" / f"{name.lower()}.py"
        path.write_text(f"{COMPONENTS}\n{kind} = {name}\n")
    bench.warm_up(start(bench.shelf(), made))
    return made


def start(shelf: Shelf, folder: Path, plan: Plan | None = None) -> Job:
    return replace(shelf.start(plan), cwd=folder)


def again(shelf: Shelf, folder: Path, plan: Plan | None = None) -> Job:
    return replace(shelf.again(plan), cwd=folder)


def holding(shelf: Shelf, mark: bytes) -> set[str]:
    """Return the files of the store that hold `mark`."""
    store = shelf.path / ".waivern"
    paths = [path for path in store.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(store).as_posix() for path in paths if mark in path.read_bytes()}


PUBLISHED = {f"runs/{RUN}/records.jsonl", f"runs/{RUN}/half.jsonl"}


@pytest.fixture(scope="module")
def undisturbed(bench: Bench, folder: Path) -> dict[str, Any]:
    shelf = bench.shelf()
    done = carry_out(bench.script, start(shelf, folder))
    assert done.code == 0, done.err
    made = contents(shelf.run)
    assert made["records"]["records"]["count"] == 700
    assert made["half"]["records"]["count"] == 350
    assert made["findings"]["summary"]["findings"] == 5
    assert holding(shelf, RECORD) == PUBLISHED
    assert holding(shelf, MARK) == set()
    assert leftovers(shelf) == []
    return made


def recovered(
    bench: Bench, folder: Path, shelf: Shelf, known: Known, undisturbed: dict[str, Any]
) -> None:
    """Resume, and check that all is as without the fault, and nothing else is left."""
    after_resume(shelf, known, carry_out(bench.zygote, again(shelf, folder)), undisturbed)
    assert holding(shelf, RECORD) == PUBLISHED
    assert holding(shelf, MARK) == set()
    assert not verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN).faults


def half_visible(shelf: Shelf, known: Known) -> set[str]:
    """Return the files with records outside staging that belong to no completed artifact."""
    completed = known.story.completed if known.story else {}
    staged = f"runs/{RUN}/_system/staged/"
    found = {name for name in holding(shelf, RECORD) if not name.startswith(staged)}
    published = {f"runs/{RUN}/{name}.jsonl" for name in completed}
    return found - published


@pytest.mark.parametrize(
    ("what", "plan"),
    [
        ("before each kind of operation", Plan("kill")),
        ("in the middle of every write", Plan("tear", only="write", persistent=True)),
    ],
)
def test_a_kill(
    bench: Bench,
    folder: Path,
    undisturbed: dict[str, Any],
    tried: Count,
    what: str,
    plan: Plan,
) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        done = carry_out(bench.zygote, start(shelf, folder, replace(plan, ordinal=number)))
        if done.broke:
            known = after_fault(shelf, done)
            assert holding(shelf, MARK) == set()
            if is_new(shelf, known):
                recovered(bench, folder, shelf, known, undisturbed)
        else:
            assert done.code == 0, done.err
        shelf.clear()
        return done.broke is not None

    if plan.only is None:
        points = broken_at(bench, chosen(traced(bench, folder)), point)
    else:
        points = bench.sweep(point)
    tried(f"kill: a run with streams and a catalogue, {what}", points)


def traced(bench: Bench, folder: Path) -> list[tuple[str, str]]:
    return carry_out(bench.zygote, start(bench.shelf(), folder, Plan(trace=True))).steps


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("persistent", [False, True])
def test_an_operation_that_fails(
    bench: Bench,
    folder: Path,
    undisturbed: dict[str, Any],
    tried: Count,
    number: int,
    persistent: bool,
) -> None:
    def point(ordinal: int) -> bool:
        shelf = bench.shelf()
        plan = Plan("error", ordinal, number, persistent=persistent)
        done = carry_out(bench.zygote, start(shelf, folder, plan))
        if done.broke:
            held(bench, folder, shelf, done, undisturbed)
        else:
            assert done.code == 0, done.err
        shelf.clear()
        return done.broke is not None

    how = "from then on" if persistent else "once"
    every = 1 if number == errno.ENOSPC or ALL else 4  # of the others only the hint differs
    points = broken_at(bench, chosen(traced(bench, folder))[::every], point)
    tried(f"fail: streams and a catalogue, {errno.errorcode[number]} {how}", points)


def held(bench: Bench, folder: Path, shelf: Shelf, done: Done, undisturbed: dict[str, Any]) -> None:
    try:
        known = after_fault(shelf, done)
        assert "Traceback" not in done.err
        assert done.code in (Exit.OK, Exit.FAILED, Exit.STORE, Exit.INVALID)
        assert holding(shelf, MARK) == set()
        if is_new(shelf, known):
            recovered(bench, folder, shelf, known, undisturbed)
    except AssertionError as error:
        raise AssertionError(
            f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
        ) from error


def test_a_disk_that_is_full_in_mid_stream(
    bench: Bench, folder: Path, undisturbed: dict[str, Any], tried: Count
) -> None:
    """The run ends, says why, and leaves none of the records that were written."""

    def point(number: int) -> bool:
        shelf = bench.shelf()
        plan = Plan("error", number, errno.ENOSPC, only="write", persistent=True)
        done = carry_out(bench.zygote, start(shelf, folder, plan))
        if done.broke:
            known = after_fault(shelf, done)
            if known.story and known.story.status != "completed":
                assert done.code == Exit.STORE, done.err
                assert "no space" in (done.out + done.err).lower()
                if done.broke[1] != "events.jsonl":  # else it was published, and not journaled
                    assert half_visible(shelf, known) == set()
                recovered(bench, folder, shelf, known, undisturbed)
        shelf.clear()
        return done.broke is not None

    tried("fail: a disk that is full in mid-stream", bench.sweep(point))


@pytest.mark.parametrize("other", ["the resume", "another run"])
def test_what_a_killed_run_had_staged_is_swept(
    bench: Bench, folder: Path, undisturbed: dict[str, Any], other: str
) -> None:
    """By the next process that begins any run of the store."""
    steps = carry_out(bench.script, start(bench.shelf(), folder, Plan(trace=True))).steps
    writes = [n for n, (operation, _) in enumerate(steps, 1) if operation == "write"]
    seen = 0
    for ordinal in writes:
        shelf = bench.shelf()
        carry_out(bench.zygote, start(shelf, folder, Plan("kill", ordinal + 1)))
        staged = holding(shelf, RECORD) - PUBLISHED
        if staged:
            seen += 1
            next_run = again(shelf, folder)
            if other == "another run":
                next_run = shelf.wct("run", "origin.yaml", "--run-id", "other")
            carry_out(bench.zygote, next_run)
            assert not staged & holding(shelf, RECORD)
        shelf.clear()
    assert seen, "no kill left staged records: the test shows nothing"
