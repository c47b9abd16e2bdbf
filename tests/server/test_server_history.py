"""The routes `/api/pipeline/runs`, whose form other programs rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_kit import RUNBOOK, Hosted, ran, store_of
from wct_process import Place

NAMES = ["run_id", "started_at", "ended_at", "result", "failure_reason", "stages_executed"]
NAMES += ["stages_failed", "retry_count", "metadata"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """Serve two runs that completed and one that failed."""
    place = Place(Path(tmp_path_factory.mktemp("history")))
    (place.path / "sums.yaml").write_text(RUNBOOK)
    place.runbook(
        "fails.yaml", '  a: {source: {type: python, properties: {call: "steps.py:fail"}}}'
    )
    for run_id, runbook in (("one", "sums.yaml"), ("two", "fails.yaml"), ("three", "sums.yaml")):
        ran(place, runbook, run_id)
    with Hosted(store_of(place)) as server:
        yield server


def test_the_list_has_the_latest_runs_first_and_their_number(server: Hosted) -> None:
    found = server.get("/api/pipeline/runs").json
    assert [run["run_id"] for run in found["runs"]] == ["three", "two", "one"]
    assert found["total"] == 3
    assert list(found["runs"][0])[:9] == NAMES


def test_the_total_counts_all_that_match_the_filter(server: Hosted) -> None:
    found = server.get("/api/pipeline/runs?limit=1&result=success").json
    assert [run["run_id"] for run in found["runs"]] == ["three"]
    assert found["total"] == 2


def test_a_run_is_found_by_its_id(server: Hosted) -> None:
    found = server.get("/api/pipeline/runs/two").json
    assert (found["result"], found["stages_failed"]) == ("failed", ["a"])


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/api/pipeline/runs/four", 404, "no run 'four' has ended"),
        ("/api/pipeline/runs/..%2f..%2fetc", 404, "there is nothing under this path"),
        ("/api/pipeline/runs?result=good", 422, "result= cannot be 'good'"),
        ("/api/pipeline/runs?limit=-1", 422, "limit= cannot be '-1'"),
        ("/api/pipeline/runs?limit=many", 422, "limit= cannot be 'many'"),
        ("/api/pipeline/runs/", 404, "there is nothing under this path"),
        ("/api/pipeline", 404, "there is nothing under this path"),
    ],
)
def test_a_refusal_has_a_reason(server: Hosted, path: str, status: int, reason: str) -> None:
    found = server.get(path)
    assert (found.status, found.error) == (status, reason)
    assert found.headers["content-type"] == "application/json"
