"""The requests that a store in a bucket makes: for an artifact, for a run, for a list of runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from waivern import load, run
from waivern.runs.listing import page
from waivern.store.backend_store import BackendStore
from waivern.store.objects.bucket_backend import BucketBackend
from waivern.testing.buckets import MemoryBucket

STEPS = """
def value(x):
    return {"value": x}

def more(inputs):
    return {"value": inputs[0]["value"] + 1}
"""
SOURCE = "source: {type: python, properties: {call: 'steps.py:value', args: {x: 1}}}"
STEP = "process: {type: python, properties: {call: 'steps.py:more'}}"
WIDE, DEEP = 200, 30


def store_in(bucket: MemoryBucket) -> BackendStore:
    """Return a new object for the store, as another process would have."""
    return BackendStore(BucketBackend(bucket))


def execute(bucket: MemoryBucket, artifacts: list[str], folder: Path, run_id: str = "r") -> int:
    """Run a runbook with these artifacts; return the number of requests."""
    (folder / "steps.py").write_text(STEPS)
    text = "name: book\nartifacts:\n" + "".join(f"  {line}\n" for line in artifacts)
    before = bucket.requests.total()
    book = load(text=text, folder=folder)
    assert run(book, store=store_in(bucket), run_id=run_id).status == "completed"
    return bucket.requests.total() - before


def wide(count: int) -> list[str]:
    """Return artifacts that do not depend on each other."""
    return [f"a{n}: {{{SOURCE}}}" for n in range(count)]


def deep(count: int) -> list[str]:
    """Return artifacts of which each depends on the one before."""
    return [f"a0: {{{SOURCE}}}"] + [f"a{n}: {{inputs: a{n - 1}, {STEP}}}" for n in range(1, count)]


@pytest.mark.parametrize("shape", [wide, deep])
def test_a_small_artifact_takes_few_requests(
    shape: Callable[[int], list[str]], tmp_path: Path
) -> None:
    count = WIDE if shape is wide else DEEP
    bucket = MemoryBucket()
    few = execute(bucket, shape(2), tmp_path, "few")
    many = execute(bucket, shape(count), tmp_path, "many")
    assert (many - few) / (count - 2) <= 1.5, bucket.requests


def test_a_list_takes_one_request_a_page_and_one_a_row(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    execute(bucket, wide(2), tmp_path, "run-0000")
    _multiply(bucket, "run-0000", 1000)
    first = page(store_in(bucket), limit=20)
    assert (len(first.rows), first.total) == (20, 1000)
    bucket.requests.clear()
    again = page(store_in(bucket), limit=20)
    assert [row.run_id for row in again.rows] == [row.run_id for row in first.rows]
    assert {row.status for row in again.rows} == {"completed"}
    assert bucket.requests["list"] <= 1 + 1
    own = 8  # of the store: its snapshot, the commits after it, the index
    assert bucket.requests["get"] <= 20 + own, bucket.requests
    assert set(bucket.requests) == {"list", "get"}


def _multiply(bucket: MemoryBucket, template: str, count: int) -> None:
    """Let the bucket have copies of a run under other ids, as if all had been executed."""
    copied = {key: data for key, (data, _) in bucket.objects.items() if template in key}
    for n in range(1, count):
        run_id = f"run-{n:04d}"
        for key, data in copied.items():
            bucket.put(
                key.replace(template, run_id), data.replace(template.encode(), run_id.encode())
            )
