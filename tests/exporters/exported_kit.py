"""Runs to be exported: with ordinary findings, with hostile ones, and with many."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import waivern
from waivern.kinds import load
from waivern.runs.exporter import ExportedRun, exported_run
from waivern.store import LocalFilesystemStore

HOSTILE = (
    "=1+1",
    "@SUM(A1)",
    "\uff1dHYPERLINK(1)",
    "</script><b>|x| [a](http://evil.test) @everyone",
    "]]>%0A::error::owned\n::warning::x",
    "\x1b[31m\u202egnp.exe\x00\ufffe",
    "x" * 40_000,
)
STEPS = f"""
HOSTILE = {HOSTILE!r}

def hostile():
    for number, text in enumerate(HOSTILE):
        place = {{"input": text[:50], "file": text, "line": 3}}
        yield {{"id": f"{{number:032x}}", "type": text[:99], "category": text[:99], "kind": "value",
               "severity": "high", "test_data": False, "total": 2, "field": text,
               "locations": [place], "special_category": False, "evidence": text,
               "rule": {{"id": text[:99], "version": "1"}}, "confidence": 0.5, "articles": []}}
    return {{"ruleset": {{"name": "own", "version": "1.0.0"}}, "mask": "partial"}}

def many(count):
    for number in range(count):
        place = {{"input": "rows", "table": f"t{{number % 7}}", "column": "mail"}}
        yield {{"id": f"{{number:032x}}", "type": "EMAIL_ADDRESS", "category": "contact",
               "kind": "value", "severity": ("low", "high", "medium")[number % 3],
               "test_data": False, "total": 2, "locations": [place], "evidence": "a***",
               "special_category": number == count - 1, "rule": {{"id": "mail", "version": "1"}}}}
    return {{"ruleset": {{"name": "own", "version": "1.0.0"}}, "mask": "partial"}}
"""
SCAN = """
  files: {source: {type: filesystem, properties: {path: data, exclude: ['*.log']}}}
  found: {inputs: files, process: {type: personal_data}}
"""


def produced(call: str, **properties: Any) -> str:
    """Return an artifact of findings that a function of `steps.py` yields."""
    work = {"type": "python", "properties": {"call": f"steps.py:{call}", **properties}}
    schema = "personal_data_findings/3.0.0"
    return f"  found: {{source: {work}, output_schema: {schema}}}\n"


def finished(folder: Path, artifacts: str) -> ExportedRun:
    """Run a runbook in a folder of its own, and return the view of the run."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/a.csv").write_text("email,religion\nanna.berg@firma.de,none\n")
    (folder / "data/logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (folder / "data/b.log").write_text("nothing")
    (folder / "steps.py").write_text(STEPS)
    (folder / "book.yaml").write_text(f"name: Book\nartifacts:\n{artifacts}")
    store = LocalFilesystemStore(folder / "store")
    done = waivern.run(folder / "book.yaml", store=store)
    return exported_run(store, done.run_id)


def written(run: ExportedRun, name: str, **options: Any) -> tuple[bytes, list[str]]:
    """Return what an installed exporter writes, and its notes."""
    exporter, out = load("exporters", name)(), io.BytesIO()
    notes = exporter.export(run, exporter.Config(**options), out)
    return out.getvalue(), [*(notes or ())]
