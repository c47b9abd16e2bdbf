"""The formats `json` and `jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from waivern import __version__
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import finding_document, json_line
from waivern.message import Json
from waivern.runs.exporter import ExportedRun
from waivern.runs.not_examined import not_examined


class JsonExporter:
    """One JSON document: the run, its coverage, steps, findings, and what was not examined."""

    name = "json"
    version = "1.0.0"
    file_name = "waivern.json"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> None:  # noqa: ARG002
        """Write the document; each finding is on a line of its own."""
        out.write(b'{"schema": "wct.exported_run/1",\n')
        for key, value in _facts(run).items():
            out.write(b'"%s": %s,\n' % (key.encode(), json_line(value)))
        parts = (each.document() for each in not_examined(run))
        out.write(b'"not_examined": [')
        _elements(out, parts)
        out.write(b'],\n"findings": [')
        _elements(out, (finding_document(run, each) for each in run.findings))
        out.write(b"]}\n")


class JsonLinesExporter:
    """JSON Lines: the run, each part that was not examined, and each finding on a line."""

    name = "jsonl"
    version = "1.0.0"
    file_name = "waivern.jsonl"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> None:  # noqa: ARG002
        """Write the lines; the last one has the number of findings, so that a cut shows."""
        count = 0
        _line(out, "run", {"schema": "wct.exported_run/1", **_facts(run)})
        for part in not_examined(run):
            _line(out, "not_examined", part.document())
        for finding in run.findings:
            _line(out, "finding", finding_document(run, finding))
            count += 1
        _line(out, "end", {"findings": count})


def _facts(run: ExportedRun) -> dict[str, Json]:
    return {
        "exported_by": f"waivern {__version__}",
        "journal_head": run.head,
        "run": run.metadata.document(),
        "coverage": run.coverage.document(),
        "findings_artifacts": [each.document() for each in run.findings.artifacts],
        "steps": [step.document() for step in run.record.steps.values()],
    }


def _line(out: IO[bytes], kind: str, document: dict[str, Json]) -> None:
    """Write a record; its own `kind`, if it has one, stays what it is."""
    out.write(json_line({"record": kind, **document}) + b"\n")


def _elements(out: IO[bytes], documents: Iterator[Json]) -> None:
    for number, document in enumerate(documents):
        out.write((b",\n" if number else b"\n") + json_line(document))
