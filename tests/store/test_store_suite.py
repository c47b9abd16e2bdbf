"""Every shipped store passes the conformance suite that authors of stores run."""

from __future__ import annotations

from pathlib import Path

from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.sql.sqlite_store import SqliteStore
from waivern.testing.stores import StoreConformance


class TestLocalFilesystemStore(StoreConformance):
    def open_store(self, folder: Path) -> RunStore:
        return LocalFilesystemStore(folder)


class TestAsyncInMemoryStore(StoreConformance):
    def open_store(self, folder: Path) -> RunStore:
        return AsyncInMemoryStore()

    def open_again(self, store: RunStore) -> RunStore:
        assert isinstance(store, BackendStore)
        return BackendStore(store._at.backend)  # another process could not reach it


class TestSqliteStore(StoreConformance):
    def open_store(self, folder: Path) -> RunStore:
        return SqliteStore(folder / "runs.db")
