"""A store behind a connection that fails: each request is executed once, or its error is clear."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy, Fault
from remote_kit import TOKEN, Server, server

from waivern.errors import RunLockedError, StoreError
from waivern.server import store_sessions
from waivern.store import disk
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.remote.remote_http import RemoteHttpStore
from waivern.store.store_values import Owner
from waivern.store.writers import Lease
from waivern.testing.store_helpers import begin, message, publish, records, ref

OTHER = Owner("host-b", 4712, "2026-01-02T03:04:06.000Z")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture
def proxy(running: Server) -> Iterator[CuttingProxy]:
    found = CuttingProxy(running.address)
    yield found
    found.close()


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


@pytest.fixture
def path(running: Server, local: LocalFilesystemStore) -> str:
    return running.serve(local).removeprefix(running.address)


@pytest.fixture
def store(proxy: CuttingProxy, path: str) -> RemoteHttpStore:
    return RemoteHttpStore(proxy.address + path, token=TOKEN)


def life(store: RunStore, run_id: str) -> None:
    """Let a run begin, produce two artifacts, and end."""
    with_lease(store, begin(store, run_id), run_id)


def with_lease(store: RunStore, lease: Lease, run_id: str) -> None:
    for name in ("a", "b/c"):
        publish(store, lease, name, {"is": name}, run_id)
        lease.append([{"type": "done", "of": name}], sync=True)
    lease.project({"run_id": run_id}, {"completed": ["a", "b/c"]}, sync=True)
    lease.release()
    store.append_history({"run_id": run_id})


def check(local: RunStore, run_id: str) -> None:
    """Check that the life of a run has left exactly what it has to, once."""
    assert [each.get("of") for each in records(local, run_id)] == [None, "a", "b/c"]
    assert [line["run_id"] for line in local.read_history(run_id)] == [run_id]
    assert local.owner(run_id) is None
    kept = {file.path for file in local.files(run_id) if not file.path.startswith("_system/")}
    assert kept == {"a.json", "b/c.json"}
    assert not [file for file in local.files(run_id) if file.kind in ("staged", "other")]
    assert local.read_artifact(run_id, "a")


def each_request(proxy: CuttingProxy, store: RunStore, local: RunStore, every: int) -> None:
    life(store, "count")
    check(local, "count")
    count = proxy.requests
    assert count > 20
    faults: tuple[Fault, ...] = ("fail", "lose")
    for fault in faults:
        for number in range(1 + every // 2, count + 1, every):
            run_id = f"{fault}-{number}"
            proxy.requests, proxy.faults = 0, {number: fault}
            life(store, run_id)
            check(local, run_id)


def test_a_request_that_is_cut_off_is_executed_once(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore
) -> None:
    each_request(proxy, store, local, every=15)


@pytest.mark.sweep
def test_every_request_that_is_cut_off_is_executed_once(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore
) -> None:
    each_request(proxy, store, local, every=1)


def test_an_upload_goes_on_after_a_cut(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore
) -> None:
    lease = begin(store)
    text = "x" * (20 << 20)
    proxy.received, proxy.cut_at = 0, 11 << 20
    receipt = publish(store, lease, "large", text)
    assert proxy.cut_at is None, "the connection was not cut"
    assert proxy.received < len(text) + (5 << 20), "more than one part was sent again"
    lease.release()
    assert local.fetch("r", ref(receipt)).content == text


def test_a_slow_connection(proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore) -> None:
    proxy.delay = 0.02
    life(store, "slow")
    check(local, "slow")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions end soon."""
    monkeypatch.setattr(store_sessions, "TTL_S", 1.0)
    monkeypatch.setattr(store_sessions, "GRACE_S", 0.5)


def test_a_holder_that_cannot_be_reached_loses_the_run(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore, short: None
) -> None:
    lease = begin(store)
    publish(store, lease, "a")
    proxy.block()
    held = locked_soon(local)
    held.append([{"type": "other"}], sync=True)
    proxy.is_open = True
    for write in (
        lambda: lease.append([{"type": "late"}], sync=True),
        lambda: publish(store, lease, "late"),
        lambda: lease.project({}, {}, sync=False),
    ):
        with pytest.raises(StoreError, match=r"has ended the client session|can.*not be written"):
            write()
    held.append([{"type": "again"}], sync=True)
    lease.release()
    held.release()
    assert [each["type"] for each in records(local)] == ["born", "other", "again"]
    assert [file.name for file in local.files("r") if file.kind == "artifact"] == ["a"]
    assert records(store) == records(local), "the store itself can be used again"


def locked_soon(local: RunStore, seconds: float = 10) -> Lease:
    """Lock the run as soon as it is free; it is not at once."""
    with pytest.raises(RunLockedError, match="4711 on host-a"):
        local.lock("r", OTHER)
    deadline = time.monotonic() + seconds
    while True:
        try:
            return local.lock("r", OTHER)
        except RunLockedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_short_cut_is_survived(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore
) -> None:
    lease = begin(store)
    proxy.block()
    threading.Timer(1.0, lambda: setattr(proxy, "is_open", True)).start()
    with_lease(store, lease, "r")
    check(local, "r")


def test_the_clock_of_the_computer_does_not_matter(
    proxy: CuttingProxy,
    store: RemoteHttpStore,
    local: RunStore,
    short: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease = begin(store)
    now = time.time
    for shift in (86400.0, -86400.0):
        monkeypatch.setattr(time, "time", lambda by=shift: now() + by)
        time.sleep(0.6)
        lease.append([{"type": "on"}], sync=True)
        with pytest.raises(RunLockedError):
            local.lock("r", OTHER)
    lease.release()


@pytest.mark.sweep
def test_a_server_that_goes_away(proxy: CuttingProxy, store: RemoteHttpStore, short: None) -> None:
    lease = begin(store)
    proxy.close()
    began = time.monotonic()
    with pytest.raises(StoreError, match="does not answer") as raised:
        lease.append([{"type": "late"}], sync=True)
    assert "resume the run" in str(raised.value.hint)
    took = time.monotonic() - began
    lease.release()
    assert time.monotonic() - began < took + 2, "each step of the release waited again"


def test_staging_of_many_threads_over_a_connection_that_fails(
    proxy: CuttingProxy, store: RemoteHttpStore, local: RunStore
) -> None:
    lease = begin(store)
    proxy.faults = {proxy.requests + n: ("fail", "lose")[n % 2] for n in range(3, 60, 7)}
    receipts: list[Any] = []

    def stage(number: int) -> None:
        receipts.append(store.stage("r", f"a{number}", message("x" * 40_000, f"a{number}")))

    threads = [threading.Thread(target=stage, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lease.publish(receipts)
    lease.release()
    for receipt in receipts:
        assert local.verify("r", receipt.key, size=receipt.size, digest=receipt.digest) is None


FORKS = """
import os, sys
from waivern.store import RemoteHttpStore
from waivern.testing.store_helpers import begin, publish
store = RemoteHttpStore(sys.argv[1])
lease = begin(store)
publish(store, lease, "before")
child = os.fork()
if not child:
    lease.release()
    os._exit(0 if store.owner("r") and store.runs() == ["r"] else 1)
assert os.waitpid(child, 0)[1] == 0
publish(store, lease, "after")
lease.append([{"type": "on"}], sync=True)
lease.release()
"""


def test_a_forked_child_has_a_session_of_its_own(running: Server, local: RunStore) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, running.serve(local)],
        env={**os.environ, "WAIVERN_STORE_TOKEN": TOKEN},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert len(records(local)) == 2
    assert local.owner("r") is None


def test_a_full_disk_of_the_server_fails_the_artifact(
    store: RemoteHttpStore, local: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = begin(store)
    receipts = [store.stage("r", name, message(name, name)) for name in ("a", "b", "c")]
    full = receipts[1].staged.rpartition("/")[2]

    def step(operation: str, name: str) -> None:
        if operation == "write" and name == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "step", step)
    with pytest.raises(StoreError, match="cannot write artifact 'b': No space left") as raised:
        lease.publish(receipts)
    assert raised.value.artifact == "b"
    assert "free some space" in str(raised.value.hint)
    lease.release()
    assert not [file for file in local.files("r") if file.kind in ("artifact", "staged")]


def test_a_live_run_is_followed(proxy: CuttingProxy, store: RemoteHttpStore, path: str) -> None:
    reader = RemoteHttpStore(proxy.address + path, token=TOKEN)
    lease = begin(store)
    tail = reader.tail("r")
    seen = [line.record["type"] for line in tail.read()]
    for number in range(3):
        lease.append([{"type": str(number)}], sync=True)
        lease.append([{"type": "next"}], sync=True)  # says that the line before is durable
        seen += [line.record["type"] for line in tail.read()]
    lease.release()
    assert seen[:6] == ["born", "0", "next", "1", "next", "2"]


def test_a_reader_goes_on_after_a_restart(tmp_path: Path) -> None:
    local = LocalFilesystemStore(tmp_path / "store")
    begin(local).release()
    before = Server()
    store = RemoteHttpStore(before.serve(local), token=TOKEN)
    assert store.runs() == ["r"]
    before.end()
    after = Server(int(before.address.rpartition(":")[2]))
    after.serve(local)
    assert store.runs() == ["r"]
    after.end()
