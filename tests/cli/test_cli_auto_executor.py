"""`auto`: components that compute leave the coordinator's process when that is worth a worker."""

from __future__ import annotations

import pytest
from wct_process import Place
from worker_kit import contents, source

from waivern.engine.workers.slots import cores

COMPUTING = """
import os, time

def long():
    end = time.process_time() + 1
    while time.process_time() < end:
        pass
    return os.getpid()

def short():
    return os.getpid()
"""


@pytest.fixture
def computing(place: Place) -> Place:
    (place.path / "computing.py").write_text(COMPUTING)
    return place


def ran(place: Place, artifacts: str) -> set[int]:
    """Return the processes in which the artifacts were produced."""
    (place.path / "book.yaml").write_text("artifacts:\n" + artifacts)
    place.wct("run", "book.yaml")
    return set(contents(place).values())


@pytest.mark.skipif(cores() < 2, reason="needs two processor cores")
def test_two_calls_that_compute_at_once_use_two_processes(computing: Place) -> None:
    """Neither has computed for long when they begin, and nothing says that their input is large."""
    two = "".join(source(name, "computing.py:long", computes="true") for name in ("a", "b"))
    assert len(ran(computing, two)) == 2


def test_one_call_that_computes_stays_with_the_coordinator(computing: Place) -> None:
    alone = source("a", "computing.py:long", computes="true")
    others = source("b", "computing.py:short") + source("c", "computing.py:short")
    assert len(ran(computing, alone + others)) == 1
