"""Stores in a bucket of moto, which writes conditionally as Amazon's S3 does, and of Azurite."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_servers_kit import ACCOUNT, CONTAINER, KEY, azurite, moto

from waivern.store.base import RunStore
from waivern.store.opening import open_store
from waivern.testing.stores import StoreConformance

_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto() as address:
        yield address


@pytest.fixture(scope="module")
def azure() -> Iterator[str]:
    with azurite() as endpoint:
        yield endpoint


class TestStoreInMoto(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        self._endpoint = s3

    def open_store(self, folder: Path) -> RunStore:
        return open_store(f"s3://{CONTAINER}/{next(_numbers)}?endpoint={self._endpoint}")


class TestStoreInAzurite(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
        self._endpoint = azure

    def open_store(self, folder: Path) -> RunStore:
        place = f"{CONTAINER}/{next(_numbers)}"
        return open_store(f"az://{place}?account={ACCOUNT}&endpoint={self._endpoint}")
