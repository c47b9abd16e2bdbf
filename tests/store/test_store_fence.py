"""The fence around staged files: what an attempt staged ends with it, whoever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from waivern.errors import StoreError
from waivern.message import Message
from waivern.record_stream import RecordStream
from waivern.store.local import LocalFilesystemStore
from waivern.store.staging import HELD_BYTES
from waivern.testing.store_helpers import OWNER, begin, message, ref

CANARY = "anna@example.org"
LARGE = CANARY * HELD_BYTES
WRITER = """
import os, sys
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import OWNER, begin, message
store = LocalFilesystemStore(sys.argv[1])
lease = begin(store, sys.argv[2])
store.stage(sys.argv[2], "child/a", message(sys.argv[3] * 10_000))
sink = store.sink(sys.argv[2], "b", "rows")
for n in range(10_000):
    sink.write([n, sys.argv[3]])
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def local(tmp_path: Path) -> LocalFilesystemStore:
    return LocalFilesystemStore(tmp_path / "store")


def holds(path: Path, text: str = CANARY) -> list[str]:
    """Return the files below a folder in which a text occurs."""
    files = (each for each in path.rglob("*") if each.is_file())
    return sorted(
        str(each.relative_to(path)) for each in files if text.encode() in each.read_bytes()
    )


def killed(store: LocalFilesystemStore, run_id: str) -> None:
    """Let another process begin a run, stage personal data, and be killed."""
    command = [sys.executable, "-c", WRITER, store.path, run_id, CANARY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def test_the_next_run_sweeps_what_a_killed_process_staged(local: LocalFilesystemStore) -> None:
    store = Path(local.path)
    killed(local, "dead-1.x")
    assert len(holds(store)) == 2
    assert all("/_system/staged/1-" in path for path in holds(store))
    begin(local, "next").release()
    assert holds(store) == []
    assert sorted(path.name for path in (store / "runs").iterdir()) == ["dead-1.x", "next"]


def test_locking_any_run_sweeps_it_too(local: LocalFilesystemStore) -> None:
    begin(local, "other").release()
    killed(local, "dead")
    local.lock("other", OWNER).release()
    assert holds(Path(local.path)) == []


def test_the_next_holder_sweeps_it(local: LocalFilesystemStore) -> None:
    killed(local, "dead")
    lease = local.lock("dead", OWNER)
    assert holds(Path(local.path)) == []
    (mark,) = Path(local.path).glob("runs/.open-*")
    lease.release()
    assert not mark.exists()


def test_what_a_live_process_stages_is_not_swept(local: LocalFilesystemStore) -> None:
    lease = begin(local)
    receipt = local.stage("r", "a", message(LARGE))
    other = LocalFilesystemStore(local.path)
    begin(other, "next").release()
    other.lock("next", OWNER).release()
    lease.publish([receipt])
    assert local.fetch("r", ref(receipt)).content == LARGE
    lease.release()


def test_a_mark_without_a_run_is_removed(local: LocalFilesystemStore, tmp_path: Path) -> None:
    begin(local).release()
    runs = tmp_path / "store/runs"
    for name in ("0123abcd-gone", "x", "-", "0123abcd-..", "0123abcd-r"):
        (runs / f".open-{name}").write_bytes(b"")
    begin(local, "next").release()
    assert sorted(path.name for path in runs.iterdir()) == ["next", "r"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_a_mark_leads_to_its_own_attempt_only(local: LocalFilesystemStore, tmp_path: Path) -> None:
    killed(local, "dead")
    (staged,) = (tmp_path / "store/runs/dead/_system/staged").iterdir()
    (mark,) = (tmp_path / "store/runs").glob(".open-*")
    later = staged.with_name("2-01234567")
    staged.rename(later)
    begin(local, "next").release()
    assert later.exists()
    assert not mark.exists()


@pytest.mark.parametrize("planted", ["link", "file"])
def test_something_in_place_of_the_folder(
    local: LocalFilesystemStore, tmp_path: Path, planted: str
) -> None:
    begin(local).release()
    outside = tmp_path / "outside"
    (outside / "1-01234567").mkdir(parents=True)
    place = tmp_path / "store/runs/r/_system/staged"
    place.symlink_to(outside) if planted == "link" else place.write_bytes(b"")
    (tmp_path / "store/runs/.open-01234567-r").write_bytes(b"")
    with pytest.raises(StoreError):
        LocalFilesystemStore(local.path).stage("r", "a", message(LARGE))
    begin(local, "next").release()
    lease = local.lock("r", OWNER)
    lease.publish([local.stage("r", "a", message(LARGE))])
    lease.release()
    assert [each.name for each in outside.iterdir()] == ["1-01234567"]
    assert list((outside / "1-01234567").iterdir()) == []


def test_a_thread_that_writes_on_when_the_run_is_over(local: LocalFilesystemStore) -> None:
    lease = begin(local)
    failures: list[StoreError] = []
    began = threading.Event()

    def write() -> None:
        sink = local.sink("r", "a", "rows")
        try:
            while True:
                sink.write([CANARY] * 1000)
                began.set()
        except StoreError as error:
            failures.append(error)
        finally:
            sink.discard()

    thread = threading.Thread(target=write)
    thread.start()
    began.wait()
    lease.release()
    thread.join()
    assert failures
    assert "run r is over" in failures[0].message
    assert holds(Path(local.path)) == []


def test_a_forked_child_leaves_the_staged_files(local: LocalFilesystemStore) -> None:
    lease = begin(local)
    receipt = local.stage("r", "a", message(LARGE))
    if (child := os.fork()) == 0:
        lease.release()
        os._exit(0)
    os.waitpid(child, 0)
    lease.publish([receipt])
    assert local.fetch("r", ref(receipt)).content == LARGE
    lease.release()


def test_a_stream_is_adopted_and_not_copied(local: LocalFilesystemStore, tmp_path: Path) -> None:
    lease = begin(local)
    sink = local.sink("r", "a", "rows")
    for n in range(5000):
        sink.write(n)
    made = sink.finish()
    assert isinstance(made, RecordStream)
    (before,) = (tmp_path / "store/runs/r/_system/staged").glob("*/*")
    number = before.stat().st_ino
    lease.publish([local.stage("r", "a", Message(id="a", content={}, records=made))])
    assert (tmp_path / "store/runs/r/a.jsonl").stat().st_ino == number
    lease.release()
