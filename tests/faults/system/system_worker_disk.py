"""A disk that is full for a worker: the run ends as one on threads, and is completed later."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from wct_process import Place
from worker_kit import contents, source, staged, steps

LARGE = """
def small():
    return {"value": 1}

def large():
    return {"value": "x" * 3_000_000}

def streams():
    for number in range(40_000):
        yield {"number": number, "text": "x" * 100}
"""


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture
def small(place: Place) -> Iterator[Place]:
    """A place whose store has a small file system of its own."""
    store = place.path / ".waivern"
    store.mkdir(0o700)
    (place.path / "large.py").write_text(LARGE)
    mount("-t", "tmpfs", "-o", "size=2m,mode=700", "none", str(store))
    try:
        yield place
    finally:
        subprocess.run(["umount", str(store)], check=True)


@pytest.mark.parametrize("call", ["large", "streams"])
def test_a_disk_that_is_full_for_a_worker(small: Place, call: str) -> None:
    artifacts = source("small", "large.py:small") + source("big", f"large.py:{call}")
    book = small.runbook("r.yaml", artifacts)
    words = ("--executor", "processes", "--max-concurrency", "1")
    done = small.wct("run", book, *words, "--run-id", "main", "--json")
    assert done.code == 74, done.err
    assert "No space left on device" in steps(done)["big"]["error"]["message"]
    assert "Traceback" not in done.err
    mount("-o", "remount,size=60m", str(small.path / ".waivern"))
    assert small.wct("run", book, *words, "--resume", "main").code == 0
    assert staged(small) == []
    assert small.wct("run", book, "--executor", "threads", "--run-id", "threads").code == 0
    assert contents(small, "main") == contents(small, "threads")
