"""Record streams on a simulated disk: records without their artifact, torn ones, and leftovers."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from harness import Count
from powerloss import Disk, Tree
from powerloss_check import STORE, Bed, Eyes, crash_points, violations
from powerloss_recorder import Operation
from test_powerloss_writers import AT, begun, memory, recording

from waivern.errors import ArtifactNotFoundError
from waivern.message import Json, Message, SchemaRef
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    to_record,
)
from waivern.record_stream import INLINE_BYTES, RecordStream
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.writers import Lease
from waivern.testing.store_helpers import begin

__all__ = ["memory", "recording"]  # fixtures
pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

CANARY = b"anna@example.org"
RUNS = f"{STORE}/runs/"


def lines(sign: str) -> list[Json]:
    """Return a few records that are too large to be held."""
    return [{"of": sign, "mail": CANARY.decode(), "x": "x" * (INLINE_BYTES // 2)} for _ in range(3)]


def streamed(store: RunStore, key: str, sign: str, *, items: bool = False) -> Message:
    """Write the streams of an artifact, and return it."""
    streams = []
    for kind in ("records", "items"):
        sink = store.sink("r", key, "rows", kind=kind)
        for record in lines(sign):
            sink.write(record)
        stream = sink.finish()
        assert isinstance(stream, RecordStream)
        streams.append(stream)
        if not items:
            break
    made = Message(key, {"base": "."}, SchemaRef("any", "1.0"), run_id="r", timestamp=AT)
    return replace(made, records=streams[0], items=streams[1] if items else None)


def complete(store: RunStore, lease: Lease, key: str, made: Message) -> None:
    """Publish an artifact, and journal that it is completed."""
    receipt = store.stage("r", key, made)
    lease.publish([receipt])
    started = ArtifactStartedRecord(AT, key, 1, "connector:x", [])
    digests = receipt.digest, receipt.content_digest, "any/1.0", "connector:x", "1"
    done = ArtifactCompletedRecord(AT, key, "produced", receipt.size, *digests, {}, 1)
    lease.append([to_record(started), to_record(done)], sync=True)


def home_of(memory: Path) -> Path:
    home = memory / "home"
    home.mkdir()
    return home


def test_what_is_completed_has_its_records(
    memory: Path, recording: Callable[[], list[Operation]], tried: Count
) -> None:
    home = home_of(memory)
    disk = Disk(home)
    store = LocalFilesystemStore(home / STORE)
    lease = begun(store)
    complete(store, lease, "child/a", streamed(store, "child/a", "one", items=True))
    complete(store, lease, "top", streamed(store, "top", "two"))
    copied = replace(anyio.run(store.get, "r", "top"), id="child/deep/b")
    complete(store, lease, "child/deep/b", copied)
    lease.release()
    points = crash_points(disk, recording())
    assert disk.tree() == Disk(home).tree()
    found = violations(points, Bed(memory / "bed"), Eyes())
    assert not found, found.most_common(10)
    trees = [tree for tree, _ in points.states.values()]
    alone = sum("top.jsonl" in str(tree) and not _has(tree, "r/top.json") for tree in trees)
    assert alone, "no state has the records of an artifact without the artifact"
    tried("power loss: artifacts with streams, states", len(trees))


def _has(tree: Tree, path: str) -> bool:
    return RUNS + path in tree


def _seen(store: RunStore) -> str:
    """Return which value is read under the key; a wrong one has no name."""
    try:
        found = anyio.run(store.get, "r", "a")
    except ArtifactNotFoundError:
        return "nothing"
    if found.records is None:
        assert found.content == {"plain": True}
        return "plain"
    records = list(found.records)
    signs = {record["of"] for record in records}
    assert (len(signs), len(records), found.content) == (1, 3, {"base": "."})
    return str(signs.pop())


@pytest.mark.parametrize(
    ("before", "after", "between"),
    [
        ("one", "plain", set()),
        ("plain", "one", set()),
        ("one", "two", {"nothing"}),
        ("one", "nothing", set()),
    ],
)
def test_a_value_is_replaced_whole(
    memory: Path,
    recording: Callable[[], list[Operation]],
    tried: Count,
    before: str,
    after: str,
    between: set[str],
) -> None:
    """The upsert of the nine methods: after a crash there is the one or the other value."""
    home = home_of(memory)
    store = LocalFilesystemStore(home / STORE)
    lease = begun(store)
    plain = Message("a", {"plain": True})
    values = {"plain": plain} | {
        sign: streamed(store, "a", sign, items=sign == "one") for sign in ("one", "two")
    }
    anyio.run(store.save, "r", "a", values[before])
    disk, done = Disk(home), len(recording())
    if after == "nothing":
        anyio.run(store.delete, "r", "a")
    else:
        anyio.run(store.save, "r", "a", values[after])
    trace = recording()[done:]
    bed, seen = Bed(memory / "bed"), Counter[str]()
    points = crash_points(disk, trace)
    for tree, _ in points.states.values():
        bed.lay(tree)
        seen[_seen(LocalFilesystemStore(bed.folder / STORE))] += 1
    assert {before, after} <= seen.keys() <= {before, after} | between
    for state in disk.states():
        bed.lay(state.tree)
        assert _seen(LocalFilesystemStore(bed.folder / STORE)) == after
    lease.release()
    tried(f"power loss: {before} replaced by {after}: {dict(seen)}, states", seen.total())


def test_what_was_staged_is_swept_by_the_next_run(
    memory: Path, recording: Callable[[], list[Operation]], tried: Count
) -> None:
    home = home_of(memory)
    store = LocalFilesystemStore(home / STORE)
    begin(store, "earlier").release()
    disk, done = Disk(home), len(recording())
    lease = begun(store)
    streamed(store, "child/a", "one", items=True)
    store.stage("r", "top", Message("top", {"mail": CANARY.decode() * 5000}))
    trace = recording()[done:]
    bed, left = Bed(memory / "bed"), 0
    states = [tree for tree, _ in crash_points(disk, trace).states.values()]
    lease.release()
    for tree in states:
        if not any(CANARY in (data or b"") for data in tree.values()):
            continue
        left += 1
        bed.lay(tree)
        copy = memory / "copy"
        bed.copy(copy)
        begin(LocalFilesystemStore(copy / STORE), "next").release()
        assert [*_holding(copy)] == []
        shutil.rmtree(copy)
    assert left > 20
    tried("power loss: states with staged leftovers, swept by the next run", left)


def _holding(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and CANARY in path.read_bytes():
            yield path
