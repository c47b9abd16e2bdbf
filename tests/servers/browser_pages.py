"""The pages in a real browser: accessible, followed live, usable with the keyboard alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_kit import SCHEMES, WIDTHS, Browser
from page_runs import write_runbooks
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from server_kit import Served, start_server
from wct_process import Place

pytestmark = pytest.mark.timeout(300)  # the first test waits for all runs
SHIPPED = Path(__file__).parents[2] / "runbooks"
PAGES = (
    "/",
    "/?status=failed",
    "/?status=odd",
    "/runs/broken",
    "/runs/gate",
    "/runs/fan",
    "/runs/fan?open=read/part_000",
    "/runs/findings",
    "/runs/findings/artifacts/findings",
    "/runs/programme",
    "/runs/gdpr",
    "/runs/gdpr/artifacts/shop",
    "/runs/gdpr/artifacts/archive",
    "/runs/gdpr/runbook",
    "/runs/broken/log/broken",
    "/runs/foreign",
    "/runs/damaged",
    "/compare?run=findings&run=again",
    "/nothing",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a folder with a run of each kind."""
    place = Place(Path(tmp_path_factory.mktemp("pages")))
    write_runbooks(place.path, findings=10_000)
    shutil.copytree(SHIPPED, place.path / "runbooks")
    for name in ("broken", "gate", "fan", "findings"):
        run(place, f"{name}.yaml", name)
    run(place, "findings.yaml", "again")
    for name in ("gdpr", "programme"):
        run(place, f"runbooks/{name}.yaml", name)
    runs = place.path / ".waivern/runs"
    run(place, "broken.yaml", "foreign", "--store", "other")
    shutil.copytree(place.path / "other/runs/foreign", runs / "foreign")
    shutil.copytree(runs / "gate", runs / "damaged")
    (runs / "damaged/_system/run.json").write_text("{")
    yield place
    place.close()


def run(place: Place, runbook: str, run_id: str, *more: str) -> None:
    """Execute a runbook, however long that takes."""
    place.start("run", runbook, "--run-id", run_id, "-q", *more).communicate()


@pytest.fixture(scope="module")
def server(place: Place) -> Served:
    return start_server(place)


@pytest.fixture(scope="module")
def browser(server: Served) -> Iterator[Browser]:
    browser = Browser(server.address)
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def no_faults(browser: Browser) -> Iterator[None]:
    """Expect no message on the console, and no request to another host."""
    yield
    expected = ("status of 404", "status of 422", "status of 500")
    assert [each for each in browser.faults() if not any(e in each for e in expected)] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible(browser: Browser, path: str, scheme: str) -> None:
    for width in (WIDTHS[0], WIDTHS[-1]):
        browser.open(path, width=width, scheme=scheme)
        assert browser.violations() == [], width
        assert not browser.overflows(), width


def test_an_empty_store_is_explained(tmp_path: Path) -> None:
    place = Place(tmp_path)
    server = start_server(place)
    browser = Browser(server.address)
    try:
        assert "This store has no runs yet." in browser.open("/").text
        assert browser.violations() == []
        assert browser.faults() == []
    finally:
        browser.close()
        place.close()


def test_a_token_is_typed_into_the_form(place: Place) -> None:
    server = start_server(place, token="0123456789-abcdefghij")
    browser = Browser(server.address)
    try:
        browser.open("/?status=failed")
        assert browser.violations() == []
        browser.press("not the token", Keys.ENTER)
        browser.wait_for(lambda: "the token is not valid" in browser.text)
        assert browser.violations() == []
        browser.press("0123456789-abcdefghij", Keys.ENTER)
        browser.wait_for(lambda: "Runs" in browser.text)
        assert browser.driver.current_url.endswith("/?status=failed")
        assert browser.driver.execute_script("return document.cookie") == ""
    finally:
        browser.close()
        server.end()


def test_a_live_run_is_followed_to_its_end(browser: Browser, place: Place) -> None:
    run = place.start("run", "slow.yaml", "--run-id", "live")
    browser.wait_for(lambda: "live" in place.run_ids())
    browser.open("/runs/live")
    browser.driver.execute_script("window.stayed = true")
    browser.wait_for(lambda: re.search("Slow ▸ running(.|\n)*completed [1-7]\n", browser.text))
    assert browser.violations() == []
    browser.wait_for(lambda: "Slow ✔ completed" in browser.text)
    assert browser.driver.execute_script("return window.stayed"), "the page was not loaded anew"
    browser.wait_for(lambda: browser.driver.find_element(By.CLASS_NAME, "live").text == "ended")
    assert place.ended(run).code == 0


def test_a_restart_of_the_server_loses_nothing(place: Place) -> None:
    first = start_server(place)
    browser = Browser(first.address)
    try:
        run = place.start("run", "slow.yaml", "--run-id", "restart")
        browser.wait_for(lambda: "restart" in place.run_ids())
        browser.open("/runs/restart")
        browser.wait_for(lambda: re.search("completed [1-7]", browser.text))
        first.end()
        second = start_server(place, "--port", first.host.rpartition(":")[2])
        browser.wait_for(lambda: "Slow ✔ completed" in browser.text)
        assert place.ended(run).code == 0
        second.end()
    finally:
        browser.close()


def test_a_run_is_found_and_read_with_the_keyboard_alone(browser: Browser) -> None:
    browser.open("/")
    browser.press(Keys.TAB)
    assert browser.focused() == "Skip to the content"
    browser.press(Keys.ENTER)
    browser.tab_to("broken")
    browser.press(Keys.ENTER)
    browser.wait_for(lambda: "1 artifact failed" in browser.text)
    browser.tab_to("Command that resumes the run")
    browser.tab_to("broken: python, failed")
    browser.press(Keys.ENTER)
    browser.wait_for(lambda: browser.driver.current_url.endswith("/runs/broken/artifacts/broken"))


def test_a_fan_out_is_expanded_with_the_keyboard(browser: Browser) -> None:
    browser.open("/runs/fan")
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, "svg .node")) == 3
    browser.tab_to("read/part_* (150): 150 completed")
    browser.press(Keys.ENTER)
    browser.wait_for(lambda: len(browser.driver.find_elements(By.CSS_SELECTOR, "svg .node")) == 301)


def test_findings_are_paged(browser: Browser) -> None:
    browser.open("/runs/findings/artifacts/findings")
    assert "1 to 50 of 10,000 findings" in browser.text
    browser.driver.find_element(By.LINK_TEXT, "Next").click()
    browser.wait_for(lambda: "51 to 100 of 10,000 findings" in browser.text)


def test_a_gate_is_approved_with_the_keyboard(browser: Browser, place: Place) -> None:
    place.wct("run", "gate.yaml", "--run-id", "approved")
    browser.open("/runs/approved")
    browser.tab_to("Note")
    browser.press("seen", Keys.TAB)
    assert browser.focused() == "Approve"
    browser.press(Keys.ENTER)
    browser.wait_for(lambda: "Decision ✔ completed" in browser.text)
    assert "seen" in browser.open("/runs/approved/artifacts/approval").text


def test_a_live_run_is_cancelled(tmp_path: Path) -> None:
    place = Place(tmp_path)
    meeting, server = place.meeting(), start_server(place)
    browser = Browser(server.address)
    try:
        run = place.start("run", meeting.runbook, "--run-id", "live")
        meeting.wait()
        browser.open("/runs/live")
        browser.driver.find_element(By.XPATH, "//summary[. = 'Cancel this run']").click()
        browser.driver.find_element(By.XPATH, "//button[. = 'Cancel the run']").click()
        browser.wait_for(lambda: "! cancelled" in browser.text)
        meeting.let_go()
        assert place.ended(run).code == 1
        assert browser.faults() == []
    finally:
        browser.close()
        place.close()


def test_text_of_a_foreign_run_stays_text(browser: Browser) -> None:
    browser.open("/runs/foreign")
    assert "This run comes from another store." in browser.text
    assert "the archive is <b>not</b> \\u001b[31mreadable\\u001b[0m \\u202ehere" in browser.text
    assert browser.driver.find_elements(By.CSS_SELECTOR, "main i, main b script") == []


def test_the_pages_work_without_javascript(server: Served, place: Place) -> None:
    browser = Browser(server.address, javascript=False)
    try:
        browser.open("/")
        for run_id in ("findings", "again"):
            browser.driver.find_element(By.CSS_SELECTOR, f"input[value={run_id}]").click()
        browser.driver.find_element(By.XPATH, "//button[contains(., 'Compare')]").click()
        browser.wait_for(lambda: "Two runs side by side" in browser.text)
        assert "command" not in browser.open("/runs/broken").driver.title
        assert browser.driver.find_elements(By.XPATH, "//button[. = 'Copy']") == []
        assert "wct runs resume broken" in browser.text
        place.wct("run", "gate.yaml", "--run-id", "rejected")
        browser.open("/runs/rejected")
        browser.driver.find_element(By.XPATH, "//button[. = 'Reject']").click()
        browser.wait_for(lambda: "rejected" in browser.open("/runs/rejected").text)
        browser.wait_for(lambda: "✘ failed" in browser.open("/runs/rejected").text)
        assert browser.faults() == []
    finally:
        browser.close()
