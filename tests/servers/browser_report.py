"""Reports and graphs in a real browser: accessible, printed, closed to code; mermaid by its own
grammar."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_kit import SCHEMES, WIDTHS, Browser
from page_runs import write_runbooks
from wct_process import Place

pytestmark = pytest.mark.timeout(300)
SHIPPED = Path(__file__).parents[2] / "runbooks"
MERMAID = Path(os.environ.get("MERMAID", "build/mermaid/package/dist/mermaid.min.js")).absolute()
RUNS = ("broken", "gate", "fan", "findings", "programme", "gdpr", "foreign")
MERMAID_PAGE = '<meta charset="utf-8"><script src="mermaid.js"></script><main></main>'
OPEN = "for (const each of document.querySelectorAll('details')) each.open = true"
"""What shows the folded lists; that of a thousand findings takes axe-core longer than it may."""
CODE = '<script>document.title = "ran"</script><img src="http://127.0.0.1:9/x"><b onclick="x">b</b>'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a folder with a report and the graphs of a run of each kind."""
    place = Place(Path(tmp_path_factory.mktemp("reports")))
    write_runbooks(place.path, findings=1_000)
    shutil.copytree(SHIPPED, place.path / "runbooks")
    for name in RUNS:
        book = f"runbooks/{name}.yaml" if name in ("gdpr", "programme") else f"{name}.yaml"
        book = "broken.yaml" if name == "foreign" else book
        more = ("--store", "other") if name == "foreign" else ()
        place.start("run", book, "--run-id", name, "-q", *more).communicate()
    runs = place.path / ".waivern/runs"
    shutil.copytree(place.path / "other/runs/foreign", runs / "foreign")
    for name in RUNS:
        place.wct("report", name, "-o", f"{name}.html")
        for form in ("svg", "mermaid"):
            drawn = place.wct("graph", name, "--format", form)
            (place.path / f"{name}.{form}").write_text(drawn.out)
    yield place
    place.close()


@pytest.fixture(scope="module")
def browser(place: Place) -> Iterator[Browser]:
    browser = Browser(f"file://{place.path}")
    yield browser
    browser.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", RUNS)
def test_reports_are_accessible_at_every_width(browser: Browser, name: str, scheme: str) -> None:
    for width in WIDTHS:
        browser.open(f"/{name}.html", width=width, scheme=scheme)
        if name != "findings":
            browser.driver.execute_script(OPEN)
        assert browser.violations() == [], width
        assert not browser.overflows(), width
    assert browser.faults() == []


@pytest.mark.parametrize("name", RUNS)
def test_the_first_screen_has_all_four_answers(browser: Browser, name: str) -> None:
    browser.open(f"/{name}.html", width=1400, height=900)
    bottoms = browser.driver.execute_script(
        "return [...document.querySelectorAll('.answer')]"
        ".map(each => each.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) == 4
    assert max(bottoms) <= 900


def test_the_policy_stops_code_that_would_be_in_a_report(browser: Browser, place: Place) -> None:
    page = (place.path / "gdpr.html").read_text()
    (place.path / "attacked.html").write_text(page.replace("<main", f"{CODE}<main", 1))
    browser.open("/attacked.html")
    assert browser.driver.title == "Report: GDPR record of processing"
    refused = [each for each in browser.faults() if "Content Security Policy" in each]
    for directive in ("img-src data:", "default-src 'none'"):
        assert any(directive in each for each in refused), refused
    assert browser.driver.execute_script("return document.images[0].naturalWidth") == 0


def test_a_report_is_printed_on_few_pages(browser: Browser) -> None:
    browser.open("/gdpr.html")
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert 2 <= base64.b64decode(printed["data"]).count(b"/Type /Page\n") <= 8


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_graph_is_a_picture_of_its_own(browser: Browser, scheme: str) -> None:
    for name in RUNS:
        browser.open(f"/{name}.svg", scheme=scheme)
        colours = browser.driver.execute_script(
            "const e = document.documentElement; const s = getComputedStyle(e);"
            "return [s.backgroundColor, getComputedStyle(e.querySelector('text')).fill]"
        )
        assert colours[0] != colours[1]
        assert colours[0] not in ("rgba(0, 0, 0, 0)", "")
    assert browser.faults() == []


def test_mermaid_reads_the_graphs(browser: Browser, place: Place) -> None:
    shutil.copy(MERMAID, place.path / "mermaid.js")
    (place.path / "mermaid.html").write_text(MERMAID_PAGE)
    browser.open("/mermaid.html")
    for name in RUNS:
        source = (place.path / f"{name}.mermaid").read_text()
        svg = browser.driver.execute_async_script(
            "const done = arguments[1]; mermaid.initialize({startOnLoad: false});"
            "mermaid.render('drawn', arguments[0]).then(r => done(r.svg), e => done('no: ' + e));",
            source,
        )
        assert svg.startswith("<svg"), f"{name}: {svg[:500]}\n{source}"
        assert "<script" not in svg
    assert "✔ first" in browser.driver.execute_async_script(
        "const done = arguments[1]; mermaid.render('again', arguments[0]).then("
        "r => { document.querySelector('main').innerHTML = r.svg; done(document.body.innerText) })",
        (place.path / "foreign.mermaid").read_text(),
    )
