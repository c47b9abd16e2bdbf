"""The store behind a server passes the suite that every store passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from remote_kit import TOKEN, Server, server

from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.remote.remote_http import RemoteHttpStore
from waivern.store.sql.sqlite_store import SqliteStore
from waivern.testing.run_conformance import RunConformance
from waivern.testing.stores import StoreConformance


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as found:
        yield found


class TestRunsBehindAServer(RunConformance):
    """The part of the suite that is about runs: it is quick enough for every day."""

    @pytest.fixture
    def store(self, running: Server, tmp_path: Path) -> RunStore:
        self.running = running
        return self.open_store(tmp_path / "store")

    def open_store(self, folder: Path) -> RunStore:
        return RemoteHttpStore(self.running.serve(LocalFilesystemStore(folder)), token=TOKEN)

    def open_again(self, store: RunStore) -> RunStore:
        return RemoteHttpStore(store.url, token=TOKEN)


class RemoteConformance(StoreConformance):
    @pytest.fixture(autouse=True)
    def _serve(self, running: Server) -> None:
        self.running = running

    def served(self, folder: Path) -> RunStore:
        raise NotImplementedError

    def open_store(self, folder: Path) -> RunStore:
        return RemoteHttpStore(self.running.serve(self.served(folder)), token=TOKEN)

    def open_again(self, store: RunStore) -> RunStore:
        return RemoteHttpStore(store.url, token=TOKEN)


@pytest.mark.sweep
class TestFolderBehindAServer(RemoteConformance):
    def served(self, folder: Path) -> RunStore:
        return LocalFilesystemStore(folder)


@pytest.mark.sweep
class TestMemoryBehindAServer(RemoteConformance):
    def served(self, folder: Path) -> RunStore:
        return AsyncInMemoryStore()


@pytest.mark.sweep
class TestSqliteBehindAServer(RemoteConformance):
    @pytest.fixture(autouse=True)
    def _close(self) -> Iterator[None]:
        self.stores: list[SqliteStore] = []
        yield
        for each in self.stores:
            anyio.run(each.aclose)

    def served(self, folder: Path) -> RunStore:
        self.stores.append(SqliteStore(folder / "runs.db"))
        return self.stores[-1]
