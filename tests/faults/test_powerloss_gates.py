"""The power fails while a decision is written down, and while artifacts are taken from the cache.

What was decided and acknowledged is there afterwards; a copy is whole and intact, or not completed;
and a cache that lost some of its bytes costs work, never a wrong content.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import RUN, Count
from oracle import BEFORE, contents, story
from powerloss_check import STORE, Points
from powerloss_place import Place

from waivern.runs.request import RunRequest
from waivern.runs.resume import resume
from waivern.runs.run_options import RunOptions
from waivern.runs.start import start
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

RESUMED = 30
"""States of a trace in which the run is also brought on."""
CHILD = """
outputs: {made: {artifact: made}}
artifacts:
  raw: {source: {type: python, properties: {call: "steps.py:value", args: {name: child/raw, x: 3}}}}
  made:
    inputs: raw
    process: {type: python, properties: {call: "steps.py:total", args: {name: child/made}}}
"""
GATED = """
config: {cache: true}
artifacts:
  child: {child_runbook: {path: child.yaml, output: made}}
  item:
    for_each: [a, b]
    source: {type: python, properties: {call: "steps.py:value", args: {name: "item/${each}", x: 7}}}
  sign: {gate: {question: Is it well?, show: [child, item]}}
  end:
    inputs: [child, sign]
    process: {type: python, properties: {call: "steps.py:total", args: {name: end}}}
"""
WIDE = """
artifacts:
  item:
    for_each: [a, b, c, d, e, f, g, h]
    source: {type: python, properties: {call: "steps.py:value", args: {name: "item/${each}", x: 7}}}
"""
MADE = {"child/raw", "child/made", "item/a", "item/b"}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=shm if shm.is_dir() else None))
    made = Place(folder)
    for name, text in (("child.yaml", CHILD), ("gated.yaml", GATED), ("wide.yaml", WIDE)):
        (made.books / name).write_text(text)
    monkeypatch.setenv("CALLS", str(made.calls))
    yield made
    shutil.rmtree(folder)


def told(tried: Count, what: str, points: Points, resumed: int) -> None:
    assert points.crash_points > 0 < resumed
    also = f"{points.crash_points} crash points, {resumed} resumed"
    tried(f"power loss: {what} ({also}), states", len(points.states))


def brought_on(place: Place, points: Points, ends: dict[bool, str], artifacts: set[str]) -> int:
    """Resume in some of the states; `ends` says how, by whether a decision is on record."""
    trees = [tree for tree, _ in points.states.values() if f"{STORE}/runs/{RUN}" in tree]
    chosen = trees[:: max(1, -(-len(trees) // RESUMED))]
    for tree in chosen:
        place.bed.lay(tree)
        home = place.home.parent / "resumed"
        place.bed.copy(home)
        store, run = LocalFilesystemStore(home / STORE), home / STORE / "runs" / RUN
        before = story(run)
        place.calls.unlink(missing_ok=True)
        result = resume(RunRequest(run=RUN), store, RunOptions({}, max_concurrency=4))
        assert str(result.status) == ends[bool(before.decisions)]
        assert contents(run).keys() >= artifacts
        _right(contents(run))
        assert not verify(store, RUN).faults
        calls = Counter(place.calls.read_text().split() if place.calls.exists() else [])
        assert not calls.keys() & before.completed.keys(), "made again although completed"
        shutil.rmtree(home)
    return len(chosen)


def _right(made: dict[str, Any]) -> None:
    for name, content in made.items():
        if name.startswith("item/"):
            assert content["value"] == 7
        if name == "child/made":
            assert content == {"total": 3}


@pytest.mark.parametrize("more", [[], ["--no-resume"], ["--reject"]], ids=" ".join)
def test_a_decision(place: Place, tried: Count, more: list[str]) -> None:
    place.wct("run", "gated.yaml", "--run-id", RUN)
    assert story(place.home / STORE / "runs" / RUN).status == "suspended"
    disk = place.disk()
    trace = place.wct("runs", "approve", RUN, "--by", "ann", *more, pace="eager")
    points = place.held(disk, trace)
    decided = "failed" if "--reject" in more else "completed"
    resumed = brought_on(place, points, {False: "suspended", True: decided}, MADE)
    told(tried, " ".join(["approve", *more]), points, resumed)


def test_a_run_that_takes_everything_from_the_cache(place: Place, tried: Count) -> None:
    place.wct("run", "gated.yaml", "--run-id", BEFORE)
    place.calls.unlink()
    disk = place.disk()
    points = place.held(disk, place.wct("run", "gated.yaml", "--run-id", RUN, pace="eager"))
    assert not place.calls.exists(), "made, not taken"
    resumed = brought_on(place, points, {False: "suspended"}, MADE)
    told(tried, "a run that takes all from the cache", points, resumed)


def test_a_run_that_fills_the_cache(place: Place, tried: Count) -> None:
    """And another one after it: whatever is left of the cache, the contents are right."""
    disk = place.disk()
    points = place.held(disk, place.wct("run", "gated.yaml", "--run-id", RUN, pace="eager"))
    resumed = brought_on(place, points, {False: "suspended"}, MADE)
    trees = [tree for tree, _ in points.states.values() if any("/cache/" in path for path in tree)]
    chosen = trees[:: max(1, len(trees) // RESUMED)]
    assert chosen
    for tree in chosen:
        place.bed.lay(tree)
        home = place.home.parent / "another"
        place.bed.copy(home)
        store = LocalFilesystemStore(home / STORE)
        book = str(place.books / "gated.yaml")
        result = start(RunRequest(source=book, run_id="another"), store, RunOptions({}))
        assert result.status == "suspended"
        made = contents(home / STORE / "runs" / "another")
        assert made.keys() == MADE
        _right(made)
        shutil.rmtree(home)
    told(tried, "a run that fills the cache", points, resumed + len(chosen))


STAGED = re.compile(r"[0-9a-f]{8}-\d+$")
"""The name of the file of an artifact that is staged."""


def test_several_threads_that_sync(place: Place, tried: Count) -> None:
    """A wave of artifacts that are written in a group, and synced by several threads."""
    disk = place.disk()
    trace = place.wct("run", "wide.yaml", "--run-id", RUN, pace="wide")
    creates = [n for n, each in enumerate(trace) if each[0] == "create" and STAGED.match(each[2])]
    waves = [n for n in creates if n + 2 in creates]
    assert waves, "no two artifacts were written in a group"
    points = place.held(disk, trace)
    names = {f"item/{each}" for each in "abcdefgh"}
    resumed = brought_on(place, points, {False: "completed"}, names)
    told(tried, "artifacts in a group, synced by several threads", points, resumed)
