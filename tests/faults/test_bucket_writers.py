"""Several writers of one bucket: one of them wins, and nothing of the others is seen."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from bucket_kit import (
    FolderBucket,
    book,
    exit_of,
    forked,
    start_or_resume,
    store_in,
)

from waivern import resume, run
from waivern.errors import IntegrityError, RefusedError, RunLockedError, StoreError
from waivern.runs.verify import verify
from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore
from waivern.store.objects import presence
from waivern.store.objects.bucket_backend import BucketBackend
from waivern.testing.buckets import MemoryBucket
from waivern.testing.store_helpers import (
    OWNER,
    begin,
    initial_state,
    message,
    publish,
    records,
    ref,
    write_log,
)

PATIENCE_S = 30
DAY_S = 24 * 3600


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def another(bucket: MemoryBucket) -> RunStore:
    """Return another object for the store, as another process would have."""
    return BackendStore(BucketBackend(bucket))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every holder look like one on another machine."""
    monkeypatch.setattr(presence, "_this_process", lambda: {"host": str(uuid.uuid4())})


@pytest.fixture
def stale(elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every holder look dead, whatever it does."""
    monkeypatch.setattr(presence, "FRESH_S", -1)


# fencing


def test_a_holder_that_was_taken_for_dead_is_fenced(bucket: MemoryBucket, stale: None) -> None:
    first = begin(another(bucket))
    store = another(bucket)
    second = store.lock("r", OWNER)
    publish(store, second, "a", "of the second")
    with pytest.raises(StoreError, match="another process has taken over the run"):
        first.append([{"type": "of the first"}], sync=True)
    with pytest.raises(StoreError):
        first.project({"status": "completed"}, {}, sync=True)
    first.release()
    second.append([{"type": "of the second"}], sync=True)
    second.release()
    assert records(another(bucket)) == [{"type": "born"}, {"type": "of the second"}]
    assert another(bucket).runs() == ["r"]
    assert another(bucket).owner("r") is None


def test_nothing_that_a_fenced_holder_publishes_is_seen(bucket: MemoryBucket, stale: None) -> None:
    old = another(bucket)
    first = begin(old)
    late = [old.stage("r", key, message("of the first", key)) for key in ("a", "b")]
    store = another(bucket)
    second = store.lock("r", OWNER)
    receipt = publish(store, second, "a", "of the second")
    with pytest.raises(StoreError):
        first.publish(late)
    first.release()
    second.release()
    found = another(bucket)
    assert found.fetch("r", ref(receipt)).content == "of the second"
    assert not [file for file in found.files("r") if file.name == "b" or file.kind == "staged"]


def test_a_holder_of_a_removed_run_is_fenced(bucket: MemoryBucket, stale: None) -> None:
    first = begin(another(bucket))
    another(bucket).remove("r", OWNER)
    begin(another(bucket)).release()  # another run of the same id
    first.append([{"type": "of the first"}], sync=True)
    _beat(first)
    with pytest.raises(StoreError, match="another process has taken over the run"):
        first.append([{"type": "of the first"}], sync=True)
    first.release()
    assert records(another(bucket)) == [{"type": "born"}]
    assert another(bucket).runs() == ["r"]


def _beat(lease: object) -> None:
    lease.run._log._presence.beat()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "at", [26, *(pytest.param(at, marks=pytest.mark.sweep) for at in (20, 22, 24, 29))]
)
def test_a_run_that_sleeps_while_another_process_resumes_it(
    at: int, tmp_path: Path, stale: None
) -> None:
    """SIGSTOP in the middle of a run; it is resumed elsewhere, and then the process goes on."""
    place = tmp_path / "bucket"
    place.mkdir()
    sleeping = FolderBucket(place, "wait", at)
    pid = forked(lambda: (tmp_path / "status").write_text(start_or_resume(sleeping, tmp_path)))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (tmp_path / "waits").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)
        store = store_in(FolderBucket(place))
        asleep = store.read_journal("r")
        assert resume("r", book(tmp_path), store=store).status == "completed"
        before = store.read_journal("r")
    finally:
        (tmp_path / "go").touch()
        os.kill(pid, signal.SIGCONT)
        code = exit_of(pid)
    status = tmp_path / "status"
    # on a quick machine, the last of the requests come when the run has ended already
    own = "completed" if before == asleep else "interrupted"
    assert code == 1 or status.read_text() == own
    found = store_in(FolderBucket(place))
    assert found.read_journal("r") == before
    assert verify(found, "r").faults == ()
    assert {entry.key.partition("/")[0] for entry in sleeping.entries()}.isdisjoint({"locks"})


# the same id, the same bytes


def test_of_two_that_begin_the_same_run_one_wins(bucket: MemoryBucket) -> None:
    bucket.on_request = _once("create", "names/", lambda: begin(another(bucket)).release(), bucket)
    with pytest.raises(RefusedError, match="there is a run r already"):
        begin(another(bucket))
    assert records(another(bucket)) == [{"type": "born"}]
    assert another(bucket).owner("r") is None
    assert len({key.split("/")[1] for key in bucket.objects if key.startswith("logs/")}) == 2


def test_equal_lines_of_two_writers_are_two_lines(bucket: MemoryBucket) -> None:
    line = {"run_id": "r", "result": "success"}
    another(bucket).append_history(line)
    bucket.on_request = _once(
        "create", "logs/root/", lambda: another(bucket).append_history(line), bucket
    )
    another(bucket).append_history(line)
    assert another(bucket).read_history() == [line] * 3


def test_an_answer_that_was_lost_is_not_another_writers(bucket: MemoryBucket) -> None:
    """The request had an effect, and its repetition finds the object: it is one's own."""

    class Forgetful(MemoryBucket):
        def create(self, key: str, data: bytes) -> None:
            if key.startswith("logs/"):
                super().create(key, data)
            super().create(key, data)

    forgetful = Forgetful()
    store = another(forgetful)
    lease = begin(store)
    receipt = publish(store, lease, "a")
    lease.append([{"type": "next"}], sync=True)
    lease.release()
    assert records(another(forgetful)) == [{"type": "born"}, {"type": "next"}]
    assert another(forgetful).fetch("r", ref(receipt)) == message()


def test_the_access_log_of_two_writers_is_one_chain(bucket: MemoryBucket) -> None:
    another(bucket).append_access({"n": 0})
    bucket.on_request = _once(
        "create", "logs/root/", lambda: another(bucket).append_access({"n": 1}), bucket
    )
    another(bucket).append_access({"n": 2})
    assert [line.record for line in another(bucket).read_access().lines] == [
        {"n": n} for n in range(3)
    ]


def test_a_request_reaches_the_holder_while_it_writes(bucket: MemoryBucket) -> None:
    store = another(bucket)
    lease = begin(store)
    lease.append([{"type": "next"}], sync=False)
    assert another(bucket).request("r", "cancel", {"by": "a"})
    assert not another(bucket).request("r", "cancel", {"by": "b"})
    lease.append([{"type": "last"}], sync=True)
    assert store.requests("r") == {"cancel": {"by": "a"}}
    lease.release()
    assert [record["type"] for record in records(another(bucket))] == ["born", "next", "last"]


def test_two_requests_at_once_are_one(bucket: MemoryBucket) -> None:
    lease = begin(another(bucket))
    bucket.on_request = _once(
        "create", "logs/", lambda: another(bucket).request("r", "cancel", {"by": "a"}), bucket
    )
    assert not another(bucket).request("r", "cancel", {"by": "b"})
    lease.release()
    assert another(bucket).requests("r") == {"cancel": {"by": "a"}}


def _once(
    operation: str, prefix: str, action: Callable[[], object], bucket: MemoryBucket
) -> Callable[[str, str], None]:
    """Carry out an action before the next such request, and before no other."""

    def on_request(asked: str, key: str) -> None:
        if asked == operation and key.startswith(prefix):
            bucket.on_request = lambda *_: None
            action()

    return on_request


@pytest.mark.parametrize("runs", [1, pytest.param(6, marks=pytest.mark.sweep)])
def test_several_processes_at_one_store(runs: int, tmp_path: Path) -> None:
    place = tmp_path / "bucket"
    place.mkdir()
    text = book(tmp_path)

    def work(number: int) -> None:
        for n in range(runs):
            store = store_in(FolderBucket(place))
            assert run(text, store=store, run_id=f"r{number}-{n}").status == "completed"
            store.append_access({"number": number, "n": n})

    children = [forked(partial(work, number)) for number in range(4)]
    assert [exit_of(child) for child in children] == [0] * 4
    store = store_in(FolderBucket(place))
    assert len(store.runs()) == 4 * runs
    assert {line["run_id"] for line in store.read_history()} == set(store.runs())
    assert len(store.read_access().lines) == 4 * runs
    for run_id in store.runs():
        assert verify(store, run_id).faults == ()


# leases, and clocks


class _Clock:
    """The module `time` after the clock of this machine has jumped."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, jump_s: int) -> None:
        self._jump_ns = jump_s * 10**9

    def time_ns(self) -> int:
        return time.time_ns() + self._jump_ns


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_clock_that_jumps_takes_no_run_from_its_holder(
    jump_s: int, bucket: MemoryBucket, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = begin(another(bucket))
    monkeypatch.setattr(presence, "time", _Clock(jump_s))
    assert another(bucket).owner("r") is not None
    with pytest.raises(RunLockedError):
        another(bucket).lock("r", OWNER)
    lease.release()
    another(bucket).lock("r", OWNER).release()


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_clock_that_jumps_keeps_no_run_from_the_next_holder(
    jump_s: int, bucket: MemoryBucket, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(another(bucket))  # and is never seen again
    (key,) = [key for key in bucket.objects if key.startswith("locks/")]
    data, put_ns = bucket.objects[key]
    bucket.objects[key] = data, put_ns - (presence.FRESH_S + 1) * 10**9
    monkeypatch.setattr(presence, "time", _Clock(jump_s))
    another(bucket).lock("r", OWNER).release()


def test_a_holder_shows_itself_again(
    bucket: MemoryBucket, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BEAT_S", 0.02)
    lease = begin(another(bucket))
    (key,) = [key for key in bucket.objects if key.startswith("locks/")]
    first = bucket.objects[key][1]
    deadline = time.monotonic() + PATIENCE_S
    while bucket.objects[key][1] == first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lease.release()
    assert key not in bucket.objects


def test_others_soon_see_what_is_not_synced(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "COMMIT_S", 0.02)
    store = another(bucket)
    lease = begin(store)
    lease.append([{"type": "next"}], sync=False)
    write_log(store, "r", "a", "a line\n")
    deadline = time.monotonic() + PATIENCE_S
    while len(records(another(bucket))) < 2 or another(bucket).read_log("r", "a") != "a line\n":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lease.release()


# buckets that cannot keep runs


def test_a_bucket_that_overwrites_is_refused() -> None:
    class Careless(MemoryBucket):
        def create(self, key: str, data: bytes) -> None:
            self.put(key, data)

    careless = Careless()
    with pytest.raises(StoreError, match="overwrites an object that is to be created only if"):
        store_in(careless).begin("r", initial_state(), OWNER)
    assert careless.objects == {}


def test_a_lost_commit_is_named(bucket: MemoryBucket) -> None:
    lease = begin(another(bucket))
    for n in range(3):
        lease.append([{"n": n}], sync=True)
    (key,) = [key for key in bucket.objects if key.startswith("logs/") and key.endswith("0003")]
    del bucket.objects[key]
    with pytest.raises(IntegrityError, match=f"the object {key} is missing"):
        another(bucket).read_journal("r")


def test_a_run_is_resumed_from_another_machine(tmp_path: Path, elsewhere: None) -> None:
    place = tmp_path / "bucket"
    place.mkdir()
    killed = forked(partial(start_or_resume, FolderBucket(place, "kill", 24), tmp_path))
    assert exit_of(killed) == -9
    with pytest.raises(RunLockedError):
        resume("r", book(tmp_path), store=store_in(FolderBucket(place)))
    presence_of = next(FolderBucket(place).entries("locks/")).key
    path = FolderBucket(place)._path(presence_of)
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert resume("r", book(tmp_path), store=store_in(FolderBucket(place))).status == "completed"
    with pytest.raises(RefusedError):
        run(book(tmp_path), store=store_in(FolderBucket(place)), run_id="r")
