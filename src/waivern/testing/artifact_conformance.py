"""The part of the conformance suite of a store that is about artifacts and their publication."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from waivern.errors import (
    ArtifactNotFoundError,
    ComponentError,
    IntegrityError,
    NotFoundError,
    RunNotFoundError,
    UsageError,
)
from waivern.message import ANY_JSON, Json, Message, SchemaRef, sha256
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef
from waivern.testing.store_helpers import (
    OWNER,
    begin,
    initial_state,
    message,
    publish,
    records,
    ref,
    without_plugin,
)

BAD = ["", ".", "..", "../x", "/etc/passwd", "a/../b", "a//b", "a/", "/a", "a\0b", "a b", ".hidden"]
BAD += ["_system", "_SYSTEM", "_system/run", "x.json", "x.jsonl", "x.tmp", "x.log", "č", "x\n"]
BAD += ["a\\b", "x" * 129]


@without_plugin
class ArtifactConformance:
    """The tests of artifacts that every store passes."""

    # the nine

    async def test_what_is_saved_comes_back(self, store: RunStore) -> None:
        whole = Message(
            id="a",
            content={"text": "čaj ☕ \u0000", "n": [1, 2.5, None, True]},
            schema=SchemaRef("findings", "2.0.1"),
            context={"k": "v"},
            run_id="r",
            source="connector:x",
            timestamp="2026-01-02T03:04:05.000Z",
            extensions={"coverage": None},
        )
        await store.save("r", "a", whole)
        assert await store.get("r", "a") == whole
        assert await store.exists("r", "a")

    async def test_save_is_an_upsert(self, store: RunStore) -> None:
        await store.save("r", "a", message(1))
        await store.save("r", "a", message(2))
        assert (await store.get("r", "a")).content == 2
        assert await store.list_keys("r") == ["a"]

    @pytest.mark.parametrize("content", [None, False, 0, "", [], {}])
    async def test_falsy_content_is_content(self, store: RunStore, content: Json) -> None:
        await store.save("r", "a", Message(id="a", content=content))
        found = (await store.get("r", "a")).content
        assert found == content
        assert type(found) is type(content)

    async def test_get_of_what_is_not_there(self, store: RunStore) -> None:
        await store.save("r", "a", message())
        for run_id, key in [("r", "b"), ("unknown", "a"), ("r", "a/b"), ("r", "x/y/z")]:
            with pytest.raises(ArtifactNotFoundError):
                await store.get(run_id, key)
            assert not await store.exists(run_id, key)

    async def test_delete(self, store: RunStore) -> None:
        await store.save("r", "a", message())
        await store.save("r", "b", message())
        await store.delete("r", "a")
        assert await store.list_keys("r") == ["b"]
        await store.delete("r", "a")
        await store.delete("r", "x/y")
        await store.delete("unknown", "a")
        assert await store.list_keys("r") == ["b"]

    async def test_list_keys_is_sorted_and_takes_a_prefix(self, store: RunStore) -> None:
        for key in ["b", "a/c", "a", "a.b", "ab", "a/b/c"]:
            await store.save("r", key, message())
        await store.save_json("r", "run", {"n": 1})
        keys = ["a", "a.b", "a/b/c", "a/c", "ab", "b"]
        assert await store.list_keys("r") == keys
        assert await store.list_keys("r", "a/") == ["a/b/c", "a/c"]
        assert await store.list_keys("r", "ab") == ["ab"]
        assert await store.list_keys("r", "zzz") == []
        assert await store.list_keys("r", "_system") == []
        assert await store.list_keys("unknown") == []

    async def test_clear_keeps_the_records(self, store: RunStore) -> None:
        await store.save("r", "a", message())
        await store.save("r", "child/b", message())
        await store.save("other", "a", message())
        await store.save_json("r", "run", {"status": "completed"})
        await store.clear("r")
        await store.clear("unknown")
        assert await store.list_keys("r") == []
        assert await store.get_json("r", "run") == {"status": "completed"}
        assert await store.list_keys("other") == ["a"]
        assert await store.list_runs() == ["other", "r"]

    async def test_list_runs(self, store: RunStore) -> None:
        assert await store.list_runs() == []
        for run_id in ["b", "a", "c.d"]:
            await store.save(run_id, "x", message())
        assert await store.list_runs() == store.runs() == ["a", "b", "c.d"]

    @pytest.mark.parametrize("key", ["run", "_system/run"])
    async def test_records_by_either_name(self, store: RunStore, key: str) -> None:
        other = "_system/run" if key == "run" else "run"
        await store.save_json("r", key, {"a": [1, {"b": None}], "č": "ž"})
        assert await store.get_json("r", other) == {"a": [1, {"b": None}], "č": "ž"}
        await store.save_json("r", other, {"n": 2})
        assert await store.get_json("r", key) == store.read_json("r", key) == {"n": 2}
        assert await store.list_keys("r") == []

    async def test_a_record_that_is_not_there(self, store: RunStore) -> None:
        await store.save_json("r", "run", {"n": 1})
        with pytest.raises(ArtifactNotFoundError):
            await store.get_json("r", "state")
        with pytest.raises(NotFoundError):
            await store.get_json("unknown", "run")

    async def test_a_run_with_artifacts_alone_has_no_record(self, store: RunStore) -> None:
        await store.save("r", "a", message())
        with pytest.raises(ArtifactNotFoundError):
            await store.get_json("r", "run")

    async def test_looking_at_an_unknown_run_makes_nothing(self, store: RunStore) -> None:
        await store.list_keys("unknown")
        await store.exists("unknown", "a")
        await store.delete("unknown", "a")
        await store.clear("unknown")
        for look in (store.read_journal, store.last_record, store.owner):
            with pytest.raises(RunNotFoundError):
                look("unknown")
        with pytest.raises(RunNotFoundError):
            store.lock("unknown", OWNER)
        with pytest.raises(RunNotFoundError):
            store.stage("unknown", "a", message())
        with pytest.raises(RunNotFoundError):
            store.remove("unknown", OWNER)
        assert await store.list_runs() == []

    async def test_no_object_is_shared_with_the_store(self, store: RunStore) -> None:
        content = {"list": [1]}
        document = {"list": [1]}
        await store.save("r", "a", message(content))
        await store.save_json("r", "run", document)
        content["list"].append(2)
        document["list"].append(2)
        first = await store.get("r", "a")
        first.content["list"].append(3)
        (await store.get_json("r", "run"))["list"].append(3)
        assert (await store.get("r", "a")).content == {"list": [1]}
        assert await store.get_json("r", "run") == {"list": [1]}

    @pytest.mark.parametrize("content", [{(1,): 2}, {"x": float("nan")}, object(), {"x": "\ud800"}])
    async def test_only_json_is_kept(self, store: RunStore, content: Json) -> None:
        await store.save("r", "a", message("before"))
        with pytest.raises(ComponentError, match="content is not JSON"):
            await store.save("r", "a", message(content))
        assert (await store.get("r", "a")).content == "before"

    async def test_keys_of_content_are_text(self, store: RunStore) -> None:
        with pytest.raises(ComponentError, match="not text"):
            await store.save("r", "a", message({1: "one"}))

    # ids

    @pytest.mark.parametrize("key", BAD)
    async def test_keys_that_are_refused(self, store: RunStore, key: str) -> None:
        await store.save("r", "a", message())
        for call in (store.get, store.exists, store.delete):
            with pytest.raises(UsageError):
                await call("r", key)
        with pytest.raises(UsageError):
            await store.save("r", key, message())
        with pytest.raises(UsageError):
            store.stage("r", key, message())
        assert await store.list_keys("r") == ["a"]

    @pytest.mark.parametrize("run_id", [*BAD, "a/b"])
    async def test_run_ids_that_are_refused(self, store: RunStore, run_id: str) -> None:
        with pytest.raises(UsageError):
            await store.save(run_id, "a", message())
        for call in (store.get, store.exists, store.delete, store.list_keys):
            with pytest.raises(UsageError):
                await call(run_id, "a")
        with pytest.raises(UsageError):
            await store.save_json(run_id, "run", {})
        with pytest.raises(UsageError):
            await store.get_json(run_id, "run")
        for port in (store.read_journal, store.owner):
            with pytest.raises(UsageError):
                port(run_id)
        with pytest.raises(UsageError):
            store.begin(run_id, initial_state(), OWNER)
        with pytest.raises(UsageError):
            store.lock(run_id, OWNER)
        with pytest.raises(UsageError):
            store.remove(run_id, OWNER)
        assert await store.list_runs() == []

    @pytest.mark.parametrize("record", ["", "..", "../run", "/run", "a\0", "_system", "run.json"])
    async def test_record_names_that_are_refused(self, store: RunStore, record: str) -> None:
        await store.save_json("r", "run", {"n": 1})
        with pytest.raises(UsageError):
            await store.save_json("r", record, {})
        with pytest.raises(UsageError):
            await store.get_json("r", record)

    @pytest.mark.parametrize("key", ["a..b", "a.", "-a", "_", "a/_systems", "x.json5", "x" * 128])
    async def test_unusual_keys_that_are_legal(self, store: RunStore, key: str) -> None:
        await store.save("r", key, message())
        assert await store.list_keys("r") == [key]
        assert (await store.get("r", key)).content == {"n": 1}

    # stage, publish, fetch

    async def test_staged_is_invisible_until_published(self, store: RunStore) -> None:
        lease = begin(store)
        receipt = store.stage("r", "child/a", message("v", "child/a"))
        assert receipt.key == "child/a"
        assert await store.list_keys("r") == []
        assert not await store.exists("r", "child/a")
        with pytest.raises(ArtifactNotFoundError):
            await store.get("r", "child/a")
        with pytest.raises(ArtifactNotFoundError):
            store.fetch("r", ref(receipt))
        assert store.fetch("r", ref(receipt, staged=True)).content == "v"

        lease.publish([receipt])
        assert await store.list_keys("r") == ["child/a"]
        assert (await store.get("r", "child/a")).content == "v"
        assert store.fetch("r", ref(receipt)).content == "v"
        assert store.fetch("r", ref(receipt, staged=True)).content == "v"  # it has moved: found
        lease.release()

    async def test_many_are_published_at_once(self, store: RunStore) -> None:
        lease = begin(store)
        keys = ["a", "b/c", "b/d", "e/f/g"]
        lease.publish([store.stage("r", key, message(key, key)) for key in keys])
        lease.publish([])
        assert await store.list_keys("r") == keys
        assert [(await store.get("r", key)).content for key in keys] == keys
        lease.release()

    async def test_fetch_gives_exactly_what_was_meant(self, store: RunStore) -> None:
        lease = begin(store)
        old = publish(store, lease, "a", "old")
        new = publish(store, lease, "a", "new")
        assert store.fetch("r", ref(new)).content == "new"
        with pytest.raises(IntegrityError, match="'a'"):
            store.fetch("r", ref(old))
        with pytest.raises(ArtifactNotFoundError):
            store.fetch("r", ArtifactRef("b", new.digest, new.content_digest))
        assert store.verify("r", "a", size=new.size, digest=new.digest) is None
        assert store.verify("r", "a", size=old.size, digest=old.digest) == "altered"
        assert store.verify("r", "a", size=new.size + 1, digest=new.digest) == "altered"
        assert store.verify("r", "b", size=1, digest=new.digest) == "missing"
        lease.release()

    async def test_a_receipt_tells_the_truth(self, store: RunStore) -> None:
        lease = begin(store)
        first = store.stage("r", "a", Message("a", {"b": 1, "a": 2}, SchemaRef("s", "1.2.3")))
        again = store.stage("r", "a", Message("a", {"a": 2, "b": 1}, timestamp="now"))
        assert first.schema == "s/1.2.3"
        assert again.schema == str(ANY_JSON)
        assert first.staged != again.staged
        assert first.digest != again.digest
        assert first.content_digest == sha256(b'{"b":1,"a":2}')  # a component sees the order
        assert again.content_digest == sha256(b'{"a":2,"b":1}')
        lease.release()

    async def test_many_threads_stage_at_once(self, store: RunStore) -> None:
        lease = begin(store)
        start = threading.Barrier(8)

        def work(n: int) -> list[str]:
            start.wait(5)
            keys = [f"t{n}/a{m}" for m in range(20)]
            lease.publish([store.stage("r", key, message(key, key)) for key in keys])
            return keys

        with ThreadPoolExecutor(8) as pool:
            keys = [key for keys in pool.map(work, range(8)) for key in keys]
        assert len(keys) == 160
        assert await store.list_keys("r") == sorted(keys)
        for key in keys:
            assert (await store.get("r", key)).content == key
        lease.release()

    @pytest.mark.parametrize("size", [(1 << 18) - 200, 1 << 18, 1 << 20])
    async def test_big_artifacts(self, store: RunStore, size: int) -> None:
        """Around the size up to which files are synced in a group, and well above."""
        lease = begin(store)
        small = store.stage("r", "small", message("s"))
        receipt = store.stage("r", "big", message("x" * size))
        assert receipt.size > size
        assert store.fetch("r", ref(receipt, staged=True)).content == "x" * size
        lease.publish([small, receipt])
        assert (await store.get("r", "big")).content == "x" * size
        assert (await store.get("r", "small")).content == "s"
        lease.release()

    async def test_discard(self, store: RunStore) -> None:
        lease = begin(store)
        for key in ["a", "b/c", "b/d"]:
            publish(store, lease, key)
        left = store.stage("r", "late", message())
        lease.sweep(["a", "b/c", "never"])
        assert await store.list_keys("r") == ["b/d"]
        with pytest.raises(ArtifactNotFoundError):
            store.fetch("r", ref(left, staged=True))
        assert records(store) == [{"type": "born"}]
        lease.release()
