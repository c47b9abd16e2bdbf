"""Several people decide on one gate at the same time, while others resume, cancel or delete.

Delays come at random before locks, opens and renames. Whoever is told that a decision is on record
finds it there; of a gate that one person decides, there is one decision; the others leave with 5.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import partial

import pytest
from harness import ALL, RUN, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import agree, leftovers, story
from programme import GATE, begin, suspended, write

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

ROUNDS = 1000 if ALL else 32
PEOPLE = ("ann", "bob", "cleo", "dan", "eve")
RAISED = re.compile(r"Traceback|internal error")
CODES = {
    "approve": {0, 1, 4, 5, 7},
    "record": {0, 4, 5},
    "reject": {1, 4, 5},
    "resume": {0, 1, 4, 5, 7},
    "data": {0, 1, 4, 5, 7},
    "cancel": {0, 4, 5},
    "delete": {0, 4, 5},
    "list": {0},
}
"""What each may come to: done; rejected or cancelled; gone; refused; waits for more."""


@pytest.fixture(scope="module")
def waiting(bench: Bench) -> Shelf:
    return suspended(bench)


@pytest.fixture(scope="module")
def waiting_for_two(bench: Bench) -> Shelf:
    """Return a store in which the run waits for two people."""
    write(bench)
    text = (bench.folder / "programme.yaml").read_text()
    (bench.folder / "two.yaml").write_text(text.replace("gate: {", "gate: {approvers: 2, "))
    shelf = bench.shelf()
    job = begin(shelf)
    job = replace(job, argv=tuple(w.replace("programme", "two") for w in job.argv))
    assert carry_out(bench.zygote, job).code == 7
    return shelf


LATE_S = 0.3
"""What all but one wait in every fourth round, so that each verb is the first at times."""


def job(shelf: Shelf, verb: str, who: str, seed: int, late_s: float) -> Job:
    approve = ("runs", "approve", f"{RUN}/{GATE}", "--by", who)
    words = {
        "approve": approve,
        "record": (*approve, "--no-resume"),
        "reject": (*approve, "--reject"),
        "resume": ("runs", "resume", RUN),
        "data": ("runs", "resume", RUN, "--data", "approved=true"),
        "cancel": ("runs", "cancel", RUN, "--by", who, "--wait", "5"),
        "delete": ("runs", "delete", "--yes", RUN),
        "list": ("runs",),
    }
    return replace(shelf.wct(*words[verb]), plan=Plan("delay", seed=seed, late_s=late_s))


def together(bench: Bench, shelf: Shelf, verbs: list[str], seed: int) -> list[tuple[str, Done]]:
    part, turn = divmod(seed, 4)
    first = range(len(verbs)) if turn else [part % len(verbs)]
    jobs = [
        job(shelf, verb, PEOPLE[n], 100 * seed + n, 0 if n in first else LATE_S)
        for n, verb in enumerate(verbs)
    ]
    done = list(zip(verbs, bench.zygote.together(jobs), strict=True))
    for verb, one in done:
        assert one.code in CODES[verb], f"{verb} left with {one.code}: {one.err}"
        assert not RAISED.search(one.err + one.out), f"{verb}: {one.err}"
        if one.code in (4, 5):
            assert "error" in one.err, one.err
    return done


def settled(bench: Bench, shelf: Shelf, done: list[tuple[str, Done]], most: int) -> None:
    """Check that what each was told is so, and that the run is whole and can go on, or is gone."""
    removed = any(verb == "delete" and one.code == 0 for verb, one in done)
    rows = shelf.rows()
    assert removed == (RUN not in rows), [(verb, one.code, one.err) for verb, one in done]
    if removed:
        return
    assert rows[RUN].fault is None, rows[RUN].fault
    truth = story(shelf.run)
    assert rows[RUN].status == truth.status
    said = {
        PEOPLE[n]
        for n, (verb, one) in enumerate(done)
        if verb in ("approve", "record", "reject") and one.code not in (4, 5)
    }
    kept = [each["by"] for each in truth.decisions]
    assert len(set(kept)) == len(kept) <= most, kept
    by_resume = any(verb == "data" for verb, _ in done)
    assert said <= set(kept), f"told of {said}, kept {kept}"
    assert by_resume or said == set(kept), f"told of {said}, kept {kept}"
    assert not verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN).faults
    assert leftovers(shelf) == []
    if truth.status not in ("interrupted", "cancelled"):
        agree(shelf.run, truth)
    assert (truth.artifacts[GATE] == "completed") <= (len(kept) == most)
    again = carry_out(bench.zygote, shelf.wct("runs", "resume", RUN, "--force"))
    assert again.code in (0, 1, 7), again.err
    rejected = any(not each["approved"] for each in truth.decisions)
    ends = {0} if len(kept) == most and not rejected else {1} if rejected else {7}
    assert again.code in ends, f"{kept}: {again.code} {again.err}"


@pytest.mark.parametrize(
    "verbs",
    [
        ["approve", "approve"],
        ["approve", "approve", "reject", "record"],
        ["approve", "resume", "list"],
        ["approve", "data", "resume"],
        ["approve", "cancel", "list"],
        ["approve", "delete", "list"],
    ],
    ids="-".join,
)
def test_deciders(bench: Bench, waiting: Shelf, tried: Count, verbs: list[str]) -> None:
    won: set[str] = set()

    def point(number: int) -> None:
        shelf = waiting.copy()
        mixed = random.Random(number).sample(verbs, len(verbs))
        done = together(bench, shelf, mixed, number)
        won.update(verb for verb, one in done if one.code not in (4, 5))
        settled(bench, shelf, done, 1)
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS)])
    assert won & {"approve", "reject", "record"}
    tried(f"two at once: {', '.join(verbs)}", points)


def test_two_people_have_to_approve(bench: Bench, waiting_for_two: Shelf, tried: Count) -> None:
    """Both are counted, or one was told to come again."""

    def point(number: int) -> None:
        shelf = waiting_for_two.copy()
        done = together(bench, shelf, ["approve", "record", "approve"], number)
        settled(bench, shelf, done, 2)
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS)])
    tried("two at once: three people at a gate for two", points)
