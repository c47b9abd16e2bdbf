"""The format `json`."""

from __future__ import annotations

import json
from typing import IO

from waivern.exporters.export_options import ExportOptions
from waivern.runs.exporter import ExportedRun


class JsonDocument:
    """One JSON document: the run, its coverage, its steps and its findings."""

    name = "json"
    version = "1.0.0"
    file_name = "waivern.json"
    Config = ExportOptions

    def export(self, run: ExportedRun, config: ExportOptions, out: IO[bytes]) -> None:  # noqa: ARG002
        """Write the document."""
        document = {
            "schema": "wct.exported_run/1",
            "run": run.metadata.document(),
            "coverage": run.coverage.document(),
            "steps": [step.document() for step in run.record.steps.values()],
        }
        out.write((json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
