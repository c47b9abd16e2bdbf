"""Stores in a bucket of moto, which has the conditional writes of Amazon's S3, pass the suite."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto_kit import moto

from waivern.store.base import RunStore
from waivern.store.opening import open_store
from waivern.testing.stores import StoreConformance

_numbers = itertools.count()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto() as address:
        yield address


class TestStoreInMoto(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        self._endpoint = endpoint

    def open_store(self, folder: Path) -> RunStore:
        return open_store(f"s3://runs/{next(_numbers)}?endpoint={self._endpoint}")
