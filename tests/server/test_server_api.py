"""The operations of the JSON API that read runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_kit import RUNBOOK, Hosted, ran, store_of
from wct_process import Place

from waivern.server.server_options import AccessToken

STEPS = """
def people(n=3):
    return {"people": [{"name": f"n{i}", "i": i} for i in range(n)]}

def count(inputs):
    return {"count": len(inputs)}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = Place(Path(tmp_path_factory.mktemp("api")))
    (found.path / "sums.yaml").write_text(RUNBOOK)
    (found.path / "listing.py").write_text(STEPS)
    call = '{call: "listing.py:people", args: {n: 1500}}'
    text = f"""
  few: {{source: {{type: python, properties: {{call: "listing.py:people"}}}}}}
  many: {{source: {{type: python, properties: {call}}}}}
  counted:
    inputs: many
    child_runbook: {{path: child.yaml, output: x, input_mapping: {{m: many}}}}
"""
    found.runbook("lists.yaml", text)
    counted = '  x: {inputs: m, process: {type: python, properties: {call: "listing.py:count"}}}'
    head = "inputs: {m: {input_schema: json, sensitive: true}}\noutputs: {x: {artifact: x}}"
    found.runbook("child.yaml", counted, head)
    for number in range(5):
        ran(found, "sums.yaml", f"sum-{number}", metadata={"tags": [f"t{number % 2}"]})
    assert ran(found, "lists.yaml", "lists").status == "completed"
    yield found
    found.close()


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Hosted]:
    with Hosted(store_of(place)) as found:
        yield found


def test_pages_of_runs_follow_each_other(server: Hosted) -> None:
    found = server.get("/api/v1/runs?limit=4&runbook=sums").json
    assert [run["run_id"] for run in found["runs"]] == ["sum-4", "sum-3", "sum-2", "sum-1"]
    assert found["total"] == 5
    rest = server.get(f"/api/v1/runs?limit=4&runbook=sums&cursor={found['next']}").json
    assert [run["run_id"] for run in rest["runs"]] == ["sum-0"]
    assert rest["next"] is None


def test_runs_are_filtered_as_by_the_command(place: Place, server: Hosted) -> None:
    listed = json.loads(place.wct("runs", "list", "--tag", "t1", "--json").out)["data"]
    found = server.get("/api/v1/runs?tag=t1&status=completed&since=1d").json["runs"]
    assert found == listed


def test_a_run_its_steps_and_its_artifacts_agree(server: Hosted) -> None:
    run = server.get("/api/v1/runs/sum-0").json
    assert (run["status"], run["artifacts"]["completed"]) == ("completed", 2)
    steps = server.get("/api/v1/runs/sum-0/steps").json["steps"]
    assert [step["artifact"] for step in steps] == ["first", "last"]
    (last,) = server.get("/api/v1/runs/sum-0/artifacts?offset=1&limit=1").json["artifacts"]
    about = server.get("/api/v1/runs/sum-0/artifacts/last").json
    assert {key: about[key] for key in last} == last
    assert about["inputs"].keys() == {"first"}


def test_content_is_returned_whole_or_by_range(server: Hosted) -> None:
    whole = server.get("/api/v1/runs/lists/content/few").json["content"]
    assert [each["i"] for each in whole["people"]] == [0, 1, 2]
    part = server.get("/api/v1/runs/lists/content/few?offset=1&limit=1").json
    assert (part["list"], part["elements"], part["total"]) == ("people", whole["people"][1:2], 3)
    assert part["next"] == 2


def test_what_is_sensitive_is_shown_on_request(server: Hosted) -> None:
    refused = server.get("/api/v1/runs/lists/content/many")
    assert (refused.status, refused.error) == (409, "'many' is declared sensitive")
    found = server.get("/api/v1/runs/lists/content/many?offset=1400&limit=1000&reveal=true").json
    assert [found["elements"][0]["i"], len(found["elements"]), found["next"]] == [1400, 100, None]


@pytest.mark.parametrize("read_only", [False, True])
def test_source_content_is_in_the_access_log_before_it_is_shown(
    place: Place, read_only: bool
) -> None:
    (place.path / "data.txt").write_text("ann@example.org\n")
    text = "  held: {source: {type: filesystem, properties: {path: data.txt}}, keep: content}"
    place.runbook("held.yaml", text)
    name = f"held-{read_only}"
    assert ran(place, "held.yaml", name).status == "completed"
    tokens = (AccessToken("0123456789abcdef", "ann"),)
    with Hosted(store_of(place), tokens=tokens, read_only=read_only) as server:
        see_source(place, server, name)


def see_source(place: Place, server: Hosted, name: str) -> None:
    assert "ann@example.org" in str(server.get(f"/api/v1/runs/{name}/content/held").json)
    shown = [row["by"] for row in accesses(place) if row["run_id"] == name]
    assert shown == ["ann"]
    log = place.path / ".waivern" / "access.jsonl"
    before = log.read_bytes()
    log.write_bytes(before.replace(b"ann", b"bob"))
    refused = server.get(f"/api/v1/runs/{name}/content/held")
    log.write_bytes(before)
    assert (refused.status, b"example.org" in refused.body) == (500, False)


def accesses(place: Place) -> list[dict[str, str]]:
    lines = (place.path / ".waivern" / "access.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("runs/none", 404, "no run 'none'"),
        ("runs/@first", 404, "'@first' does not name a run"),
        ("runs/sum-0/artifacts/nothing", 404, "run sum-0 has no artifact 'nothing'"),
        ("runs/sum-0/artifacts/..%2f..%2frun", 404, "run sum-0 has no artifact '../../run'"),
        ("runs/sum-0/logs/..%2fx", 404, "run sum-0 has no artifact '../x'"),
        ("runs?limit=1001", 422, "limit= cannot be 1001"),
        ("runs?limit=1&limit=2", 422, "limit= occurs 2 times"),
        ("runs?status=done", 422, "status= cannot be 'done'"),
        ("runs?since=then", 422, "'then' is no age, date or time"),
        ("runs?cursor=x", 422, "cursor= is not one that this server returned"),
        ("runs?user=me", 422, "'user' is not a parameter of this path"),
        ("runs?tag=%00", 422, "tag= has a character that is not allowed"),
        ("runs/%00", 400, "the path has a control character"),
    ],
)
def test_a_refusal_has_a_reason(server: Hosted, path: str, status: int, reason: str) -> None:
    found = server.get(f"/api/v1/{path}")
    assert (found.status, found.error) == (status, reason)


def test_an_item_of_a_source_is_recorded_then_shown(place: Place) -> None:
    (place.path / "letters").mkdir()
    for name in ("one", "two"):
        (place.path / "letters" / f"{name}.txt").write_text(f"{name}: ann@example.org\n")
    text = "  files: {source: {type: filesystem, properties: {path: letters}}}"
    place.runbook("letters.yaml", text)
    assert ran(place, "letters.yaml", "listed").status == "completed"
    tokens = (AccessToken("0123456789abcdef", "ann"),)
    with Hosted(store_of(place), tokens=tokens, read_only=True) as server:
        found = server.get("/api/v1/runs/listed/items/files?item=2").json
        assert (found["artifact"], found["item"]) == ("files", "2")
        assert [part["text"] for part in found["parts"]] == ["two: ann@example.org\n"]
        listed = server.get("/runs/listed/artifacts/files").body.decode()
        assert 'action="/runs/listed/items/files"' in listed
        assert "ann@example.org" not in listed
        assert "two: ann@example.org" in server.get("/runs/listed/items/files?item=2").body.decode()
        shown = [row for row in accesses(place) if row["run_id"] == "listed"]
        assert [(row["by"], row["item"]) for row in shown] == [("ann", "two.txt")] * 2
        assert server.get("/api/v1/runs/listed/items/files?item=9").status == 404
        led = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
        assert server.get("/runs/listed/items/files?item=2", **led).status == 403
        log = place.path / ".waivern" / "access.jsonl"
        log.write_bytes(log.read_bytes().replace(b"ann", b"bob"))
        refused = server.get("/api/v1/runs/listed/items/files")
        assert (refused.status, b"example.org" in refused.body) == (500, False)


def test_a_copied_run_is_corrupt_in_lists_too(place: Place, server: Hosted) -> None:
    runs = place.path / ".waivern" / "runs"
    shutil.copytree(runs / "sum-0", runs / "copy")
    try:
        (found,) = server.get("/api/v1/runs?status=corrupt").json["runs"]
        assert found["run_id"] == "copy"
        assert "that of run 'sum-0'" in found["fault"]
        assert server.get("/api/v1/runs/copy").status == 500
    finally:
        shutil.rmtree(runs / "copy")
