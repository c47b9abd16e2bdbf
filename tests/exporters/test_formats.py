"""The formats, read by the programs of others: what was found is in them, and what was not read."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from exported_kit import HOSTILE, SCAN, finished, produced, written
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite
from openpyxl import load_workbook

import waivern
from waivern.clock import Clock
from waivern.record.text_forms import FORMULA
from waivern.runs.baseline import read_baseline
from waivern.runs.exporter import ExportedRun, exported_run
from waivern.runs.finding_reviews import FindingReview, FindingReviews
from waivern.runs.redact import redact

FORMATS = ("json", "jsonl", "csv", "xlsx", "markdown", "sarif", "gitlab", "junit", "github")
VALUE = "anna.berg"
GITLAB = {  # what the parser of GitLab requires of an issue
    "type": "object",
    "required": ["description", "fingerprint", "severity", "location", "check_name"],
    "properties": {
        "description": {"type": "string"},
        "fingerprint": {"type": "string", "minLength": 1},
        "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
        "location": {
            "type": "object",
            "required": ["path", "lines"],
            "properties": {
                "path": {"type": "string", "pattern": "^[^/]"},
                "lines": {"properties": {"begin": {"type": "integer", "minimum": 1}}},
            },
        },
    },
}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    return finished(tmp_path_factory.mktemp("scanned") / "run", SCAN)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    return finished(tmp_path_factory.mktemp("hostile") / "run", produced("hostile"))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    """A run without findings, in which a source failed."""
    broken = "  bad: {source: {type: command, properties: {argv: ['false']}}}\n"
    return finished(
        tmp_path_factory.mktemp("nothing") / "run", broken + produced("many", args={"count": 0})
    )


@pytest.fixture(scope="module")
def redacted(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    run = finished(tmp_path_factory.mktemp("redacted") / "run", SCAN)
    redact(run.store, run.run_id, None, "me", None, Clock())
    return exported_run(run.store, run.run_id)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    """A later run of the same folder: one finding is new, and one is accepted."""
    folder = tmp_path_factory.mktemp("later")
    run = finished(folder / "run", SCAN)
    base = Path(run.record.base)
    (base / "data/new.txt").write_text("write to otto.maier@firma.de\n")
    (base / "data/a.csv").write_text("email,colour\nanna.berg@firma.de,red\n")
    again = waivern.run(base / "book.yaml", store=run.store)
    accepted = next(each for each in run.findings if each.type == "email")
    until = date(2099, 1, 1)
    review = FindingReview(accepted.id, "accepted", "needed", "dpo", until)
    reviews = FindingReviews("file", [review], date(2026, 1, 1))
    earlier = read_baseline(run.store, run.run_id)
    return exported_run(run.store, again.run_id, earlier, reviews)


def text_of(data: bytes, name: str) -> str:
    """Return what a reader sees of a format."""
    if name != "xlsx":
        return data.decode()
    book = load_workbook(io.BytesIO(data), read_only=True)
    return "\n".join(str(cell) for sheet in book for row in sheet.values for cell in row)


def table(data: bytes, separator: str = ",") -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator)]


class TestEachFormat:
    @pytest.mark.parametrize("name", FORMATS)
    def test_it_says_what_was_found_and_what_was_not_read(
        self, scanned: ExportedRun, name: str
    ) -> None:
        said = text_of(written(scanned, name)[0], name)
        assert "EMAIL_ADDRESS" in said
        assert "logo.png" in said
        assert VALUE not in said

    @pytest.mark.parametrize("name", FORMATS)
    def test_a_failed_source_is_not_no_findings(self, nothing: ExportedRun, name: str) -> None:
        said = text_of(written(nothing, name)[0], name)
        assert "bad" in said
        assert re.search("not.examined|failed", said, re.IGNORECASE)

    @pytest.mark.parametrize("name", FORMATS)
    def test_hostile_text_is_escaped(self, hostile: ExportedRun, name: str) -> None:
        said = text_of(written(hostile, name)[0], name)
        for sign in "\x1b\0\u202e\ufffe":
            assert sign not in said
        assert len(said.splitlines()) < 1000

    @pytest.mark.parametrize("name", FORMATS)
    def test_a_redacted_run(self, scanned: ExportedRun, redacted: ExportedRun, name: str) -> None:
        masks = {
            str(each.document["evidence"]) for each in scanned.findings if each.kind == "value"
        }
        said = text_of(written(redacted, name)[0], name)
        assert "EMAIL_ADDRESS" in said
        assert [mask for mask in masks if mask in said] == []


class TestJson:
    def test_the_document(self, scanned: ExportedRun) -> None:
        document = json.loads(written(scanned, "json")[0])
        assert document["run"]["run_id"] == scanned.run_id
        assert document["journal_head"] == scanned.head
        assert len(document["findings"]) == scanned.overview.findings
        parts = {each["item"]: each for each in document["not_examined"]}
        assert (parts["logo.png"]["reason"], parts["logo.png"]["on_purpose"]) == ("binary", False)
        assert parts["b.log"]["on_purpose"] is True

    def test_lines_end_with_their_number(self, scanned: ExportedRun) -> None:
        lines = [json.loads(line) for line in written(scanned, "jsonl")[0].splitlines()]
        kinds = [each["record"] for each in lines]
        assert kinds[0] == "run"
        assert lines[-1] == {"record": "end", "findings": kinds.count("finding")}
        assert kinds.count("finding") == scanned.overview.findings


class TestCsv:
    def test_rows(self, scanned: ExportedRun) -> None:
        rows = table(written(scanned, "csv")[0])
        assert [row["item"] for row in rows if row["row_type"] == "not_examined"] == [
            "b.log",
            "logo.png",
        ]
        found = [row for row in rows if row["row_type"] == "finding"]
        assert {row["item"] for row in found} == {"a.csv"}
        assert rows[-1]["reason"].startswith("examined ")

    def test_separator_and_mark(self, scanned: ExportedRun) -> None:
        data, _ = written(scanned, "csv", separator=";", bom="true")
        assert data.startswith(b"\xef\xbb\xbf")
        assert table(data, ";") == table(written(scanned, "csv")[0])
        head = data.decode("utf-8-sig").splitlines()[0]
        assert csv.Sniffer().sniff(head).delimiter == ";"

    def test_no_cell_is_a_formula(self, hostile: ExportedRun) -> None:
        cells = [cell for row in table(written(hostile, "csv")[0]) for cell in row.values()]
        assert [cell for cell in cells if cell and cell[0] in FORMULA] == []
        assert "'=1+1" in cells


class TestXlsx:
    def test_a_spreadsheet_program_reads_it(self, scanned: ExportedRun) -> None:
        book = load_workbook(io.BytesIO(written(scanned, "xlsx")[0]))
        assert book.sheetnames == ["Summary", "Findings", "Not examined"]
        head, *rows = book["Findings"].values
        found = [dict(zip(head, row, strict=True)) for row in rows]
        assert {each["item"] for each in found} == {"a.csv"}
        assert all(isinstance(each["occurrences"], int) for each in found)

    def test_no_cell_is_a_formula_or_a_link(self, hostile: ExportedRun) -> None:
        book = load_workbook(io.BytesIO(written(hostile, "xlsx")[0]))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} == {"s", "n"}
        assert [cell for cell in cells if cell.hyperlink] == []
        assert "=1+1" in {cell.value for cell in cells}
        assert max(len(str(cell.value)) for cell in cells) <= 32_767


class TestSarif:
    def log(self, run: ExportedRun, **options: Any) -> dict[str, Any]:
        data, _ = written(run, "sarif", **options)
        found: dict[str, Any] = json.loads(data)
        schema = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(found)
        return found["runs"][0]  # type: ignore[no-any-return]

    def test_it_fits_the_schema(
        self, scanned: ExportedRun, hostile: ExportedRun, nothing: ExportedRun
    ) -> None:
        for run in (scanned, hostile, nothing):
            assert len(self.log(run)["results"]) == run.overview.findings + run.overview.test_data

    def test_results(self, scanned: ExportedRun) -> None:
        log = self.log(scanned, root=str(Path(scanned.record.base)))
        ids = {each.id for each in scanned.findings}
        assert {each["fingerprints"]["waivernFinding/v1"] for each in log["results"]} == ids
        places = [each["locations"][0]["physicalLocation"] for each in log["results"]]
        assert {each["artifactLocation"]["uri"] for each in places} == {"data/a.csv"}
        assert {each["region"]["startLine"] for each in places} == {1, 2}
        rules = {each["id"] for each in log["tool"]["driver"]["rules"]}
        assert rules == {each["ruleId"] for each in log["results"]}
        special = [each for each in log["results"] if each["properties"]["specialCategory"]]
        assert {each["level"] for each in special} == {"error"}

    def test_what_was_not_examined(self, scanned: ExportedRun, nothing: ExportedRun) -> None:
        (invocation,) = self.log(scanned, root=scanned.record.base)["invocations"]
        assert invocation["executionSuccessful"] is True
        said = [
            (each["level"], each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
            for each in invocation["toolExecutionNotifications"]
            if each["descriptor"]["id"] == "not-examined"
        ]
        assert said == [("note", "data/b.log"), ("warning", "data/logo.png")]
        assert self.log(nothing)["invocations"][0]["executionSuccessful"] is False

    def test_the_most_severe_remain(self, tmp_path: Path) -> None:
        run = finished(tmp_path / "run", produced("many", args={"count": 31}))
        data, notes = written(run, "sarif", max_results=8)
        results = json.loads(data)["runs"][0]["results"]
        assert [each["properties"]["severity"] for each in results] == [*["high"] * 7, "low"]
        assert results[-1]["properties"]["specialCategory"] is True
        assert notes[0].startswith("23 of 31 findings are left out")
        said = json.loads(data)["runs"][0]["invocations"][0]["toolExecutionNotifications"]
        assert notes[0] in [each["message"]["text"] for each in said]


class TestGitlab:
    def test_it_is_a_report(self, scanned: ExportedRun, hostile: ExportedRun) -> None:
        for run in (scanned, hostile):
            issues = json.loads(written(run, "gitlab", root=run.record.base)[0])
            for issue in issues:
                jsonschema.Draft202012Validator(GITLAB).validate(issue)
            prints = [each["fingerprint"] for each in issues]
            assert len(set(prints)) == len(prints)
        issues = json.loads(written(scanned, "gitlab", root=scanned.record.base)[0])
        missed = [each for each in issues if each["check_name"] == "not-examined"]
        assert [each["location"]["path"] for each in missed] == ["data/logo.png"]


class TestJunit:
    def suites(self, run: ExportedRun) -> tuple[TestSuite, TestSuite]:
        coverage, findings = JUnitXml.fromstring(written(run, "junit")[0])
        return coverage, findings

    def test_a_parser_reads_it(self, scanned: ExportedRun) -> None:
        coverage, findings = self.suites(scanned)
        assert findings.tests == len([*findings]) == scanned.overview.findings
        assert {type(each) for case in findings for each in case.result} == {Failure}
        results = {case.name: type(case.result[0]) for case in coverage if case.result}
        assert results == {"files: b.log": Skipped, "files: logo.png": Error}
        assert (coverage.errors, coverage.skipped) == (1, 1)

    def test_hostile_text(self, hostile: ExportedRun) -> None:
        _, findings = self.suites(hostile)
        assert len([*findings]) == len(HOSTILE)

    def test_a_failed_run_is_red(self, nothing: ExportedRun) -> None:
        coverage, _ = self.suites(nothing)
        assert coverage.errors > 1


class TestGithub:
    def test_annotations(
        self, scanned: ExportedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        summary = tmp_path / "summary.md"
        summary.write_text("before\n")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        data, notes = written(scanned, "github", root=scanned.record.base, annotations=1)
        first, second = data.decode().splitlines()
        assert first.startswith("::warning title=Not examined::files: logo.png: binary")
        assert second.startswith("::error file=data/a.csv,line=1,")
        assert any("have no annotation" in note for note in notes)
        page = summary.read_text()
        assert page.startswith("before\n# Book: ")
        assert "- files: logo.png: binary" in page

    def test_no_text_is_a_command(self, hostile: ExportedRun) -> None:
        lines = written(hostile, "github")[0].decode().split("\n")
        assert all(re.match("::(error|warning|notice) ", line) for line in lines if line)
        assert len(lines) == len(HOSTILE) + 2
        named = [re.match(r"::error file=([^,:]*),line=3,title=([^,:]*)::", x) for x in lines[1:-1]]
        assert all(named)


class TestMarkdown:
    def test_the_page(self, scanned: ExportedRun, nothing: ExportedRun) -> None:
        page = written(scanned, "markdown")[0].decode()
        assert page.startswith(f"# Book: {scanned.overview.findings} findings, 1 of special")
        assert "- files: b.log: excluded (excluded on purpose)" in page
        assert written(nothing, "markdown")[0].startswith(
            b"# Book: no findings in what was examined"
        )

    def test_no_text_is_markup(self, hostile: ExportedRun) -> None:
        page = written(hostile, "markdown")[0].decode()
        for markup in ("<", "[a]", "@everyone", "http://", "`=1"):
            assert markup not in page
        rows = [line for line in page.splitlines() if line.startswith("| high")]
        assert {row.count("|") for row in rows} == {8}


class TestBaselineAndReviews:
    def test_sarif(self, later: ExportedRun) -> None:
        data, notes = written(later, "sarif")
        states = {}
        for each in json.loads(data)["runs"][0]["results"]:
            states[each["message"]["text"].split(":")[0]] = each["baselineState"]
            assert ("suppressions" in each) == (each["ruleId"] == "field.contact")
        assert states == {"email": "unchanged", "EMAIL_ADDRESS": "new"}
        assert notes == ["the baseline has 1 finding that this run has not"]

    def test_what_is_accepted_is_not_red(self, later: ExportedRun) -> None:
        issues = json.loads(written(later, "gitlab")[0])
        assert "field.contact" not in {each["check_name"] for each in issues}
        _, findings = JUnitXml.fromstring(written(later, "junit")[0])
        passed = [case.name for case in findings if not case.result]
        assert len(passed) == 1
        assert "accepted by dpo until 2099-01-01: needed" in passed[0]

    def test_tables(self, later: ExportedRun) -> None:
        rows = [row for row in table(written(later, "csv")[0]) if row["row_type"] == "finding"]
        assert {row["state"] for row in rows if row["kind"] == "field_name"} == {
            "unchanged, accepted by dpo until 2099-01-01: needed"
        }
        assert "new" in {row["state"] for row in rows}
        found = json.loads(written(later, "json")[0])["findings"]
        assert [each["review"]["owner"] for each in found if each["review"]] == ["dpo"]


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["csv", "sarif", "xlsx"])
def test_many_findings_are_streamed(tmp_path: Path, name: str) -> None:
    import tracemalloc

    run = finished(tmp_path / "run", produced("many", args={"count": 8_000}))
    tracemalloc.start()
    data, notes = written(run, name)
    assert data
    held = tracemalloc.get_traced_memory()[1] - len(data)
    tracemalloc.stop()
    assert held < 8e6, held
    assert bool(notes) == (name == "sarif")
