"""Records of runs that are brought up to date by what was appended to their journals."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import waivern
from waivern import LocalFilesystemStore
from waivern.errors import IntegrityError, RunNotFoundError
from waivern.record.fold import RunRecord
from waivern.record.journal_events import RunAnnotatedRecord, to_record
from waivern.runs import queries
from waivern.runs.record_cache import RecordCache
from waivern.store.lock import this_process

AT = "2026-01-02T03:04:05.000Z"
ARTIFACTS = 3
CALL = 'properties: {call: "steps.py:value"}'


class CountingStore(LocalFilesystemStore):
    """A store that records which parts of journals were read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read: list[int] = []
        """The number of lines of each reading."""

    def read_on(self, run_id: str, place: Any = None) -> Any:
        found = super().read_on(run_id, place)
        self.read.append(-1 if found is None else len(found.lines))
        return found


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    lines = [f"  a{n}: {{source: {{type: python, {CALL}}}}}" for n in range(ARTIFACTS)]
    (tmp_path / "few.yaml").write_text("\n".join(["artifacts:", *lines]))
    (tmp_path / "steps.py").write_text("def value():\n    return 1\n")
    found = CountingStore(tmp_path / ".waivern")
    for run_id in ("one", "two"):
        waivern.run(tmp_path / "few.yaml", run_id=run_id, store=found)
    return found


def annotate(store: CountingStore, run_id: str, name: str) -> None:
    lease = store.lock(run_id, this_process())
    lease.append([to_record(RunAnnotatedRecord(AT, "ann", {"name": name}))], sync=True)
    lease.release()
    store.read.clear()


def shape(record: RunRecord) -> Any:
    return record.metadata.document(), [each.document() for each in record.steps.values()]


def events(store: CountingStore, run_id: str) -> Path:
    assert store.folder
    return Path(store.folder, "runs", run_id, "_system", "events.jsonl")


def test_only_what_was_appended_is_read(store: CountingStore) -> None:
    cache = RecordCache(store)
    before = cache.load("one")
    annotate(store, "one", "first")
    record = cache.load("one")
    assert store.read == [1]
    assert cache.load("one") is record
    assert store.read == [1, 0]
    assert shape(record) == shape(queries.load(store, "one"))
    assert (before.metadata.metadata, record.metadata.metadata) == ({}, {"name": "first"})


def test_a_live_run_is_shown_with_the_time_so_far(store: CountingStore) -> None:
    cache = RecordCache(store)
    lines = store.read_journal("one").lines
    begun = next(line.record for line in lines if line.record["type"] == "attempt_started")
    cache.load("one")
    lease = store.lock("one", this_process())
    lease.append([begun], sync=True)
    assert cache.load("one").metadata.status == "running"
    lease.release()
    assert cache.load("one").metadata.status == "interrupted"
    lease = store.lock("one", this_process())
    assert cache.load("one").metadata.status == "running"
    lease.release()


def test_an_altered_journal_is_read_again(store: CountingStore) -> None:
    cache = RecordCache(store)
    cache.load("one")
    path = events(store, "one")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"few", b"new", 1))
    with pytest.raises(IntegrityError, match="journal line 1 is damaged"):
        cache.load("one")
    path.write_bytes(data)
    assert shape(cache.load("one")) == shape(queries.load(store, "one"))


def test_a_shorter_journal_is_read_again(store: CountingStore) -> None:
    cache = RecordCache(store)
    cache.load("one")
    path = events(store, "one")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(IntegrityError, match="it was known to be on the disk"):
        cache.load("one")


def test_a_run_that_was_removed_is_not_found(store: CountingStore) -> None:
    cache = RecordCache(store)
    cache.load("one")
    store.remove("one", this_process())
    with pytest.raises(RunNotFoundError):
        cache.load("one")


def test_runs_that_were_used_long_ago_are_forgotten(store: CountingStore) -> None:
    cache = RecordCache(store, runs=1)
    cache.load("one")
    cache.load("two")
    store.read.clear()
    cache.load("two")
    assert store.read == [0]
    cache.load("one")
    assert store.read[-1] > 0


def test_many_artifacts_count_as_many_runs(store: CountingStore) -> None:
    cache = RecordCache(store, artifacts=ARTIFACTS)
    cache.load("one")
    cache.load("two")
    store.read.clear()
    cache.load("one")
    assert store.read[-1] > 0
