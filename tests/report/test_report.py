"""The report of a run: its first screen, hostile text, what is missing, and its size."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing

import pytest
from report_reader import ReportReader
from wct_process import Place, Wct

from waivern.report.report_facts import report_facts
from waivern.report.report_page import report_html
from waivern.runs.exporter import exported_run
from waivern.runs.recorded_findings import RecordedFinding
from waivern.store.opening import open_store

HOSTILE = "</td><script>alert(1)</script> \u202e"
BOOK = """
  files: {source: {type: filesystem, properties: {path: files}}}
  gone: {optional: true, source: {type: filesystem, properties: {path: missing}}}
  findings: {inputs: files, process: {type: personal_data}}
"""
CSV = (
    "name,email,religion\nAda Bell,ada.bell@larkfield.org,catholic\nBo Day,bo@larkfield.org,none\n"
)


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what planning adds to `sys.path`."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def book(place: Place) -> str:
    (place.path / "files").mkdir()
    (place.path / "files" / "people.csv").write_text(CSV)
    return place.runbook("book.yaml", BOOK)


def report(place: Place, wct: Wct, run: str = "@last") -> ReportReader:
    """Return the report of a run, after `wct report` has written it."""
    file = place.path / "report.html"
    file.unlink(missing_ok=True)
    written = wct("report", run)
    assert written.code == 0, written.err
    found = ReportReader(file.read_text())
    found.check()
    return found


def first_screen(found: ReportReader) -> str:
    return found.text.partition("Findings by category")[0].partition("By category")[0]


def test_the_first_screen_answers_a_board(place: Place, wct: Wct, book: str) -> None:
    wct("run", book, "-q", "--run-id", "board")
    found = report(place, wct)
    text = first_screen(found)
    assert "Special categories: religion or belief (1)" in text
    assert "Also: " in text
    assert "contact (" in text
    assert "1 of 2 sources examined in full least: gone, 0.0 %" in text
    assert "The whole of gone, which failed: 'missing' cannot be read" in text
    assert "1 finding of special categories: confirm the legal basis" in text
    order = ("looked at", "found", "not examined")
    places = [text.index(f"What was {each}") for each in order]
    assert places == sorted(places)
    path = r"The critical path took \S+ of \S+: files \(\S+\), then findings \("
    assert re.search(path, found.text)
    assert "a***@larkfield.org" in found.text
    assert "ada.bell" not in found.text, "values are masked"
    assert "Ada Bell" not in found.text


def test_hostile_text_stays_text(place: Place, wct: Wct, book: str) -> None:
    (place.path / "files" / "<b onclick=x>\x1b[31m.csv").write_text(
        f'"{HOSTILE}","email"\n"x","eve@larkfield.org"\n'
    )
    name = 'name: "</title><style>*{display:none}</style>"'
    named = f"{name}\n{(place.path / book).read_text()}"
    (place.path / "hostile.yaml").write_text(
        f'{named}\ndescription: "</p><img src=x onerror=alert(1)>"\ncontact: "</dd></dl>"\n'
    )
    done = wct("run", "hostile.yaml", "-q", "--note", "</main><script>alert(1)</script>")
    assert done.code == 0, done.err
    text = report(place, wct).text
    assert "</title><style>*{display:none}</style>" in text
    assert "<img src=x onerror=alert(1)>" in text
    assert "</main><script>alert(1)</script>" in text
    assert "<b onclick=x>\\u001b[31m.csv" in text


def test_what_waits_for_a_decision_is_on_the_first_screen(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "gate.yaml",
        """
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  sure: {gate: {question: "May it be filed?", show: [a]}}
""",
    )
    wct("run", book, "-q", "--run-id", "waiting")
    found = report(place, wct)
    text = first_screen(found)
    assert "sure: May it be filed? wct runs approve waiting/sure" in text
    assert "not searched for personal data not yet" in text
    assert "No search for personal data has ended yet." in text
    assert "a does not report what it examined." in text
    wct("runs", "approve", "waiting/sure", "--by", "Dana <dpo>", "--note", "<ok>")
    decided = report(place, wct, "waiting").text
    assert "approved Dana <dpo>" in decided
    assert "<ok>" in decided
    assert "0 things to decide" in decided
    assert "This run did not search for personal data." in decided


def test_no_findings_and_not_read_never_look_alike(place: Place, wct: Wct, book: str) -> None:
    (place.path / "files" / "people.csv").write_text("nothing here\n")
    wct("run", book, "-q", "--run-id", "clean")
    text = first_screen(report(place, wct))
    assert "No personal data in what was examined." in text
    assert "The whole of gone" in text
    (place.path / ".waivern/runs/clean/findings.json").write_text("{")
    damaged = first_screen(report(place, wct))
    assert "No personal data" not in damaged
    assert "What was found Not known." in damaged
    assert "not read findings of personal data" in damaged
    assert "The findings of findings are not in this report" in damaged


def test_a_report_of_very_many_long_names_stays_small(place: Place, wct: Wct, book: str) -> None:
    wct("run", book, "-q", "--run-id", "many")
    run = exported_run(open_store(str(place.path / ".waivern")), "many")
    facts = report_facts(run)
    name = HOSTILE * 1000
    document = {"evidence": name, "locations": [{"file": name, "line": 3}]}
    finding = RecordedFinding(
        *(name, name, name, name, "value", "high"), True, False, name, name, name, 9, "", document
    )
    listed = facts.findings._replace(listed=[finding] * 1000)
    page = report_html(facts._replace(findings=listed))
    assert len(page.encode()) < 1_000_000
    ReportReader(page).check()


def test_the_same_file_comes_from_every_command(place: Place, wct: Wct, book: str) -> None:
    wct("run", book, "-q", "--run-id", "same", "--export", "html=a.html")
    wct("export", "same", "--export", "html=b.html")
    wct("report", "same", "-o", "c.html")
    pages = {(place.path / name).read_bytes() for name in ("a.html", "b.html", "c.html")}
    assert len(pages) == 1
    assert (place.path / "a.html").stat().st_mode & 0o777 == 0o600
    assert wct("report", "same", "-o", "-").out == pages.pop().decode()


def test_the_previous_run_is_compared(place: Place, wct: Wct, book: str) -> None:
    wct("run", book, "-q", "--run-id", "first")
    assert "earlier run" not in report(place, wct, "first").text
    people = place.path / "files" / "people.csv"
    people.write_text(CSV.replace("religion", "diagnosis"))
    wct("run", book, "-q", "--run-id", "second")
    found = report(place, wct, "second")
    assert "1 new (1 of special categories), 1 resolved," in first_screen(found)
    assert "wct diff first second" in found.text
    (place.path / ".waivern/runs/first/findings.json").write_text("{")
    damaged = report(place, wct, "second").text
    assert "The earlier run is not compared: findings of 'findings' in run first" in damaged
    assert not re.search(r"\d new", damaged)


def test_accepted_findings_need_no_decision_until_their_last_day(
    place: Place, wct: Wct, book: str
) -> None:
    wct("run", book, "-q", "--run-id", "read")
    rows = [row for row in wct("findings", "list", "read").rows if "religion" in row]
    (finding,) = {cell for row in rows for cell in row if re.fullmatch("[0-9a-f]{8,32}", cell)}
    done = wct("findings", "accept", finding, "--reason", "by law <b>", "--until", "2999-12-31")
    assert done.code == 0, done.err
    found = report(place, wct)
    assert "1 finding of special categories" not in first_screen(found)
    assert "religion or belief, religion people.csv ✔ accepted" in found.text
    assert "by law <b>" in found.text
    (file,) = place.path.rglob("reviewed-findings.yaml")
    file.write_text(file.read_text().replace("2999", "2020"))
    expired = report(place, wct)
    assert "1 finding of special categories: confirm" in first_screen(expired)
    assert "1 acceptance expired: decide again." in first_screen(expired)


@pytest.mark.sweep
def test_the_bound_of_a_sample_is_on_the_first_screen(place: Place, wct: Wct) -> None:
    with closing(sqlite3.connect(place.path / "big.db")) as database:
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT)")
        rows = [(n, f"ann{n}@larkfield.org" if n % 50 == 0 else "nothing") for n in range(2000)]
        database.executemany("INSERT INTO notes VALUES (?, ?)", rows)
        database.commit()
    properties = "{path: big.db, max_rows: 300, sample: random}"
    book = place.runbook(
        "sampled.yaml",
        f"""
  big: {{source: {{type: sqlite, properties: {properties}}}}}
  findings: {{inputs: big, process: {{type: personal_data}}}}
""",
    )
    wct("run", book, "-q")
    text = first_screen(report(place, wct))
    bound = r"among 300 of 2,000 rows: at most \d+\.\d % of rows at 95 % confidence"
    assert re.search(bound, text)
    assert "0 of 1 sources examined in full least: big, 15.0 %" in text


@pytest.mark.sweep
def test_of_findings_that_prove_to_be_altered_nothing_is_shown(place: Place, wct: Wct) -> None:
    (place.path / "files").mkdir()
    for n in range(300):
        (place.path / "files" / f"people_{n}.csv").write_text(CSV)
    (place.path / "few").mkdir()
    (place.path / "few" / "staff.csv").write_text(CSV)
    few = """  few: {source: {type: filesystem, properties: {path: few}}}
  fine: {inputs: few, process: {type: personal_data}}
"""
    wct("run", place.runbook("book.yaml", BOOK + few), "-q", "--run-id", "many")
    records = place.path / ".waivern/runs/many/findings.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    assert len(lines) > 1000
    records.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b"people_", b"peopie_")]))
    found = report(place, wct, "many")
    assert "in 1 system; not all could be read" in first_screen(found)
    assert "The findings of findings are not in this report" in first_screen(found)
    assert "staff.csv" in found.text
    assert "people_" not in found.text
