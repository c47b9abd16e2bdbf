"""Stores in a bucket of a real server: the suite, their URLs, and servers that are slow or away."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import localbucket  # type: ignore[import-untyped]
import pytest

from waivern import list_runs, load, run
from waivern.errors import StoreError, UsageError
from waivern.runs.verify import verify
from waivern.store.base import RunStore
from waivern.store.objects import bucket_client
from waivern.store.opening import open_store
from waivern.testing.store_helpers import OWNER, begin, initial_state
from waivern.testing.stores import RUN, StoreConformance

_numbers = itertools.count()


class _Handler(localbucket.S3Handler):  # type: ignore[misc]
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(folder: Path, handler: type[_Handler] = _Handler) -> Iterator[str]:
    """Serve buckets in a folder; yield the address."""
    (folder / "runs").mkdir()
    kind = type("_Serving", (handler,), {"data_root": folder})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of buckets, on this machine."""
    with serving(tmp_path_factory.mktemp("buckets")) as address:
        yield address


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")


def store_at(endpoint: str) -> RunStore:
    """Return a new, empty store."""
    return open_store(f"s3://runs/{next(_numbers)}/a?endpoint={endpoint}")


@pytest.mark.sweep
class TestStoreOfServer(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def open_store(self, folder: Path) -> RunStore:
        return store_at(self._endpoint)


def execute(store: RunStore, folder: Path) -> None:
    """Execute a run, and look at it as another process."""
    (folder / "mail.txt").write_text("ann@example.com\n")
    result = run(load(text=RUN, folder=folder), store=store, run_id="whole")
    assert result.status == "completed"
    again = open_store(store.url)
    assert verify(again, "whole").faults == ()
    assert [row.run_id for row in list_runs(store=again)] == ["whole"]


def test_a_run_on_a_server(endpoint: str, tmp_path: Path) -> None:
    execute(store_at(endpoint), tmp_path)


# servers that fail


class _Flaky(_Handler):
    """Of the requests, one in three is answered with an error, after its effect or without it."""

    count = itertools.count()

    def _dispatch(self, action: object) -> None:
        number = next(self.count)
        if number % 6 == 5:
            self.send_error(503)
        elif number % 6 == 2:
            self.wfile = _Nowhere()  # the answer is lost
            super()._dispatch(action)
            self.close_connection = True
        else:
            super()._dispatch(action)


class _Nowhere:
    """A connection of which nothing arrives."""

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    closed = False


class _Slow(_Handler):
    def _dispatch(self, action: object) -> None:
        time.sleep(0.05)
        super()._dispatch(action)


class _Closing(_Handler):
    """Each connection ends with its first answer, so that none outlives the server."""

    def _dispatch(self, action: object) -> None:
        super()._dispatch(action)
        self.close_connection = True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_client, "PAUSE_S", 0.001)


@pytest.mark.parametrize("handler", [_Flaky, pytest.param(_Slow, marks=pytest.mark.sweep)])
def test_a_run_on_a_server_that_fails_or_is_slow(
    handler: type[_Handler], tmp_path: Path, impatient: None
) -> None:
    with serving(tmp_path, handler) as address:
        execute(store_at(address), tmp_path)


def test_a_server_that_is_away_is_named(tmp_path: Path, impatient: None) -> None:
    with serving(tmp_path, _Closing) as address:
        store = store_at(address)
        lease = begin(store)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot write the journal: writing failed 6 times"):
        lease.append([{"type": "next"}], sync=True)
    lease.release()
    with pytest.raises(StoreError, match="listing failed"):
        open_store(store.url).runs()
    assert time.monotonic() - began < 20


def test_a_bucket_that_is_missing_is_named(endpoint: str) -> None:
    store = open_store(f"s3://nowhere/a?endpoint={endpoint}")
    with pytest.raises(StoreError, match="there is no such bucket"):
        store.begin("r", initial_state(), OWNER)


# URLs


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
        ("gs://bucket/x?region=http://hunter2", "other parameters"),
        ("az://bucket/x?sas=hunter2", "other parameters"),
    ],
)
def test_a_url_with_more_than_a_place_is_refused(url: str, fact: str) -> None:
    with pytest.raises(UsageError, match=fact) as raised:
        open_store(url)
    assert "hunter2" not in f"{raised.value.message} {raised.value.hint}"
