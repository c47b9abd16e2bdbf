"""The store in PostgreSQL passes the conformance suite that authors of stores run."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from postgres_kit import Server

from waivern.store.base import RunStore
from waivern.store.sql.postgres_store import PostgresStore
from waivern.testing.stores import StoreConformance

_numbers = count(1)


class TestPostgresStore(StoreConformance):
    server: Server

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.server = server

    def open_store(self, folder: Path) -> RunStore:
        return PostgresStore(self.server.url(f"suite_{next(_numbers)}"))
