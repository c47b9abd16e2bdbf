"""The operations that change something, each carried out by a process of `wct`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_kit import RUNBOOK, Served, awaited, start_server
from wct_process import Place

GATED = """
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  ask:
    gate: {question: "Is it right?", show: [first]}
  last:
    inputs: first
    after: ask
    process: {type: python, properties: {call: "steps.py:total"}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.close()


def status(server: Served, run: str) -> str:
    return str(server.get(f"/api/v1/runs/{run}").json["status"])


def test_a_runbook_of_the_allowed_folder_is_started(place: Place) -> None:
    folder = place.path / "books" / "sub"
    folder.mkdir(parents=True)
    (folder / "steps.py").write_text((place.path / "steps.py").read_text())
    text = RUNBOOK.replace('"steps.py:value"', '"steps.py:value", args: {x: "${params.x}"}')
    (folder / "sums.yaml").write_text("params: {x: {type: integer}}\n" + text)
    (place.path / "other.yaml").write_text(RUNBOOK)
    (place.path / "books" / "link.yaml").symlink_to(place.path / "other.yaml")
    server = start_server(place, "--runbooks", "books")
    assert server.get("/api/v1/runbooks").json == {"runbooks": [{"path": "sub/sums.yaml"}]}
    body = {"runbook": "sub/sums.yaml", "params": {"x": 20}, "tags": ["web"]}
    begun = server.post("/api/v1/runs", body)
    assert begun.status == 202, begun.body
    run = begun.json["run_id"]
    awaited(lambda: status(server, run), "completed")
    assert server.get(f"/api/v1/runs/{run}").json["metadata"]["tags"] == ["web"]
    assert server.get(f"/api/v1/runs/{run}/content/last").json["content"] == {"total": 20}
    for wanted in ("../other.yaml", "link.yaml", str(place.path / "other.yaml"), "none.yaml", "."):
        assert server.post("/api/v1/runs", {"runbook": wanted}).status == 404, wanted
    refused = server.post("/api/v1/runs", {"runbook": "sub/sums.yaml", "params": {"y": 1}})
    assert (refused.status, refused.json["error"]["problems"] != []) == (422, True)


def test_without_a_folder_nothing_is_started(place: Place) -> None:
    found = start_server(place).post("/api/v1/runs", {"runbook": "sums.yaml"})
    assert (found.status, found.error) == (403, "no runbook may be started here")


def test_a_decision_is_on_what_was_shown(place: Place) -> None:
    place.runbook("gated.yaml", GATED)
    assert place.wct("run", "gated.yaml", "--run-id", "gated").code == 7
    server = start_server(place, token="ann 0123456789abcdef")
    server.token = "0123456789abcdef"
    path = "/api/v1/runs/gated/decisions"
    (asked,) = server.get("/api/v1/runs/gated").json["decisions"]["ask"]
    other = {"first": "sha256:" + "0" * 64}
    body = {"gate": "ask", "approved": True, "shown": other, "note": "-- fine"}
    refused = server.post(path, body)
    assert refused.status == 409
    assert "shows something else" in refused.error
    decided = server.post(path, body | {"shown": asked["shown"]})
    assert decided.status == 202, decided.body
    assert (decided.json["by"], decided.json["resumed"]) == ("ann", True)
    awaited(lambda: status(server, "gated"), "completed")
    (_, given) = server.get("/api/v1/runs/gated").json["decisions"]["ask"]
    assert (given["by"], given["note"]) == ("ann", "-- fine")
    again = server.post(path, body | {"shown": asked["shown"]})
    assert again.status == 409


def test_a_run_is_cancelled_and_resumed_by_request(place: Place) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    server = start_server(place)
    assert server.post("/api/v1/runs/live/resume").status == 409  # it is running
    found = server.post("/api/v1/runs/live/cancel", {"note": "wrong region"})
    assert (found.status, found.json["status"]) == (202, "running")
    meeting.let_go()
    place.ended(run)
    assert status(server, "live") == "cancelled"
    refused = server.post("/api/v1/runs/live/resume")
    assert (refused.status, "cancelled" in refused.error) == (409, True)


def test_a_failed_run_is_resumed_in_a_process_that_survives_the_server(place: Place) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    run.kill()
    run.communicate(timeout=10)
    server = start_server(place)
    assert server.post("/api/v1/runs/live/resume").status == 202
    meeting.wait()
    assert server.end()[0] == 0
    meeting.let_go()
    awaited(
        lambda: json.loads(place.wct("inspect", "live", "--json").out)["data"]["status"],
        "completed",
    )


def test_a_read_only_server_changes_nothing(place: Place) -> None:
    place.runbook("gated.yaml", GATED)
    place.wct("run", "gated.yaml", "--run-id", "gated")
    server = start_server(place, "--read-only", "--runbooks", ".")
    for path in ("runs", "runs/gated/cancel", "runs/gated/resume", "runs/gated/decisions"):
        found = server.post(f"/api/v1/{path}")
        assert (found.status, found.error) == (403, "this server is read-only")
    assert status(server, "gated") == "suspended"
