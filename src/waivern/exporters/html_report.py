"""The format `html`."""

from __future__ import annotations

from typing import IO

from waivern.exporters.export_options import ExportOptions
from waivern.report.report_facts import report_facts
from waivern.report.report_page import report_html
from waivern.runs.exporter import ExportedRun


class HtmlReport:
    """A report for people in one HTML file: findings, coverage, graph, decisions, provenance."""

    name = "html"
    version = "1.0.0"
    file_name = "report.html"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> list[str]:  # noqa: ARG002
        """Write the report, and return what it could not show."""
        facts = report_facts(run)
        out.write(report_html(facts).encode())
        unread = facts.findings.overview.unread
        return [f"the findings of {name} are not in it: {why}" for name, why in unread.items()]
