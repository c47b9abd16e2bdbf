"""The format `gitlab`: a code quality report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO

from pydantic import Field

from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import first_place, json_line, message, rule
from waivern.exporters.source_paths import SourcePaths
from waivern.message import Json
from waivern.record.text_forms import clean
from waivern.runs.exporter import ExportedRun
from waivern.runs.not_examined import NotExamined, not_examined
from waivern.runs.recorded_findings import RecordedFinding

_SEVERITIES = {"high": "critical", "medium": "major", "low": "minor", "info": "info"}


class GitlabOptions(ExportOptions):
    """Options of `gitlab`."""

    root: str | None = Field(
        None, description="The folder that paths are relative to; default: the current one."
    )


class GitlabExporter:
    """A code quality report for GitLab, `artifacts:reports:codequality` of a job.

    What was not examined is an issue of the check `not-examined`. Test data and accepted findings
    are not reported.
    """

    name = "gitlab"
    version = "1.0.0"
    file_name = "gl-code-quality-report.json"
    Config = GitlabOptions

    def export(self, run: ExportedRun, config: GitlabOptions, out: IO[bytes]) -> None:
        """Write the report: one list of issues."""
        out.write(b"[")
        for number, issue in enumerate(_issues(run, SourcePaths(run, config.root))):
            out.write((b",\n" if number else b"\n") + json_line(issue))
        out.write(b"]\n")


def _issues(run: ExportedRun, paths: SourcePaths) -> Iterator[dict[str, Json]]:
    for part in not_examined(run):
        if not part.on_purpose:
            yield _unexamined(part, paths)
    for finding in run.findings:
        if not (finding.test_data or run.accepted(finding)):
            yield _issue(finding, paths)


def _issue(finding: RecordedFinding, paths: SourcePaths) -> dict[str, Json]:
    severity = "blocker" if finding.special else _SEVERITIES.get(finding.severity, "info")
    path = paths.of(finding)
    line = first_place(finding).line if path != paths.runbook else None
    return {
        "description": message(finding),
        "check_name": rule(finding),
        "fingerprint": clean(finding.id),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line or 1}},
    }


def _unexamined(part: NotExamined, paths: SourcePaths) -> dict[str, Json]:
    identity = hashlib.sha256("\0".join(part[:3]).encode(errors="surrogatepass")).hexdigest()
    path = paths.item(part.source, part.item) if part.item else paths.runbook
    return {
        "description": clean(f"Not examined: {part.sentence}"),
        "check_name": "not-examined",
        "fingerprint": identity[:32],
        "severity": "major",
        "location": {"path": path, "lines": {"begin": 1}},
    }
