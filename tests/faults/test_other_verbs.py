"""Two to eight processes resume, cancel, prune, delete, pin, verify and reuse the same run.

Delays come at random before locks, opens and renames. However they fall: no torn state, no
traceback, and what each process said it did is what was done.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import partial

import pytest
from harness import ALL, RUN, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import agree, contents, leftovers, story

from waivern.errors import NotFoundError
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

ROUNDS = 1000 if ALL else 32
CODES = {
    "resume": {1, 4, 5},
    "force": {1, 4, 5},
    "cancel": {0, 4, 5},
    "delete": {0, 4, 5},
    "prune": {0},
    "reuse": {0, 1, 3, 4, 9},
    "verify": {0, 4, 5},
    "pin": {0, 4},
    "tag": {0, 4, 5},
    "list": {0},
}
"""What each may come to: done; an artifact failed (as it must, in this runbook); gone; refused."""
REUSE = """
artifacts:
  copy: {reuse: {from_run: main, artifact: last}}
  next:
    inputs: copy
    process: {type: python, properties: {call: "steps.py:total", args: {name: next}}}
"""
RAISED = re.compile(r"Traceback|internal error")


@pytest.fixture(scope="module")
def crashed(bench: Bench) -> Shelf:
    (bench.folder / "reuse.yaml").write_text(REUSE)
    shelf = bench.shelf()
    steps = carry_out(bench.script, shelf.start(Plan(trace=True))).steps
    shelf = bench.shelf()
    last = len(steps) - steps[::-1].index(("write", "events.jsonl"))  # would end the attempt
    assert carry_out(bench.zygote, shelf.start(Plan("kill", last))).code == -9
    assert shelf.rows()[RUN].status == "interrupted"
    assert (shelf.run / "last.json").exists()
    return shelf


@pytest.fixture(scope="module")
def ended(bench: Bench) -> Shelf:
    (bench.folder / "reuse.yaml").write_text(REUSE)
    shelf = bench.shelf()
    assert carry_out(bench.zygote, shelf.start()).code == 1
    return shelf


def job(shelf: Shelf, verb: str, number: int) -> Job:
    words = {
        "force": ("run", "book.yaml", "--resume", RUN, "--force"),
        "resume": ("run", "book.yaml", "--resume", RUN),
        "cancel": ("runs", "cancel", RUN, "--by", f"p{number}", "--wait", "5"),
        "delete": ("runs", "delete", "--yes", RUN),
        "prune": ("runs", "prune", "--keep-last", "0", "--yes"),
        "reuse": ("run", "reuse.yaml", "--run-id", f"reuse{number}"),
        "verify": ("runs", "verify", RUN),
        "pin": ("runs", "pin" if number % 2 else "unpin", RUN),
        "tag": ("runs", "tag", RUN, f"t{number}"),
        "list": ("runs",),
    }
    return shelf.wct(*words[verb])


def together(bench: Bench, shelf: Shelf, verbs: list[str], seed: int) -> list[tuple[str, Done]]:
    """Carry all out at once, and check what is true of each alone."""
    jobs = [
        replace(job(shelf, verb, n), plan=Plan("delay", seed=100 * seed + n))
        for n, verb in enumerate(verbs)
    ]
    done = list(zip(verbs, bench.zygote.together(jobs), strict=True))
    for verb, one in done:
        assert one.code in CODES[verb], f"{verb} left with {one.code}: {one.err}"
        assert not RAISED.search(one.err), f"{verb}: {one.err}"
        if one.code in (3, 4, 5, 9):
            assert "error" in one.err, one.err
            assert "= help: " in one.err, one.err
    return done


def settle(bench: Bench, shelf: Shelf, done: list[tuple[str, Done]]) -> str:
    """Check what all of it came to: the run is whole, or gone and its going was told once."""
    store = LocalFilesystemStore(shelf.path / ".waivern")
    rows = shelf.rows()
    removed = [f"removed {RUN}\t" in one.out for _, one in done]
    assert sum(removed) == (RUN not in rows), [(verb, one.out) for verb, one in done]
    for run_id, row in rows.items():
        assert row.fault is None, f"{run_id}: {row.fault}"
        assert row.status not in ("running", "corrupt")
        found = verify(store, run_id)
        assert not found.faults, found.faults
    for n, (verb, one) in enumerate(done):
        if verb == "reuse":
            made = shelf.path / ".waivern/runs" / f"reuse{n}"
            gone = f"removed reuse{n}\t" in "".join(each.out for _, each in done)
            if one.code == 0 and not gone:
                assert contents(made) == {"copy": {"total": 8}, "next": {"total": 8}}
            elif not gone and made.exists():
                assert contents(made) == {}, "a copy is whole or not there"
    status = "gone"
    if RUN in rows:
        truth = story(shelf.run)
        status = truth.status
        resumed = sum(one.code == 1 for verb, one in done if verb in ("resume", "force"))
        assert truth.attempts >= 1
        assert resumed <= truth.attempts
        if truth.status in ("completed", "failed", "cancelled"):
            agree(shelf.run, truth)
    another = shelf.wct("run", "origin.yaml", "--run-id", "another")
    assert carry_out(bench.zygote, another).code == 0
    swept = [path for path in leftovers(shelf) if path.startswith("runs/.")]
    assert swept == []
    shelf.clear()
    return status


MIXES = {
    "all verbs on a crashed run": (
        ["resume", "force", "cancel", "delete", "prune", "reuse", "verify", "pin", "tag", "list"],
        "crashed",
    ),
    "all verbs on an ended run": (
        ["resume", "force", "cancel", "delete", "prune", "reuse", "verify", "pin", "tag", "list"],
        "ended",
    ),
    "resume, delete": (["resume", "delete"], "crashed"),
    "resume, cancel": (["resume", "cancel", "force"], "crashed"),
    "reuse, delete, prune": (["reuse", "delete", "prune"], "ended"),
}


@pytest.mark.parametrize("mix", MIXES)
def test_at_the_same_time(
    bench: Bench, request: pytest.FixtureRequest, tried: Count, mix: str
) -> None:
    verbs, which = MIXES[mix]
    template: Shelf = request.getfixturevalue(which)
    statuses: set[str] = set()

    def point(number: int) -> None:
        chance = random.Random(f"{mix} {number}")
        chosen = chance.choices(verbs, k=2 + number % 7)
        shelf = template.copy()
        statuses.add(settle(bench, shelf, together(bench, shelf, chosen, number)))

    points = bench.each([partial(point, n) for n in range(ROUNDS)])
    assert len(statuses) > 1 or "delete" not in verbs, f"always the same end: {statuses}"
    tried(f"two at once: 2 to 8 of {mix}", points)


@pytest.mark.parametrize("verb", ["delete", "prune"])
def test_only_one_removes_it(bench: Bench, ended: Shelf, tried: Count, verb: str) -> None:
    def point(number: int) -> None:
        shelf = ended.copy()
        done = together(bench, shelf, [verb] * (2 + number % 7), number)
        assert settle(bench, shelf, done) == "gone"
        for _, one in done:
            if f"removed {RUN}\t" not in one.out and verb == "delete":
                assert one.code in (4, 5)

    points = bench.each([partial(point, n) for n in range(ROUNDS // 2)])
    tried(f"two at once: 2 to 8 times {verb}, one removes it", points)


def test_only_one_cancels_it(bench: Bench, crashed: Shelf, tried: Count) -> None:
    def point(number: int) -> None:
        shelf = crashed.copy()
        done = together(bench, shelf, ["cancel"] * (2 + number % 7), number)
        row = shelf.rows()[RUN]
        assert row.metadata
        assert row.status == "cancelled"
        wishes = (shelf.run / "_system/events.jsonl").read_text().count('"run_cancelled"')
        assert wishes == 1
        assert row.metadata.cancelled_by in {
            f"p{n}" for n, (_, one) in enumerate(done) if not one.code
        }
        assert settle(bench, shelf, done) == "cancelled"

    points = bench.each([partial(point, n) for n in range(ROUNDS // 2)])
    tried("two at once: 2 to 8 times cancel, one closes it", points)


def test_a_source_that_is_deleted_while_it_is_copied(
    bench: Bench, ended: Shelf, tried: Count
) -> None:
    """At every operation of the run that copies: the delay lets the removal come between."""
    ways: set[int] = set()

    def point(number: int) -> None:
        shelf = ended.copy()
        copy = replace(job(shelf, "reuse", 0), plan=Plan("delay", seed=number))
        gone = replace(
            shelf.wct("runs", "delete", "--yes", RUN, "--force"),
            plan=Plan("delay", seed=number + 1),
        )
        copied, deleted = bench.zygote.together([copy, gone])
        assert deleted.code == 0, deleted.err
        assert copied.code in (0, 1, 3, 4, 9), copied.err
        assert not RAISED.search(copied.err), copied.err
        ways.add(copied.code)
        made = shelf.path / ".waivern/runs/reuse0"
        if copied.code == 0:
            assert contents(made) == {"copy": {"total": 8}, "next": {"total": 8}}
        elif made.exists():  # it had begun: the copy failed, as an artifact does, and can be seen
            assert contents(made) == {}
            looked = carry_out(bench.zygote, shelf.wct("inspect", "reuse0"))
            assert looked.code == 0
        with pytest.raises(NotFoundError):
            verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN)
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS)])
    assert ways
    tried("two at once: a reuse and a delete of its source", points)
