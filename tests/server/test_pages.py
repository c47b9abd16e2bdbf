"""The pages of the server as HTML: what they say of real runs, without a browser."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from page_runs import write_people, write_runbooks
from page_text import PageText, read_page
from server_kit import Answer, Hosted, Reached
from wct_process import Place

from waivern import open_store
from waivern.server.pages.page_templates import ASSETS, asset

RUNS = ("broken", "gate", "fan", "held", "findings", "again")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Serve a run of each kind, a damaged one, and one without a journal."""
    place = Place(Path(tmp_path_factory.mktemp("pages")))
    write_runbooks(place.path, width=40, findings=120)
    for run_id in RUNS:
        runbook = "findings" if run_id == "again" else run_id
        if run_id == "again":
            write_people(place.path, 121)
        place.wct("run", f"{runbook}.yaml", "--run-id", run_id, "--tag", "weekly", "--name", run_id)
    runs = place.path / ".waivern/runs"
    shutil.copytree(runs / "gate", runs / "damaged")
    (runs / "damaged/_system/run.json").write_text("{")
    with Hosted(open_store(place.path / ".waivern")) as server:
        yield Pages(server, place)
    place.close()


class Pages:
    """The pages of a server, each read and checked."""

    def __init__(self, server: Reached, place: Place) -> None:
        self.server = server
        self.place = place

    def page(self, path: str, status: int = 200) -> PageText:
        answer = self.server.get(path)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        found = read_page(answer.body)
        assert found.faults == []
        return found

    def send(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        kind = "application/x-www-form-urlencoded"
        headers = {"Origin": f"http://{self.server.host}", "Content-Type": kind}
        return self.server.request("POST", path, urlencode(fields).encode(), **headers)

    def wait_for(self, path: str, text: str) -> None:
        """Return when a page has a text."""
        end = time.monotonic() + 20
        while text not in (shown := self.page(path).text):
            assert time.monotonic() < end, shown
            time.sleep(0.1)


def test_the_list_shows_all_runs_with_their_status_in_words(pages: Pages) -> None:
    page = pages.page("/")
    for run_id in RUNS:
        assert f"/runs/{run_id}" in page.links
    assert "✘ failed" in page.text
    assert "▮ suspended" in page.text
    assert "✘ corrupt" in page.text
    assert "1 to 7 of 7 runs" in page.text


def test_the_filters_are_in_the_address(pages: Pages) -> None:
    page = pages.page("/?status=failed&runbook=broken&tag=weekly&since=2d")
    assert [link for link in page.links if link.startswith("/runs/")] == ["/runs/broken"]
    assert "1 to 1 of 1 run, 7 in the store" in page.text
    assert "broken" in page.inputs["runbook"]
    page = pages.page("/?sort=name&tag=weekly")
    runs = [link for link in page.links if link.startswith("/runs/")]
    assert runs == [f"/runs/{run_id}" for run_id in sorted(RUNS)]
    assert "No run matches; 7 runs exist." in pages.page("/?tag=none").text


@pytest.mark.parametrize("query", ["status=odd", "since=never", "sort=odd"])
def test_a_wrong_filter_is_refused_with_its_reason(pages: Pages, query: str) -> None:
    page = pages.page(f"/?{query}", 422)
    assert query.partition("=")[2] in page.text
    assert "Filter" in page.text


def test_a_failure_is_shown_with_its_log_and_the_command_that_resumes(pages: Pages) -> None:
    page = pages.page("/runs/broken")
    assert "1 artifact failed" in page.text
    assert "the archive is <b>not</b> \\u001b[31mreadable\\u001b[0m \\u202ehere" in page.text
    assert "Resume" in page.text
    assert "The end of the log of broken" in page.text
    assert f"wct runs resume broken --store {pages.place.path}/.waivern" in page.text
    assert "it needs 'broken', which failed" in page.text
    assert page.boxes == [
        "first: python, completed",
        "broken: python, failed",
        "behind: skipped",
    ]
    assert "read the archive" in pages.page("/runs/broken/log/broken").text
    assert "Broken <i>archive</i>" in pages.page("/runs/broken/runbook").text


def test_a_gate_shows_what_is_decided_on(pages: Pages) -> None:
    page = pages.page("/runs/gate")
    assert "Decision needed: approval May the facts be filed?" in page.text
    journal = (pages.place.path / ".waivern/runs/gate/_system/events.jsonl").read_text()
    events = [json.loads(line)["event"] for line in journal.splitlines()]
    (asked,) = (each for each in events if each["type"] == "artifact_suspended")
    assert f"facts {asked['shown']['facts']}" in page.text
    assert "wct runs approve gate/approval" in page.text
    assert "approval: gate, suspended" in page.boxes


def test_a_fan_out_is_one_box_and_can_be_expanded(pages: Pages) -> None:
    page = pages.page("/runs/fan")
    assert page.boxes == [
        "read/part_0* (40): 40 completed",
        "search/part_0* (40): 40 completed",
        "all: python, completed",
    ]
    (opener,) = (link for link in page.links if link.startswith("/runs/fan?open=read"))
    assert len(pages.page(opener.partition("#")[0]).boxes) == 81
    assert "81" in page.text


def test_findings_are_counted_filtered_and_masked(pages: Pages) -> None:
    page = pages.page("/runs/findings")
    assert "120 findings, 120 occurrences" in page.text
    (link,) = (link for link in page.links if "type=EMAIL_ADDRESS" in link)
    page = pages.page(link)
    assert "1 to 50 of 120 findings" in page.text
    assert "people_0, column_7, row 0" in page.text
    assert "person0@firm0.org" not in page.text
    following = next(link for link in page.links if "from=50" in link)
    assert "51 to 100 of 120 findings" in pages.page(following).text
    assert "No finding matches." in pages.page(f"{link}&severity=odd").text


def test_a_decision_is_on_the_digests_that_were_shown(pages: Pages) -> None:
    (shown,) = pages.page("/runs/gate").inputs["shown"]
    stale = "sha256:" + "0" * 64 + " facts"
    answer = pages.send("/runs/gate/decide/approval", decision="approve", shown=stale)
    assert answer.status == 409
    assert "shows something else than what this decision is on" in read_page(answer.body).text
    assert pages.send("/runs/gate/decide/approval", decision="", shown=shown).status == 422
    assert "Decision needed" in pages.page("/runs/gate").text
    form = {"decision": "approve", "shown": shown, "note": "seen <b>"}
    answer = pages.send("/runs/gate/decide/approval", **form)
    assert (answer.status, answer.headers["location"]) == (303, "/runs/gate")
    pages.wait_for("/runs/gate", "✔ completed 3")
    assert "seen <b>" in pages.page("/runs/gate/artifacts/approval").text


def test_a_failed_run_is_resumed(pages: Pages) -> None:
    assert pages.send("/runs/broken/resume").status == 303
    pages.wait_for("/runs/broken", "attempt 2")


def test_source_content_is_shown_on_request_and_recorded_before(pages: Pages) -> None:
    log = pages.place.path / ".waivern/access.jsonl"
    page = pages.page("/runs/held/artifacts/letters")
    assert "It holds content of its source, unmasked." in page.text
    assert "Lovelace" not in page.text
    assert not log.exists()
    with Hosted(open_store(pages.place.path / ".waivern"), read_only=True) as server:
        read_only = Pages(server, pages.place)
        assert "Lovelace" in read_only.page("/runs/held/artifacts/letters?show=1").text
        (line,) = log.read_text().splitlines()
        assert json.loads(line)["event"]["artifact"] == "letters"
        assert "Resume" not in read_only.page("/runs/broken").text
        assert read_only.send("/runs/broken/resume").status == 403


def test_a_sensitive_artifact_is_shown_on_request(pages: Pages) -> None:
    path = "/runs/held/artifacts/private"
    assert "The runbook declares it as sensitive." in pages.page(path).text
    assert '"count": 1' not in pages.page(path).text
    assert '"count": 1' in pages.page(f"{path}?show=1").text
    page = pages.page("/runs/held")
    assert "failing python ValueError" in page.text
    assert "The end of the log" not in page.text
    pages.page("/runs/held/log/failing", 403)


def test_a_list_of_objects_is_a_table(pages: Pages) -> None:
    page = pages.page("/runs/findings/artifacts/people")
    assert "reference: catalogue of 2 tables" in page.text
    assert "tables 1 to 2 of 2 name" in page.text


def test_two_runs_are_compared(pages: Pages) -> None:
    page = pages.page("/compare?run=again&run=findings")
    assert "1 new, 120 unchanged" in page.text
    assert "content differs" in page.text
    assert page.text.index("Before: findings") < page.text.index("After: again")
    assert pages.page("/compare?run=again").text == page.text
    pages.page("/compare?run=findings", 404)
    pages.page("/compare", 422)


def test_what_is_wrong_is_said_on_a_page(pages: Pages) -> None:
    assert "Not found" in pages.page("/runs/nothing", 404).text
    assert "Not found" in pages.page("/runs/gate/artifacts/nothing", 404).text
    assert "Not found" in pages.page("/nothing", 404).text
    damaged = pages.page("/runs/damaged", 500)
    assert "the journal of run damaged is that of run 'gate'" in damaged.text
    pages.page("/runs/..", 422)
    pages.page("/runs/a%20b", 422)


def test_assets_are_small_and_may_be_retained(pages: Pages) -> None:
    assert sum(len(asset(name)) for name in ASSETS) <= 60 * 1024
    body = pages.server.get("/").body.decode()
    for name, kind in ASSETS.items():
        path = next(part for part in body.split('"') if part.endswith(f"/{name}"))
        answer = pages.server.get(path)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.body == asset(name)
    assert pages.server.get("/assets/0/page.css").headers["cache-control"] == "no-store"
    assert pages.server.get("/assets/0/other").status == 404
