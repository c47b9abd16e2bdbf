"""The format `junit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import IO, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import coverage_sentence, first_place, message, state, text
from waivern.record.coverage import SourceCoverage
from waivern.record.measure import percent
from waivern.record.text_forms import clean
from waivern.runs.exporter import ExportedRun
from waivern.runs.not_examined import complete, not_examined
from waivern.runs.recorded_findings import RecordedFinding


class JunitExporter:
    """JUnit XML for CI systems: a failed test for each finding, an error for what was not examined.

    The suite `coverage` has a test for each source. What the runbook excludes is skipped.
    """

    name = "junit"
    version = "1.0.0"
    file_name = "waivern-junit.xml"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> None:  # noqa: ARG002
        """Write the report. The findings are counted first: a suite begins with its numbers."""
        cases = [*_coverage_cases(run)]
        errors = sum(each.outcome == "error" for each in cases)
        skipped = sum(each.outcome == "skipped" for each in cases)
        passed = Counter(_passes(run, each) for each in run.findings)
        failures, tests = passed[False], passed.total()
        seconds = f"{run.metadata.duration_ms / 1000:.3f}"
        total = len(cases) + tests
        name = clean(run.metadata.runbook_name)
        lines = _Lines(out)
        lines.add('<?xml version="1.0" encoding="utf-8"?>')
        lines.add(
            f'<testsuites name={quoteattr(name)} tests="{total}" failures="{failures}" '
            f'errors="{errors}" skipped="{skipped}" time="{seconds}">'
        )
        started = quoteattr(run.metadata.started_at.removesuffix("Z"))
        lines.add(
            f'<testsuite name="coverage" tests="{len(cases)}" failures="0" errors="{errors}" '
            f'skipped="{skipped}" time="{seconds}" timestamp={started}>'
        )
        for case in cases:
            lines.add(case.element)
        lines.add(f"<system-out>{escape(coverage_sentence(run))}</system-out></testsuite>")
        lines.add(
            f'<testsuite name="findings" tests="{tests}" failures="{failures}" errors="0" '
            f'skipped="0" time="0" timestamp={started}>'
        )
        for finding in run.findings:
            lines.add(_finding_case(run, finding).element)
        lines.add("</testsuite></testsuites>")


class _Case(NamedTuple):
    """A test case, and its outcome if it did not pass."""

    group: str
    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""
    detail: str = ""

    @property
    def element(self) -> str:
        head = f'<testcase classname={quoteattr(self.group)} name={quoteattr(self.name)} time="0"'
        if not self.outcome:
            return f"{head}/>"
        kind = f" type={quoteattr(self.kind)}" if self.kind else ""
        inner = f"<{self.outcome}{kind} message={quoteattr(self.message)}>{escape(self.detail)}"
        return f"{head}>{inner}</{self.outcome}></testcase>"


class _Lines(NamedTuple):
    out: IO[bytes]

    def add(self, line: str) -> None:
        self.out.write(line.encode() + b"\n")


def _coverage_cases(run: ExportedRun) -> Iterator[_Case]:
    """Yield a passed test for each examined source, then what was not examined."""
    for source in run.coverage.counted:
        if source.share == 1:
            yield _Case("coverage", _source(source))
    for part in not_examined(run):
        name = clean(": ".join(filter(None, (part.source or "run", part.item))))
        outcome = "skipped" if part.on_purpose else "error"
        yield _Case("coverage", name, outcome, "not-examined", clean(part.sentence))
    if complete(run.coverage):
        yield _Case("coverage", "everything was examined")


def _source(source: SourceCoverage) -> str:
    return clean(f"{source.artifact}: {percent(source.share)} % examined")


def _passes(run: ExportedRun, finding: RecordedFinding) -> bool:
    return finding.test_data or run.accepted(finding)


def _finding_case(run: ExportedRun, finding: RecordedFinding) -> _Case:
    place = first_place(finding)
    where = f":{place.line}" if place.line else ""
    field = f" {finding.field}" if finding.field else ""
    group, name = clean(finding.system), clean(f"{finding.place}{where}{field} {finding.type}")
    if _passes(run, finding):  # test data is no person's
        return _Case(group, f"{name} ({state(run, finding) or 'test data'})")
    detail = f"{clean(finding.id)}\n{text(finding, 'evidence')}"
    return _Case(
        group,
        name,
        "failure",
        clean(finding.severity),
        message(finding),
        detail,
    )
