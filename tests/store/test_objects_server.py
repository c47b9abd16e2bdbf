"""Stores in a bucket of a real server pass the conformance suite, and are found by their URLs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import localbucket  # type: ignore[import-untyped]
import pytest

from waivern.errors import UsageError
from waivern.store.base import RunStore
from waivern.store.opening import open_store
from waivern.testing.stores import StoreConformance

_numbers = itertools.count()


class _QuietHandler(localbucket.S3Handler):  # type: ignore[misc]
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of buckets, on this machine."""
    root = tmp_path_factory.mktemp("buckets")
    (root / "runs").mkdir()
    _QuietHandler.data_root = root
    with ThreadingHTTPServer(("127.0.0.1", 0), _QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")


@pytest.mark.sweep
class TestStoreOfServer(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def open_store(self, folder: Path) -> RunStore:
        return open_store(f"s3://runs/{next(_numbers)}/a?endpoint={self._endpoint}")


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("s3://key:hunter2@bucket/x", "no credentials"),
        ("s3://bucket/x?secret_access_key=hunter2", "other parameters"),
        ("s3://bucket/x?endpoint=https://me:hunter2@host", "no credentials"),
        ("s3://bucket/x?region=a&region=hunter2", "other parameters"),
        ("s3:///x", "names no bucket"),
        ("s3://bucket/a//hunter2", "odd prefix"),
        ("s3://bucket/../hunter2", "odd prefix"),
        ("gs://bucket/x?endpoint=http://hunter2", "other parameters"),
        ("az://bucket/x?sas=hunter2", "other parameters"),
    ],
)
def test_a_url_with_more_than_a_place_is_refused(url: str, fact: str) -> None:
    with pytest.raises(UsageError, match=fact) as raised:
        open_store(url)
    assert "hunter2" not in f"{raised.value.message} {raised.value.hint}"
