"""A PostgreSQL server for the tests that need one: a plugin of pytest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postgres_kit import Server

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    from postgres_kit import running

    with running() as started:
        yield started


@pytest.fixture
def url(server: Server) -> str:
    """The URL of a store of its own for each test."""
    return server.url(f"store_{next(_numbers)}")
