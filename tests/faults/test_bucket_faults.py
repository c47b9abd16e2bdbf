"""Runs in a bucket with a fault at any of their requests: never begun, or resumed complete."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from bucket_kit import Action, FolderBucket, exit_of, forked, start_or_resume, store_in

from waivern import list_runs
from waivern.errors import WaivernError
from waivern.runs.verify import verify
from waivern.store.layout import STAGED
from waivern.store.objects import run_log

pytestmark = pytest.mark.timeout(600)

SHARE = 9
"""Of the requests, one in so many is tried when time is short."""
SURE = 30
"""Each run makes at least so many requests: 37 to 42 were counted."""
FAILURES = ("before", "after")
KILLS = ("kill", "kill after")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a killed process has left count as such at once, not after an hour."""
    monkeypatch.setattr(run_log, "LOST_MARK_NS", -(10**9))


def requests_of_a_run(folder: Path) -> int:
    """Return how many requests a run makes without a fault."""
    bucket = FolderBucket(_folder(folder, "whole"))
    assert start_or_resume(bucket, folder) == "completed"
    return bucket.count


def _folder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


def check(folder: Path, place: Path, what: str) -> None:
    """Finish the run from another process's view; nothing is wrong with it then."""
    bucket = FolderBucket(place)
    assert start_or_resume(bucket, folder) == "completed", what
    store = store_in(FolderBucket(place))
    found = verify(store, "r")
    assert (found.faults, found.notes, found.artifacts) == ((), (), 4), what
    assert [row.status for row in list_runs(store=store)] == ["completed"], what
    assert not [file for file in store.files("r") if file.kind == "staged"], what
    assert STAGED not in str(store.files("r")), what
    run_log.sweep(bucket)
    kinds = {entry.key.partition("/")[0] for entry in bucket.entries()}
    assert not kinds & {"locks", "clock", "trash"}, what
    marks = [entry.key for entry in bucket.entries("runs/") if "open-" in entry.key]
    assert not marks, what
    logs = {entry.key.split("/")[1] for entry in bucket.entries("logs/")}
    assert len(logs) == 2, what  # of the run and of the store


def fail(folder: Path, fault: Action, at: int, *, lasting: bool) -> None:
    """Run with one failure, or with failures from one on, in this process."""
    what = f"{fault} {at} {lasting}"
    place = _folder(folder, what)
    try:
        start_or_resume(FolderBucket(place, fault, at, lasting=lasting), folder)
    except WaivernError as error:
        reason = f"{error.message} {error.__cause__}"
        if "the bucket did not answer" not in reason:
            pytest.fail(f"{what}: {reason}")
    check(folder, place, what)


def kill(folder: Path, fault: Action, at: int) -> bool:
    """Run in a process that is killed at a request; return whether the run had that request."""
    what = f"{fault} {at}"
    place = _folder(folder, what)
    bucket = FolderBucket(place, fault, at)
    code = exit_of(forked(partial(start_or_resume, bucket, folder)))
    assert code in {-9, 0}, what
    check(folder, place, what)
    return code == -9


def kill_at(numbers: range, folder: Path, fault: Action) -> None:
    """Kill a process at each of these requests.

    How many requests a run makes varies: steps that end together share one. So the last few
    numbers may lie beyond the end of a run, and no others.
    """
    reached = [kill(folder, fault, at) for at in numbers]
    sure = [was for at, was in zip(numbers, reached, strict=True) if at <= SURE]
    assert len(sure) > 1
    assert all(sure)


def some(folder: Path) -> range:
    return range(2, requests_of_a_run(folder) + 1, SHARE)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fault", FAILURES)
def test_some_request_fails(fault: Action, lasting: bool, tmp_path: Path) -> None:
    for at in some(tmp_path):
        fail(tmp_path, fault, at, lasting=lasting)


@pytest.mark.parametrize("fault", KILLS)
def test_a_process_is_killed_at_some_request(fault: Action, tmp_path: Path) -> None:
    kill_at(some(tmp_path), tmp_path, fault)


@pytest.mark.sweep
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("fault", FAILURES)
def test_each_request_fails(fault: Action, lasting: bool, tmp_path: Path) -> None:
    for at in range(1, requests_of_a_run(tmp_path) + 1):
        fail(tmp_path, fault, at, lasting=lasting)


@pytest.mark.sweep
@pytest.mark.parametrize("fault", KILLS)
def test_a_process_is_killed_at_each_request(fault: Action, tmp_path: Path) -> None:
    kill_at(range(1, requests_of_a_run(tmp_path) + 1), tmp_path, fault)


def test_all_kinds_of_faults_are_tried() -> None:
    assert {*FAILURES, *KILLS, "wait"} == {*get_args(Action)}
