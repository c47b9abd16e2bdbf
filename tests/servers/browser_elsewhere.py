"""One run and four programs: two computers that work on it, a server, and a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browser_kit import Browser
from selenium.webdriver.common.keys import Keys
from server_kit import start_server
from wct_process import Place

pytestmark = pytest.mark.timeout(300)
TOKEN = "0123456789-abcdefghij"
RUNBOOK = """
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  met:
    after: [first]
    source: {type: python, properties: {call: "steps.py:meet", args: {ready: ready, go: go}}}
  ask:
    gate: {question: "Is it right?", show: [first, met]}
  last:
    inputs: first
    after: [ask]
    process: {type: python, properties: {call: "steps.py:total"}}
"""


def computer(folder: Path) -> Place:
    """Return a folder of its own, with the runbook, in which `met` waits for the test."""
    folder.mkdir()
    place = Place(folder)
    place.runbook("r.yaml", RUNBOOK, "name: Review")
    for name in ("ready", "go"):
        os.mkfifo(folder / name)
    return place


def test_a_run_is_killed_resumed_elsewhere_watched_and_approved_in_the_browser(
    tmp_path: Path,
) -> None:
    at_server = computer(tmp_path / "server")
    one, two = computer(tmp_path / "one"), computer(tmp_path / "two")
    server = start_server(at_server, "--store", "kept", token=TOKEN)
    browser = Browser(server.address)
    store = {"WAIVERN_STORE": server.address, "WAIVERN_STORE_TOKEN": TOKEN}
    try:
        run = one.start("run", "r.yaml", "--run-id", "shared", **store)
        assert (one.path / "ready").read_text() == "here"
        browser.open("/runs/shared")
        browser.press(TOKEN, Keys.ENTER)
        browser.wait_for(lambda: "Review ▸ running" in browser.text)

        run.kill()
        one.ended(run)
        browser.wait_for(lambda: "interrupted" in browser.text, 40)

        resumed = two.start("run", "r.yaml", "--resume", "shared", **store)
        assert (two.path / "ready").read_text() == "here"
        browser.wait_for(lambda: "Review ▸ running" in browser.text)
        (two.path / "go").write_text("go")
        assert two.ended(resumed).code == 7
        browser.wait_for(lambda: "Is it right?" in browser.text)

        browser.tab_to("Note")
        browser.press("looks right", Keys.TAB)
        assert browser.focused() == "Approve"
        browser.press(Keys.ENTER)
        browser.wait_for(lambda: "Review ✔ completed" in browser.text)

        verified = one.wct("runs", "verify", "shared", **store)
        assert verified.code == 0, verified.out + verified.err
        assert at_server.wct("runs", "verify", "shared", "--store", "kept").code == 0
        assert browser.faults() == []
    finally:
        browser.close()
        for place in (one, two, at_server):
            place.close()
