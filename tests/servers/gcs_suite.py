"""Stores in a bucket of Google Cloud Storage, as the server of `gcs_server.py` implements it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gcs_server import BUCKET, GcsServer, gcs

from waivern import run
from waivern.errors import StoreError
from waivern.runs.verify import verify
from waivern.store.base import RunStore
from waivern.store.opening import open_store
from waivern.testing.stores import StoreConformance

ACCOUNT = {
    "client_email": "",
    "private_key": "",
    "private_key_id": "",
    "disable_oauth": True,
}
"""The credentials for a server that asks for none."""
_numbers = itertools.count()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(ACCOUNT))
    with gcs() as server:
        yield server


def in_google(server: GcsServer) -> RunStore:
    return open_store(f"gs://{BUCKET}/{next(_numbers)}?endpoint={server.address}")


class TestStoreInGoogle(StoreConformance):
    @pytest.fixture(autouse=True)
    def _server(self, google: GcsServer) -> None:
        self._google = google

    def open_store(self, folder: Path) -> RunStore:
        return in_google(self._google)


CHAIN = """
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  b: {inputs: a, process: {type: python, properties: {call: "steps.py:count"}}}
"""


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(
        "def value(): return {'v': 1}\ndef count(inputs): return {'n': len(inputs)}\n"
    )
    (tmp_path / "r.yaml").write_text(CHAIN)
    return tmp_path / "r.yaml"


@pytest.mark.parametrize("part", range(4))
def test_every_request_fails_or_loses_its_answer_once(
    google: GcsServer, runbook: Path, part: int
) -> None:
    google.fails = lambda number: number % 4 == part and number % 8 < 4
    google.is_lost = lambda number: number % 4 == part and number % 8 >= 4
    store = in_google(google)
    assert run(runbook, run_id="r", store=store).status == "completed"
    google.fails = google.is_lost = lambda _number: False
    assert verify(open_store(store.url), "r").faults == ()


def test_a_bucket_that_is_gone_is_reported(google: GcsServer, runbook: Path) -> None:
    store = in_google(google)
    google.fails = lambda number: number > 12
    with pytest.raises(StoreError):
        run(runbook, run_id="r", store=store)
    google.fails = lambda _number: False


def test_a_bucket_that_overwrites_is_refused(google: GcsServer, runbook: Path) -> None:
    put = google.put
    google.put = lambda key, data, wanted: put(key, data, None)  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="overwrites"):
        run(runbook, run_id="r", store=in_google(google))
