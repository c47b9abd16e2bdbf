"""The conformance suite of a store: what every store does, as tests that any store can run.

    from waivern.testing.stores import StoreConformance

    class TestMyStore(StoreConformance):
        def open_store(self, folder: Path) -> RunStore:
            return MyStore(folder)

pytest finds the tests in the subclass. They need no plugin: each runs its own event loop.
"""

from __future__ import annotations

import functools
import inspect
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest

from waivern import list_runs, load, run
from waivern.errors import (
    ArtifactNotFoundError,
    ComponentError,
    IntegrityError,
    NotFoundError,
    RefusedError,
    RunLockedError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from waivern.message import ANY_JSON, Json, Message, SchemaRef, sha256
from waivern.runs.verify import verify
from waivern.store.base import ArtifactRef, Owner, RunStore
from waivern.testing.store_helpers import (
    OWNER,
    RUNBOOK,
    begin,
    initial_state,
    message,
    publish,
    records,
    ref,
    write_log,
)
from waivern.testing.stream_conformance import StreamConformance

RUN = """\
name: conformance
artifacts:
  mail: {source: {type: filesystem, properties: {path: mail.txt}}}
  findings: {inputs: mail, process: {type: personal_data}}
"""
BAD = ["", ".", "..", "../x", "/etc/passwd", "a/../b", "a//b", "a/", "/a", "a\0b", "a b", ".hidden"]
BAD += ["_system", "_SYSTEM", "_system/run", "x.json", "x.jsonl", "x.tmp", "x.log", "č", "x\n"]
BAD += ["a\\b", "x" * 129]


def _key(n: int) -> str:
    return sha256(str(n).encode())


def _synchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return a test that pytest runs without a plugin for coroutines."""

    @functools.wraps(test)
    def run(*args: object, **options: object) -> None:
        anyio.run(functools.partial(test, *args, **options))

    return run


class StoreConformance(StreamConformance):
    """The tests that every store passes; a subclass says how to open one."""

    @abstractmethod
    def open_store(self, folder: Path) -> RunStore:
        """Return a new, empty store; `folder` is empty too, and no other test's."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RunStore]:
        """A store of its own for each test."""
        opened = self.open_store(tmp_path / "store")
        yield opened
        anyio.run(opened.aclose)

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

    # journal

    async def test_the_journal_keeps_order_and_content(self, store: RunStore) -> None:
        lease = begin(store)
        many: list[dict[str, Json]] = [
            {"type": "x", "n": n, "text": "č\n\u2028"} for n in range(50)
        ]
        lease.append(many[:20], sync=False)
        lease.append([], sync=True)
        lease.append(iter(many[20:]), sync=True)
        journal = store.read_journal("r")
        assert [line.record for line in journal.lines] == [{"type": "born"}, *many]
        assert [line.seq for line in journal.lines] == list(range(1, 52))
        assert len({line.hash for line in journal.lines}) == 51
        assert not journal.torn
        assert store.last_record("r") == many[-1]
        lease.release()
        assert records(store) == [{"type": "born"}, *many]

    async def test_the_chain_goes_on_with_the_next_holder(self, store: RunStore) -> None:
        begin(store).release()
        for n in range(3):
            lease = store.lock("r", OWNER)
            lease.append([{"n": n}], sync=True)
            lease.release()
        assert records(store)[1:] == [{"n": 0}, {"n": 1}, {"n": 2}]

    # lock

    async def test_one_holder(self, store: RunStore) -> None:
        lease = begin(store)
        other = Owner("host-b", 12, "2026-02-02T00:00:00.000Z")
        assert store.owner("r") == OWNER
        with pytest.raises(
            RunLockedError, match="process 4711 on host-a, since 2026-01-02"
        ) as raised:
            store.lock("r", other)
        assert raised.value.hint
        with pytest.raises(RunLockedError):
            store.remove("r", other)
        assert store.owner("r") == OWNER  # the refused one left no trace
        lease.release()
        assert store.owner("r") is None
        second = store.lock("r", other)
        assert store.owner("r") == other
        second.release()
        assert store.owner("r") is None

    async def test_releasing_twice_is_harmless(self, store: RunStore) -> None:
        first = begin(store)
        first.release()
        first.release()
        second = store.lock("r", OWNER)
        first.release()
        assert store.owner("r") == OWNER
        with pytest.raises(RunLockedError):
            store.lock("r", OWNER)
        second.release()

    async def test_other_runs_are_free(self, store: RunStore) -> None:
        one, two = begin(store, "r1"), begin(store, "r2")
        assert store.runs() == ["r1", "r2"]
        one.release()
        assert store.owner("r1") is None
        assert store.owner("r2") == OWNER
        two.release()

    async def test_one_of_many_lockers_wins(self, store: RunStore) -> None:
        begin(store).release()
        start = threading.Barrier(4)

        def attempt(n: int) -> bool:
            start.wait(5)
            try:
                store.lock("r", Owner("h", n, "t"))
            except RunLockedError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(attempt, range(4)))
        assert won.count(True) == 1
        assert store.owner("r") == Owner("h", won.index(True), "t")

    # a run's life

    async def test_a_run_begins_whole(self, store: RunStore) -> None:
        lease = store.begin("r", initial_state({"type": "one"}, {"type": "two"}), OWNER)
        assert records(store) == [{"type": "one"}, {"type": "two"}]
        run = store.read_json("r", "run")
        head = store.read_journal("r").lines[-1].hash
        assert run == {"run_id": "r", "status": "running", "journal": {"count": 2, "head": head}}
        assert store.read_json("r", "state") == {"completed": []}
        assert store.read_runbook("r", sha256(RUNBOOK)) == RUNBOOK
        with pytest.raises(IntegrityError):
            store.read_runbook("r", sha256(b"another"))
        lease.release()

    async def test_an_id_is_taken_once(self, store: RunStore) -> None:
        lease = begin(store)
        with pytest.raises(RefusedError, match="already"):
            begin(store)
        lease.release()
        with pytest.raises(RefusedError, match="already"):
            begin(store)
        assert store.runs() == ["r"]
        assert store.owner("r") is None

    async def test_every_runbook_that_ran_is_kept(self, store: RunStore) -> None:
        lease = begin(store)
        for data in (b"second", b"second", b"third"):
            lease.replace_runbook(data)
        for data in (RUNBOOK, b"second", b"third"):
            assert store.read_runbook("r", sha256(data)) == data
        lease.release()

    async def test_projections_name_the_durable_head(self, store: RunStore) -> None:
        lease = begin(store)
        lease.append([{"n": 1}], sync=True)
        lease.project({"status": "running"}, {"completed": ["a"]}, sync=False)
        assert store.read_json("r", "run")["journal"]["count"] == 1  # what was synced, no more
        assert store.read_json("r", "state") == {"completed": ["a"]}
        lease.project({"status": "completed"}, {"completed": ["a"]}, sync=True)
        journal = store.read_journal("r")
        assert store.read_json("r", "run") == {
            "status": "completed",
            "journal": {"count": 2, "head": journal.lines[-1].hash},
        }
        lease.release()

    async def test_remove(self, store: RunStore) -> None:
        lease = begin(store, "gone")
        publish(store, lease, "child/a", run_id="gone")
        lease.release()
        begin(store, "stays").release()
        store.remove("gone", OWNER)
        assert store.runs() == ["stays"]
        with pytest.raises(RunNotFoundError):
            store.read_journal("gone")
        assert await store.list_keys("gone") == []
        begin(store, "gone").release()
        assert records(store, "gone") == [{"type": "born"}]
        assert await store.list_keys("gone") == []

    async def test_logs(self, store: RunStore) -> None:
        lease = begin(store)
        assert store.read_log("r", "child/a") == ""
        write_log(store, "r", "child/a", "one č\n")
        write_log(store, "r", "child/a", "two\n")
        write_log(store, "r", "b", "other\n")
        assert store.read_log("r", "child/a") == "one č\ntwo\n"
        assert store.read_log("r", "b") == "other\n"
        assert await store.list_keys("r") == []
        for key in ["../x", "_system", ""]:
            with pytest.raises(UsageError):
                write_log(store, "r", key, "x")
            with pytest.raises(UsageError):
                store.read_log("r", key)
        lease.release()

    async def test_a_log_is_open_until_it_is_closed(self, store: RunStore) -> None:
        lease = begin(store)
        with store.log("r", "a") as first, store.log("r", "a") as second:
            assert store.read_log("r", "a") == ""
            for n in range(3):
                first.write(f"first {n}\n")
                second.write(f"second {n}\n")
            lines = store.read_log("r", "a").splitlines()
        assert lines == [f"{who} {n}" for n in range(3) for who in ("first", "second")]
        first.close()
        with store.log("r", None) as own:
            own.write("of the run\n")
        assert store.read_log("r", None) == "of the run\n"
        lease.release()

    async def test_a_journal_is_read_from_a_line_on(self, store: RunStore) -> None:
        lease = begin(store)
        lease.append([{"n": n} for n in range(2, 6)], sync=True)
        assert [line.seq for line in store.read_journal("r", 3).lines] == [4, 5]
        assert store.read_journal("r", 5).lines == ()
        assert store.read_journal("r", 0) == store.read_journal("r")
        assert store.watch_s > 0
        lease.release()

    async def test_requests_to_the_holder(self, store: RunStore) -> None:
        lease = begin(store)
        assert store.requests("r") == {}
        assert store.request("r", "cancel", {"by": "a"})
        assert not store.request("r", "cancel", {"by": "b"})
        assert store.requests("r") == {"cancel": {"by": "a"}}
        lease.clear_requests()
        assert store.requests("r") == {}
        lease.release()

    async def test_pins(self, store: RunStore) -> None:
        begin(store).release()
        assert not store.pinned("r")
        store.pin("r", {"by": "a"})
        store.pin("r", {"by": "b"})
        assert store.pinned("r")
        assert b'"a"' in store.read_record("r", "pin")
        store.pin("r", None)
        store.pin("r", None)
        assert not store.pinned("r")

    async def test_the_history(self, store: RunStore) -> None:
        assert store.read_history("r") == []
        for n in range(3):
            store.append_history({"run_id": "r", "n": n})
            store.append_history({"run_id": "other", "n": n})
        assert store.read_history("r") == [{"run_id": "r", "n": n} for n in range(3)]

    async def test_children_that_ran_are_kept(self, store: RunStore) -> None:
        first, second = {"a.yaml": b"a", "sub/b.yaml": b"b"}, {"a.yaml": b"changed"}
        lease = store.begin("r", initial_state(children=first), OWNER)
        lease.replace_children(second)
        for path, data in [*first.items(), *second.items()]:
            assert store.read_child("r", path, sha256(data)) == data
        with pytest.raises(IntegrityError):
            store.read_child("r", "a.yaml", sha256(b"another"))
        lease.release()

    async def test_withdraw(self, store: RunStore) -> None:
        lease = begin(store)
        for key in ["a", "b/c"]:
            publish(store, lease, key)
        lease.unpublish(["b/c", "never"])
        assert await store.list_keys("r") == ["a"]
        lease.release()

    async def test_nothing_is_written_after_the_release(self, store: RunStore) -> None:
        lease = begin(store)
        lease.release()
        with pytest.raises(StoreError):
            lease.append([{"n": 1}], sync=True)
        with pytest.raises(StoreError):
            store.stage("r", "a", message())
        assert records(store) == [{"type": "born"}]

    async def test_files_say_what_they_are(self, store: RunStore) -> None:
        lease = store.begin("r", initial_state(children={"sub/b.yaml": b"b"}), OWNER)
        publish(store, lease, "child/a")
        lease.replace_runbook(b"another")
        found = {(file.kind, file.name) for file in store.files("r")}
        assert {
            ("artifact", "child/a"),
            ("record", "run"),
            ("record", "state"),
            ("record", "journal"),
            ("record", "runbook"),
            ("child", "sub/b.yaml"),
        } <= found
        for file in store.files("r"):
            if file.kind in ("artifact", "record", "child"):
                assert store.file_path(file.kind, file.name) == file.path
            if file.kind.startswith("earlier"):
                assert store.is_intact("r", file)
        assert not {kind for kind, _ in found} & {"staged", "other"}
        lease.release()

    async def test_the_size_of_a_run(self, store: RunStore) -> None:
        lease = begin(store)
        before = store.size("r")
        publish(store, lease, "a", "x" * 1000)
        assert before + 1000 < store.size("r") < before + 2000
        lease.release()

    async def test_the_index_returns_what_is_unchanged(self, store: RunStore) -> None:
        begin(store).release()
        seen = store.indexed()
        assert list(seen.stamps) == ["r"]
        assert seen.entries == {}
        store.index(seen, {"r": [1]})
        assert store.indexed().entries.get("r") in (None, [1])  # it may keep nothing
        store.lock("r", OWNER).append([{"n": 1}], sync=True)
        assert store.indexed().entries == {}

    async def test_the_identity_stays(self, store: RunStore, tmp_path: Path) -> None:
        own = store.identity(make=True)
        assert own
        assert store.identity() == own
        assert self.open_store(tmp_path / "another").identity(make=True) != own

    async def test_aclose_leaves_the_runs(self, store: RunStore) -> None:
        await store.save("r", "a", message())
        await store.aclose()
        await store.aclose()
        assert await store.list_keys("r") == ["a"]

    # never twice

    async def test_what_is_remembered_is_recalled(self, store: RunStore) -> None:
        assert store.recall(_key(1)) is None
        store.remember({})
        store.remember({_key(n): {"run": "r", "artifact": f"č{n}"} for n in range(100)})
        for n in range(100):
            assert store.recall(_key(n)) == {"run": "r", "artifact": f"č{n}"}
        assert store.recall(_key(100)) is None
        store.remember({_key(1): {"run": "r2"}})
        assert store.recall(_key(1)) == {"run": "r2"}
        assert store.recall(_key(2)) == {"run": "r", "artifact": "č2"}
        assert await store.list_runs() == []

    async def test_no_entry_is_shared_with_the_store(self, store: RunStore) -> None:
        entry: dict[str, Json] = {"run": "r", "list": [1]}
        store.remember({_key(1): entry})
        entry["list"].append(2)
        found = store.recall(_key(1))
        assert found == {"run": "r", "list": [1]}
        found["list"].append(3)
        assert store.recall(_key(1)) == {"run": "r", "list": [1]}

    async def test_the_store_has_one_key_of_its_own(self, store: RunStore, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: store.cache_secret(), range(32)))
        (key,) = found
        assert len(key) == 32
        assert store.cache_secret(make=False) == key
        assert self.open_store(tmp_path / "another").cache_secret() != key

    # a whole run

    def test_a_whole_run_is_verified(self, store: RunStore, tmp_path: Path) -> None:
        (tmp_path / "mail.txt").write_text("ann@example.com\n")
        book = load(text=RUN, folder=tmp_path)
        result = run(book, store=store, run_id="whole")
        assert result.status == "completed"
        found = verify(store, "whole")
        assert found.vouched
        assert found.faults == ()
        assert found.notes == ()
        assert found.artifacts == 2
        assert found.head == store.read_journal("whole").lines[-1].hash
        assert [row.run_id for row in list_runs(store=store)] == ["whole"]

    def test_a_changed_artifact_is_found(self, store: RunStore, tmp_path: Path) -> None:
        (tmp_path / "mail.txt").write_text("ann@example.com\n")
        run(load(text=RUN, folder=tmp_path), store=store, run_id="whole")
        anyio.run(store.save, "whole", "findings", message("another"))
        anyio.run(store.save, "whole", "added", message("by hand"))
        faults = {fault.path: fault.what for fault in verify(store, "whole").faults}
        assert faults == {
            store.file_path("artifact", "findings"): "altered",
            store.file_path("artifact", "added"): "is not known to the journal",
        }


for _name, _test in list(vars(StoreConformance).items()):
    if inspect.iscoroutinefunction(_test):
        setattr(StoreConformance, _name, _synchronous(_test))
