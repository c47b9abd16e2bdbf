"""The part of the conformance suite of a store that is about record streams."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import anyio
import pytest

from waivern.errors import ComponentError, IntegrityError, NotFoundError, StoreError
from waivern.message import Json, Message, content_digest
from waivern.record_stream import INLINE_BYTES, INLINE_RECORDS, RecordStream
from waivern.store.base import RunStore
from waivern.store.store_values import Receipt
from waivern.store.writers import Lease, RecordSink
from waivern.testing.store_helpers import OWNER, begin, message, publish, ref

MANY = INLINE_RECORDS + 500


def rows(count: int = MANY) -> list[Json]:
    """Return records, in which the order of keys and characters beyond ASCII matter."""
    return [{"n": n, "a": "čaj ☕", "none": None, "list": [1, 2.5, True]} for n in range(count)]


def fill(sink: RecordSink, records: list[Json]) -> RecordStream:
    """Write records into a sink, and return the stream that they make."""
    for record in records:
        sink.write(record)
    stream = sink.finish()
    assert isinstance(stream, RecordStream)
    return stream


def streamed(
    store: RunStore, key: str = "a", records: list[Json] | None = None, items: bool = False
) -> Message:
    """Return a message of run r whose records, and items on demand, were written into sinks."""
    made = fill(store.sink("r", key, "rows"), rows() if records is None else records)
    index = None
    if items:
        index = fill(store.sink("r", key, "items", kind="items"), [{"item": "x", "records": 2}])
    return Message(id=key, content={"base": "."}, records=made, items=index)


def publish_stream(
    store: RunStore, lease: Lease, key: str = "a", *, items: bool = False
) -> Receipt:
    """Stage an artifact with streams and publish it."""
    receipt = store.stage("r", key, streamed(store, key, items=items))
    lease.publish([receipt])
    return receipt


@contextmanager
def begin_run(store: RunStore) -> Iterator[Lease]:
    """Begin run r, and release it at the end."""
    lease = begin(store)
    try:
        yield lease
    finally:
        lease.release()


def get(store: RunStore, key: str = "a") -> Message:
    """Return an artifact of run r."""
    return anyio.run(store.get, "r", key)


def paths(store: RunStore, *kinds: str) -> list[str]:
    """Return the paths of the files of these kinds in run r."""
    return [file.path for file in store.files("r") if file.kind in kinds]


class StreamConformance:
    """The tests of record streams that every store passes."""

    def test_few_records_are_a_list(self, store: RunStore) -> None:
        with begin_run(store):
            sink = store.sink("r", "a", "rows")
            for record in rows(INLINE_RECORDS)[: INLINE_BYTES // 100]:
                sink.write(record)
            sink.write((1, 2))
            found = sink.finish()
            assert isinstance(found, list)
            assert found[0] == rows(1)[0]
            assert found[-1] == [1, 2]
            assert not paths(store, "staged")

    @pytest.mark.parametrize("records", [rows(INLINE_RECORDS + 1), [{"text": "x" * INLINE_BYTES}]])
    def test_many_or_large_records_are_a_stream(self, store: RunStore, records: list[Json]) -> None:
        with begin_run(store):
            stream = fill(store.sink("r", "a", "rows"), records)
            lines = [
                json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode()
                for each in records
            ]
            data = b"".join(line + b"\n" for line in lines)
            assert (stream.name, stream.count, stream.size) == ("rows", len(records), len(data))
            assert stream.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
            assert b"".join(stream.chunks(0)) == data
            assert [*stream] == records
            assert [*stream] == records  # and once more

    @pytest.mark.parametrize("count", [0, INLINE_RECORDS + 7])
    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (float("nan"), "nan"),
            ({"x": float("inf")}, "inf"),
            ("\ud800", "surrogate"),
            ({1: 2}, "not text"),
            ({"x": {1, 2}}, "set"),
            (json.loads("[" * 300 + "]" * 300), "deeper"),
        ],
    )
    def test_a_record_that_is_not_json_is_named(
        self, store: RunStore, count: int, bad: Json, why: str
    ) -> None:
        with begin_run(store):
            sink = store.sink("r", "a", "rows")
            for record in rows(count):
                sink.write(record)
            with pytest.raises(ComponentError, match=f"record {count + 1:,} .*{why}"):
                sink.write(bad)
            sink.discard()

    def test_a_record_may_be_too_large(
        self, store: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("waivern.message.RECORD_BYTES", 1000)
        with begin_run(store):
            sink = store.sink("r", "a", "rows")
            sink.write("x" * 900)
            with pytest.raises(ComponentError, match="record 2 has 1,002 bytes"):
                sink.write("x" * 1000)

    def test_a_stream_is_published_with_its_artifact(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            made = streamed(store, items=True)
            receipt = store.stage("r", "a", made)
            assert not paths(store, "artifact", "records", "items")
            staged = store.fetch("r", ref(receipt, staged=True))
            assert staged.content == {"base": "."}
            assert staged.records is not None
            assert [*staged.records] == rows()
            lease.publish([receipt])
            assert made.records is not None
            for found in (staged, made, get(store), store.fetch("r", ref(receipt))):
                assert found.records is not None
                assert found.items is not None
                assert [*found.records] == rows()
                assert [*found.items] == [{"item": "x", "records": 2}]
                assert found.records.document() == made.records.document()
            assert receipt.content_digest == content_digest({"base": "."}, made.records)
            assert receipt.content_digest != content_digest({"base": "."})
            assert anyio.run(store.list_keys, "r") == ["a"]
            assert paths(store, "records") == [store.file_path("records", "a")]
            assert paths(store, "items") == [store.file_path("items", "a")]
            assert store.size("r") > made.records.size
            assert store.verify("r", "a", size=receipt.size, digest=receipt.digest) is None
        assert not paths(store, "staged", "other")

    def test_the_items_are_not_part_of_the_content(self, store: RunStore) -> None:
        with begin_run(store):
            plain = store.stage("r", "a", streamed(store))
            indexed = store.stage("r", "a", streamed(store, items=True))
            assert plain.content_digest == indexed.content_digest
            assert plain.digest != indexed.digest
            assert store.sink("r", "a", "items", kind="items").finish() == []

    def test_a_stream_is_copied(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            publish_stream(store, lease, "x/a", items=True)
            found = get(store, "x/a")
            copy = store.stage("r", "y/b", replace(found, id="y/b"))
            lease.publish([copy])
            lease.unpublish(["x/a"])
            again = get(store, "y/b")
            assert again.records is not None
            assert [*again.records] == rows()
            assert store.verify("r", "y/b", size=copy.size, digest=copy.digest) is None
            assert paths(store, "artifact", "records", "items") == [
                store.file_path("items", "y/b"),
                store.file_path("artifact", "y/b"),
                store.file_path("records", "y/b"),
            ]

    def test_a_copy_must_be_exact(self, store: RunStore) -> None:
        def stream(name: str, **facts: Json) -> RecordStream:
            data = b'{"n":1}\n'
            told = {"count": 1, "size": 8, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
            return RecordStream(name, **{**told, **facts}, chunks=lambda at: iter([data[at:]]))

        with begin_run(store) as lease:
            fine = Message(id="a", content={}, records=stream("rows"))
            receipt = store.stage("r", "a", fine)
            for facts in ({"size": 9}, {"digest": "sha256:" + "0" * 64}):
                with pytest.raises(IntegrityError):
                    store.stage("r", "b", replace(fine, id="b", records=stream("rows", **facts)))
            with pytest.raises(ComponentError, match="rows"):
                store.stage("r", "b", replace(fine, content={"rows": []}))
            lease.publish([receipt])
            assert [*(get(store).records or ())] == [{"n": 1}]
        assert not paths(store, "staged")

    def test_a_sink_may_be_discarded(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            sink = store.sink("r", "a", "rows")
            for record in rows(5000):
                sink.write(record)
            sink.discard()
            sink.discard()
            assert not paths(store, "staged")
            with pytest.raises(StoreError):
                sink.write(1)
            sink = store.sink("r", "a", "rows")
            stream = fill(sink, rows())
            lease.publish([store.stage("r", "a", Message(id="a", content={}, records=stream))])
            sink.discard()  # too late: it was staged
            assert [*(get(store).records or ())] == rows()

    @pytest.mark.parametrize("end", ["released", "finished and released"])
    def test_nothing_staged_outlives_the_attempt(self, store: RunStore, end: str) -> None:
        with begin_run(store):
            sink = store.sink("r", "x/a", "rows")
            for record in rows(5000):
                sink.write(record)
            if end == "finished and released":
                made = sink.finish()
                assert isinstance(made, RecordStream)
                store.stage("r", "x/b", Message(id="x/b", content={}, records=made))
            assert paths(store, "staged")
        assert not paths(store, "staged", "records", "artifact")

    @pytest.mark.parametrize("by", ["publish", "save"])
    def test_an_artifact_is_replaced_with_its_streams(self, store: RunStore, by: str) -> None:
        def put(made: Message) -> None:
            if by == "save":
                anyio.run(store.save, "r", "a", made)
            else:
                lease.publish([store.stage("r", "a", made)])

        with begin_run(store) as lease:
            put(streamed(store, items=True))
            put(streamed(store, records=rows(MANY + 1)))
            assert [*(get(store).records or ())] == rows(MANY + 1)
            assert not paths(store, "items")
            put(message(3))
            assert get(store) == message(3)
            assert paths(store, "artifact", "records", "items") == [
                store.file_path("artifact", "a")
            ]
            put(streamed(store, items=True))
            anyio.run(store.delete, "r", "a")
            assert not paths(store, "artifact", "records", "items")

    def test_clear_removes_streams(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            publish_stream(store, lease, "x/a", items=True)
            publish(store, lease, "b")
            anyio.run(store.clear, "r")
            assert not paths(store, "artifact", "records", "items")

    def test_sweep_removes_streams(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            for key in ("x/a", "b", "c"):
                publish_stream(store, lease, key, items=True)
            lease.sweep(["x/a", "b"])
            assert paths(store, "artifact", "records", "items") == [
                store.file_path(kind, "c") for kind in ("items", "artifact", "records")
            ]

    # the fence around staged files

    @abstractmethod
    def open_again(self, store: RunStore) -> RunStore:
        """Return another object for the same store."""

    def test_another_object_stages_into_the_attempt(self, store: RunStore) -> None:
        other = self.open_again(store)
        with begin_run(store) as lease:
            receipts = [
                other.stage("r", "x/a", streamed(other, "x/a", items=True)),
                other.stage("r", "b", message(1)),
            ]
            assert not paths(store, "artifact", "records", "items")
            assert store.fetch("r", ref(receipts[1], staged=True)) == message(1)
            lease.publish(receipts)
            assert [*(get(store, "x/a").records or ())] == rows()
        assert not paths(store, "staged")

    def test_a_late_writer_is_refused(self, store: RunStore) -> None:
        """A worker whose attempt is over neither revives it nor writes into the next one."""
        other = self.open_again(store)
        with begin_run(store):
            late = other.stage("r", "a", message(1))
            ready = streamed(other, "b")
            sink = other.sink("r", "c", "rows")
            for record in rows():
                sink.write(record)
        assert not paths(store, "staged")
        lease = None
        for _ in range(2):  # after the attempt, and in the next one
            with pytest.raises(StoreError, match="run r is over"):
                other.stage("r", "a", message(1))
            with pytest.raises(StoreError, match="run r is over"):
                other.stage("r", "b", ready)
            lease = lease or store.lock("r", OWNER)
        with pytest.raises(StoreError, match="run r is over"):
            fill(sink, rows(50_000))
        assert lease is not None
        with pytest.raises(StoreError, match="another attempt"):
            lease.publish([late])
        sink.discard()
        assert not paths(store, "artifact", "records", "staged")
        lease.release()

    def test_a_run_that_is_not_held_takes_nothing(self, store: RunStore) -> None:
        begin(store).release()
        for each in (store, self.open_again(store)):
            with pytest.raises(StoreError, match="run r is over"):
                each.stage("r", "a", message(1))
            with pytest.raises(StoreError, match="run r is over"):
                each.sink("r", "a", "rows")
        with pytest.raises(NotFoundError):
            store.stage("unknown", "a", message(1))

    def test_a_stream_that_is_gone_is_named(self, store: RunStore) -> None:
        with begin_run(store) as lease:
            receipt = publish_stream(store, lease)
            found = store.fetch("r", ref(receipt))
            lease.unpublish(["a"])
            assert found.records is not None
            with pytest.raises(IntegrityError, match=r"records of artifact 'a' .* are missing"):
                list(found.records)
