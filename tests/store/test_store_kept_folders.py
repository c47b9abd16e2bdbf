"""Folders that stay open while a run is held: what becomes of them in the meantime is noticed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from waivern.errors import RunNotFoundError
from waivern.store import disk
from waivern.store.kept_folders import CHECKED_S, MOST
from waivern.store.local import LocalFilesystemStore
from waivern.testing.store_helpers import begin

KEY = f"sha256:{'ab' * 32}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFilesystemStore]:
    """A store that holds the run `now`, with an earlier run and an entry in its cache."""
    local = LocalFilesystemStore(tmp_path / "store")
    begin(local).release()
    local.remember({KEY: {"run": "r", "artifact": "a"}})
    lease = begin(local, "now")
    yield local
    lease.release()


def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which each operation of the disk is added."""
    found: list[str] = []
    monkeypatch.setattr(disk, "step", lambda operation, name: found.append(f"{operation} {name}"))
    return found


def settle() -> None:
    """Let the last check of the open folders be too old to count."""
    time.sleep(CHECKED_S * 1.5)


def descriptors() -> int:
    return len([*Path("/dev/fd").iterdir()])


def test_the_cache_is_opened_once(
    store: LocalFilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.recall(KEY) == {"run": "r", "artifact": "a"}
    store.recall(KEY)
    steps = looks(monkeypatch)
    assert store.recall(KEY) == {"run": "r", "artifact": "a"}
    assert "look ab.jsonl" in steps
    assert "look cache" not in steps


def test_an_earlier_run_is_opened_once(
    store: LocalFilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.read_journal("r")
    steps = looks(monkeypatch)
    store.read_journal("r")
    assert "look events.jsonl" in steps
    assert "look runs" not in steps


def test_what_another_process_adds_is_found(store: LocalFilesystemStore, tmp_path: Path) -> None:
    store.recall(KEY)
    other, added = LocalFilesystemStore(tmp_path / "store"), f"sha256:{'ab' * 31}cd"
    assert store.recall(added) is None
    other.remember({added: {"run": "r", "artifact": "b"}})
    assert store.recall(added) == {"run": "r", "artifact": "b"}


def test_a_cache_that_is_exchanged_is_opened_anew(
    store: LocalFilesystemStore, tmp_path: Path
) -> None:
    store.recall(KEY)
    cache = tmp_path / "store/cache"
    shutil.move(cache, tmp_path / "elsewhere")
    settle()
    assert store.recall(KEY) is None
    shutil.copytree(tmp_path / "elsewhere", cache)
    assert store.recall(KEY) is not None


def test_a_run_that_is_removed_is_not_found(store: LocalFilesystemStore, tmp_path: Path) -> None:
    store.read_journal("r")
    shutil.move(tmp_path / "store/runs/r", tmp_path / "elsewhere")
    settle()
    with pytest.raises(RunNotFoundError):
        store.read_journal("r")
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "store/runs/r")
    assert store.read_journal("r").lines


def test_a_run_that_is_deleted_while_it_is_open_is_not_found(
    store: LocalFilesystemStore, tmp_path: Path
) -> None:
    """Not even for as long as the last check holds."""
    store.read_journal("r")
    shutil.rmtree(tmp_path / "store/runs/r")
    with pytest.raises(RunNotFoundError):
        store.read_journal("r")


def test_few_folders_stay_open_and_none_after_the_run(tmp_path: Path) -> None:
    store, runs = LocalFilesystemStore(tmp_path / "store"), [f"r{n}" for n in range(2 * MOST)]
    for run in runs:
        begin(store, run).release()
    before = descriptors()
    lease = begin(store, "now")
    held = descriptors()
    for run in runs:
        store.read_journal(run)
    assert held < descriptors() <= held + MOST
    lease.release()
    assert descriptors() == before
