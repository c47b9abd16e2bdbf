"""The part of the conformance suite of a store that is about runs, and what lies beside them."""

from __future__ import annotations

import threading
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waivern.errors import (
    IntegrityError,
    RefusedError,
    RunLockedError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from waivern.message import Json, sha256
from waivern.store.base import RunStore
from waivern.store.store_values import Owner
from waivern.testing.store_helpers import (
    OWNER,
    RUNBOOK,
    begin,
    initial_state,
    message,
    publish,
    records,
    without_plugin,
    write_log,
)


def _key(n: int) -> str:
    return sha256(str(n).encode())


@without_plugin
class RunConformance:
    """The tests of runs, the cache and the history that every store passes."""

    @abstractmethod
    def open_store(self, folder: Path) -> RunStore:
        """Return a new, empty store."""

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
        journal = {"count": 2, "head": head, "synced": 2}
        assert run == {"run_id": "r", "status": "running", "journal": journal}
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
            "journal": {"count": 2, "head": journal.lines[-1].hash, "synced": 2},
        }
        lease.release()

    async def test_a_tail_has_the_lines_that_are_durable(self, store: RunStore) -> None:
        lease, tail, later = begin(store), store.tail("r"), store.tail("r", after=2)
        (first,) = tail.read()
        assert (first, tail.read()) == (store.read_journal("r").lines[0], ())
        lease.append([{"n": 2}, {"n": 3}], sync=True)
        lease.project({"status": "running"}, {"completed": []}, sync=False)
        assert [line.record for line in tail.read()] == [{"n": 2}, {"n": 3}]
        assert [line.record for line in later.read()] == [{"n": 3}]
        lease.release()
        store.remove("r", OWNER)
        with pytest.raises(RunNotFoundError):
            tail.read()

    async def test_a_journal_is_read_on_from_a_place(self, store: RunStore) -> None:
        lease = begin(store)
        first = store.read_on("r")
        assert first is not None
        assert first.lines == store.read_journal("r").lines
        assert store.read_on("r", first.place) == ((), first.place)
        lease.append([{"n": 2}, {"n": 3}], sync=True)
        more = store.read_on("r", first.place)
        assert more is not None
        assert [line.record for line in more.lines] == [{"n": 2}, {"n": 3}]
        lease.release()
        store.remove("r", OWNER)
        with pytest.raises(RunNotFoundError):
            store.read_on("r", more.place)
        begin(store).release()
        store.lock("r", OWNER).release()
        assert store.read_on("r", more.place) is None  # another run has the id now

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
        assert store.request("r", "annotate-1", {})
        assert store.request("r", "annotate-2", {"by": "c"})
        lease.clear_requests(["annotate-1", "absent"])
        lease.clear_requests(keep="annotate-")
        assert store.requests("r") == {"annotate-2": {"by": "c"}}
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
        assert store.read_history() == [
            {"run_id": run_id, "n": n} for n in range(3) for run_id in ("r", "other")
        ]

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
