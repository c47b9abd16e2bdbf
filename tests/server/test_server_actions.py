"""The operations that change something, each carried out by a process of `wct`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_kit import RUNBOOK, Hosted, Reached, awaited, ran, start_server, store_of
from wct_process import Meeting, Place

from waivern.server.server_options import AccessToken

GATED = """
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  ask:
    gate: {question: "Is it right?", show: [first]}
  last:
    inputs: first
    after: ask
    process: {type: python, properties: {call: "steps.py:total"}}
"""


ACTIONS = ("cancel", "resume", "decisions", "annotations")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.close()


def status(server: Reached, run: str) -> str:
    return str(server.get(f"/api/v1/runs/{run}").json["status"])


def test_a_runbook_of_the_allowed_folder_is_started(place: Place) -> None:
    folder = place.path / "books" / "sub"
    folder.mkdir(parents=True)
    (folder / "steps.py").write_text((place.path / "steps.py").read_text())
    text = RUNBOOK.replace('"steps.py:value"', '"steps.py:value", args: {x: "${params.x}"}')
    (folder / "sums.yaml").write_text("params: {x: {type: integer}}\n" + text)
    (place.path / "other.yaml").write_text(RUNBOOK)
    (place.path / "books" / "link.yaml").symlink_to(place.path / "other.yaml")
    with Hosted(store_of(place), runbooks=str(place.path / "books")) as server:
        start_one(place, server)


def start_one(place: Place, server: Hosted) -> None:
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
    with Hosted(store_of(place)) as server:
        found = server.post("/api/v1/runs", {"runbook": "sums.yaml"})
    assert (found.status, found.error) == (403, "no runbook may be started here")


def test_a_decision_is_on_what_was_shown(place: Place) -> None:
    place.runbook("gated.yaml", GATED)
    assert ran(place, "gated.yaml", "gated").status == "suspended"
    with Hosted(store_of(place), tokens=(AccessToken("0123456789abcdef", "ann"),)) as server:
        decide(server)


def decide(server: Hosted) -> None:
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
    with Hosted(store_of(place)) as server:
        cancel(place, server, meeting, run)


def cancel(place: Place, server: Hosted, meeting: Meeting, run: subprocess.Popen[str]) -> None:
    found = server.post("/api/v1/runs/live/cancel", {"note": "wrong region"})
    assert (found.status, found.json["status"]) == (202, "running")
    awaited(lambda: bool(server.get("/api/v1/runs/live").json["cancelled_by"]), True)
    meeting.let_go()
    place.ended(run)
    assert status(server, "live") == "cancelled"
    refused = server.post("/api/v1/runs/live/resume")
    assert (refused.status, "cancelled" in refused.error) == (409, True)


def test_a_live_run_is_annotated(place: Place) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live", "--tag", "old")
    meeting.wait()
    with Hosted(store_of(place), tokens=(AccessToken("0123456789abcdef", "ann"),)) as server:
        body = {"name": "Q4", "add": ["-new"], "remove": ["old"], "meta": {"k": "v"}}
        found = server.post("/api/v1/runs/live/annotations", body)
        assert found.status == 200, found.body
        annotations = {"name": "Q4", "tags": ["-new"], "meta": {"k": "v"}}
        assert found.json == {"run_id": "live", "metadata": annotations}
        page = server.get("/runs/live").body.decode()
        assert 'name="name" value="Q4"' in page
        form = b"name=&tags=-new%2C+more&before=-new&note=one%0D%0Atwo"
        headers = {"Content_Type": "application/x-www-form-urlencoded", "Origin": server.address}
        sent = server.request("POST", "/runs/live/annotate", form, **headers)
        assert sent.status == 303, sent.body
        assert status(server, "live") == "running"
        assert server.get("/api/v1/runs/live").json["metadata"] == {
            "tags": ["-new", "more"],
            "note": "one\ntwo",
            "meta": {"k": "v"},
        }
        assert server.post("/api/v1/runs/live/annotations", {"add": ["a,b"]}).status == 422
    meeting.let_go()
    place.ended(run)


@pytest.mark.sweep
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
    ran(place, "gated.yaml", "gated")
    with Hosted(store_of(place), read_only=True, runbooks=str(place.path)) as server:
        for path in ("runs", *(f"runs/gated/{each}" for each in ACTIONS)):
            found = server.post(f"/api/v1/{path}")
            assert (found.status, found.error) == (403, "this server is read-only")
        assert status(server, "gated") == "suspended"
