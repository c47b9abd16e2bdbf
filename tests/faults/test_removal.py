"""SIGKILL before every operation of a removal: a whole run is left or none; the next run sweeps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import RUN, Bench, Count, Plan, Shelf, carry_out
from oracle import Recoveries, contents, leftovers

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

REMOVALS = {
    "delete": ("runs", "delete", "--yes", RUN),
    "prune": ("runs", "prune", "--status", "failed", "--yes"),
    "delete --force": ("runs", "delete", "--yes", "origin", RUN, "--force"),
}


@pytest.fixture(scope="module")
def template(bench: Bench) -> Shelf:
    shelf = bench.shelf()
    assert carry_out(bench.zygote, shelf.start()).code == 1
    return shelf


def whole_or_gone(shelf: Shelf, undisturbed: dict[str, Any]) -> set[str]:
    """Check that each run is all there, or not at all; return those that are."""
    store = LocalFilesystemStore(shelf.path / ".waivern")
    rows = shelf.rows()
    for run_id, row in rows.items():
        assert row.fault is None, f"{run_id}: {row.fault}"
        assert not verify(store, run_id).faults
    if RUN in rows:
        assert contents(shelf.run) == undisturbed
    return set(rows)


@pytest.mark.parametrize("how", REMOVALS)
def test_a_removal_killed_before_every_operation(
    bench: Bench, template: Shelf, tried: Count, how: str
) -> None:
    undisturbed = contents(template.run)

    def point(number: int) -> bool:
        shelf = template.copy()
        done = carry_out(bench.zygote, shelf.wct(*REMOVALS[how], plan=Plan("kill", number)))
        left = whole_or_gone(shelf, undisturbed)
        listed = carry_out(bench.zygote, shelf.wct("runs", "--json"))
        assert {row["run_id"] for row in json.loads(listed.out)["data"]} == left
        # a person does it again, or does something else: either is as if nothing had happened
        if number % 2 and RUN in left:
            again = carry_out(bench.zygote, shelf.wct("runs", "delete", "--yes", RUN))
            assert again.code == 0, again.err
            assert RUN not in shelf.rows()
        another = shelf.wct("run", "origin.yaml", "--run-id", "another")
        assert carry_out(bench.zygote, another).code == 0
        assert leftovers(shelf) == []
        shelf.clear()
        if done.broke is None:
            assert done.code == 0, done.err
            assert RUN not in left
        return done.broke is not None

    tried(f"kill: {how}, before every operation", bench.sweep(point))


def test_a_cancellation_killed_before_every_operation(bench: Bench, tried: Count) -> None:
    """Of a crashed run, which the command closes itself."""
    crashed = bench.shelf()
    assert carry_out(bench.zygote, crashed.start(Plan("kill", 70))).code == -9
    store_of = LocalFilesystemStore
    recoveries = Recoveries()

    def point(number: int) -> bool:
        shelf = crashed.copy()
        words = ("runs", "cancel", RUN, "--by", "ann")
        done = carry_out(bench.zygote, shelf.wct(*words, plan=Plan("kill", number)))
        if not recoveries.is_new(shelf):
            return done.broke is not None
        row = shelf.rows()[RUN]
        assert row.status in ("interrupted", "cancelled")
        if row.status == "interrupted":
            assert carry_out(bench.zygote, shelf.wct(*words)).code == 0
        else:  # it was journaled: a resume has to be forced, whatever run.json says
            assert carry_out(bench.zygote, shelf.resume()).code == 5
        row = shelf.rows()[RUN]
        assert (row.status, row.metadata and row.metadata.cancelled_by) == ("cancelled", "ann")
        assert not verify(store_of(shelf.path / ".waivern"), RUN).faults
        again = carry_out(bench.zygote, shelf.resume(None, "--force"))
        assert again.code == 1, again.err
        assert leftovers(shelf) == []
        shelf.clear()
        return done.broke is not None

    tried("kill: cancel of a crashed run, before every operation", bench.sweep(point))


def test_a_pin_killed_before_every_operation(bench: Bench, template: Shelf, tried: Count) -> None:
    points = 0
    for words in (("pin", RUN, "--note", "x"), ("unpin", RUN)):
        ready = template.copy()
        if words[0] == "unpin":
            assert carry_out(bench.zygote, ready.wct("runs", "pin", RUN)).code == 0

        def point(number: int, words: tuple[str, ...] = words, ready: Shelf = ready) -> bool:
            shelf = ready.copy()
            done = carry_out(bench.zygote, shelf.wct("runs", *words, plan=Plan("kill", number)))
            row = shelf.rows()[RUN]
            assert row.fault is None
            assert not verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN).faults
            kept = carry_out(bench.zygote, shelf.wct("runs", "delete", "--yes", RUN))
            assert kept.code == (5 if row.pinned else 0), kept.err
            shelf.clear()
            return done.broke is not None

        points += bench.sweep(point)
    tried("kill: pin and unpin, before every operation", points)
