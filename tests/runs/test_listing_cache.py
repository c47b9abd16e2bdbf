"""Lists that are read again only when something has changed: as if they were read each time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import waivern
from waivern.runs.history import rows
from waivern.runs.listing import RunGlance, RunListing
from waivern.runs.listing_cache import ListingCache
from waivern.store import LocalFilesystemStore
from waivern.store.store_values import RunIndex

RUNBOOK = """
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
"""
STEPS = """
import time

def value():
    return {"value": 1}

def forever():
    time.sleep(60)
"""
LIVE = "import waivern; waivern.run('live.yaml', run_id='live', store='runs')"


class CountingStore(LocalFilesystemStore):
    """A store that counts how often all runs are looked at."""

    count = 0

    def indexed(self) -> RunIndex:
        self.count += 1
        return super().indexed()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountingStore:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(RUNBOOK)
    (tmp_path / "live.yaml").write_text(RUNBOOK.replace("value", "forever"))
    (tmp_path / "steps.py").write_text(STEPS)
    return CountingStore(tmp_path / "runs")


def same(cache: ListingCache, store: CountingStore) -> None:
    """Check that the cache has what the store has, at once and when its times are old enough."""
    for wait in (0.0, 0.15):
        time.sleep(wait)
        found, fresh = cache.listing(), RunListing(store)
        assert settled(found) == settled(fresh)
        assert [found.status(each) for each in found.glances] == [
            fresh.status(each) for each in fresh.glances
        ]
        assert cache.history() == rows(store)


def settled(listing: RunListing) -> list[RunGlance]:
    """Return the runs without what changes by the second while one is live."""
    return [
        found if found.status else found._replace(duration_ms=0, updated_at="")
        for found in listing.glances
    ]


def test_nothing_is_read_while_nothing_changes(store: CountingStore) -> None:
    waivern.run("one.yaml", run_id="one", store=store)
    cache = ListingCache(store)
    same(cache, store)
    cache.listing()
    before = store.count
    assert [cache.history().rows[0].run_id, cache.listing().glances[0].run_id] == ["one", "one"]
    assert store.count == before


def test_every_change_is_seen(store: CountingStore) -> None:
    cache = ListingCache(store)
    same(cache, store)
    waivern.run("one.yaml", run_id="one", store=store)
    same(cache, store)
    waivern.run("one.yaml", run_id="two", store=store)
    same(cache, store)
    command = [sys.executable, "-c", LIVE]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while store.runs() == ["one", "two"] or store.owner("live") is None:
            time.sleep(0.05)
            assert process.poll() is None
        same(cache, store)
        assert cache.listing().status(cache.listing().glances[0]) == "running"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    same(cache, store)
    assert cache.history().rows[0].status == "interrupted"
    waivern.delete_run("one", store=store)
    same(cache, store)
    store.append_history({"run_id": "other"})
    same(cache, store)
