"""What is removed from a run in a bucket is destroyed there, although its log keeps everything."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from waivern import list_runs, load, redact_run, run
from waivern.errors import StoreError
from waivern.runs.verify import verify
from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore
from waivern.store.objects import presence
from waivern.store.objects.bucket_backend import BucketBackend
from waivern.testing.buckets import MemoryBucket
from waivern.testing.store_helpers import OWNER, begin, message, publish, records

CANARY = "canary-4711"
LARGE = CANARY * 20_000
BOOK = """
name: book
artifacts:
  rows: {source: {type: python, properties: {call: "steps.py:rows"}}, keep: content}
  other: {source: {type: python, properties: {call: "steps.py:other"}}}
"""
STEPS = f"""
def rows():
    return [{{"n": n, "text": "{CANARY}"}} for n in range(20)]

def other():
    return {{"text": "stays"}}
"""


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def another(bucket: MemoryBucket) -> RunStore:
    """Return another object for the store, as another process would have."""
    return BackendStore(BucketBackend(bucket))


def places(bucket: MemoryBucket) -> list[str]:
    """Return the objects that have the canary."""
    return [key for key, (data, _) in bucket.objects.items() if CANARY.encode() in data]


@pytest.mark.parametrize("content", [CANARY, LARGE])
def test_what_is_unpublished_is_destroyed(content: str, bucket: MemoryBucket) -> None:
    store = another(bucket)
    lease = begin(store)
    publish(store, lease, "a", content)
    receipt = publish(store, lease, "b", "stays")
    lease.append([{"type": "next"}], sync=True)
    assert places(bucket)
    lease.unpublish(["a"])
    assert not places(bucket)
    lease.release()
    found = another(bucket)
    assert found.read_artifact("r", "a") is None
    assert found.verify("r", "b", size=receipt.size, digest=receipt.digest) is None
    assert [record["type"] for record in records(found)] == ["born", "next"]


@pytest.mark.parametrize("content", [CANARY, LARGE])
def test_what_is_deleted_or_replaced_is_destroyed(content: str, bucket: MemoryBucket) -> None:
    store = another(bucket)
    for key in ("a", "b"):
        anyio.run(store.save, "r", key, message(content))
    anyio.run(another(bucket).delete, "r", "a")
    anyio.run(another(bucket).save, "r", "b", message("another"))
    assert not places(bucket)
    assert anyio.run(store.list_keys, "r") == ["b"]


def test_a_redaction_destroys_the_content(bucket: MemoryBucket, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    run(load(text=BOOK, folder=tmp_path), store=another(bucket), run_id="r")
    assert places(bucket)
    redact_run("r", by="me", reason="asked for", store=another(bucket))
    assert not places(bucket)
    store = another(bucket)
    assert verify(store, "r").faults == ()
    assert [row.status for row in list_runs(store=store)] == ["completed"]


def test_a_destruction_that_fails_is_reported_and_repeated(bucket: MemoryBucket) -> None:
    store = another(bucket)
    lease = begin(store)
    publish(store, lease, "a", CANARY)

    def fail(operation: str, key: str) -> None:
        if operation == "put" and key.startswith("logs/"):
            raise OSError("the bucket did not answer")

    bucket.on_request = fail
    with pytest.raises(StoreError, match="the bucket did not answer"):
        lease.unpublish(["a"])
    lease.release()
    bucket.on_request = lambda *_: None
    another(bucket).lock("r", OWNER).release()
    assert not places(bucket)


def test_what_a_killed_holder_has_staged_is_destroyed(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = another(bucket)
    begin(store)
    store.stage("r", "a", message(LARGE))
    assert places(bucket)
    monkeypatch.setattr(presence, "_is_alive", lambda _: False)
    lease = another(bucket).lock("r", OWNER)
    assert not places(bucket)
    lease.release()


def test_a_removed_run_leaves_nothing(bucket: MemoryBucket) -> None:
    store = another(bucket)
    begin(store, "stays").release()
    before = set(bucket.objects)
    lease = begin(store)
    publish(store, lease, "a", LARGE)
    lease.release()
    another(bucket).remove("r", OWNER)
    assert set(bucket.objects) == before
