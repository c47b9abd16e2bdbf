"""The access log of a store, over each backend."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from waivern.errors import IntegrityError, StoreError
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.memory_backend import MemoryFile


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return LocalFilesystemStore(tmp_path) if request.param == "local" else AsyncInMemoryStore()


def numbers(store: RunStore) -> list[object]:
    return [line.record["n"] for line in store.read_access().lines]


def test_lines_are_appended_in_order(store: RunStore) -> None:
    assert store.read_access().lines == ()
    for n in range(3):
        store.append_access({"n": n})
    assert numbers(store) == [0, 1, 2]
    assert [line.seq for line in store.read_access().lines] == [1, 2, 3]


def test_a_log_that_is_longer_than_what_is_read_of_it(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    for n in range(30):
        store.append_access({"n": n, "text": "x" * 60_000})
    assert numbers(store) == list(range(30))


def test_a_torn_line_is_cut_and_an_altered_one_is_not(tmp_path: Path) -> None:
    store, path = LocalFilesystemStore(tmp_path), tmp_path / "access.jsonl"
    store.append_access({"n": 0})
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    store.append_access({"n": 1})
    assert numbers(store) == [0, 1]
    path.write_bytes(whole.replace(b'"n":0', b'"n":7'))
    with pytest.raises(IntegrityError, match=r"the last line of access\.jsonl is damaged"):
        store.append_access({"n": 2})


def test_something_else_in_its_place(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path)
    (tmp_path / "access.jsonl").mkdir()
    with pytest.raises((IntegrityError, StoreError)):
        store.append_access({"n": 0})
    (tmp_path / "access.jsonl").rmdir()
    (tmp_path / "access.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((IntegrityError, StoreError)):
        store.append_access({"n": 0})
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_that_is_there_after_a_failed_try_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a bucket, a try may fail after its line was committed: it only looks like a lost one."""
    store, sync = AsyncInMemoryStore(), MemoryFile.sync
    failed: list[MemoryFile] = []

    def fails_once(file: MemoryFile) -> None:
        sync(file)
        if not failed:
            failed.append(file)
            raise BlockingIOError(errno.EAGAIN, "another writer was quicker")

    monkeypatch.setattr(MemoryFile, "sync", fails_once)
    store.append_access({"n": 1})
    store.append_access({"n": 1})
    assert failed
    assert numbers(store) == [1, 1]
