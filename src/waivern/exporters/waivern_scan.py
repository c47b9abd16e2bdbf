"""The format `waivern`: the findings of a run as Waivern Govern ingests scans.

Each line is the body of one request to `POST /api/v1/ingest/scans`, within the limits of that
contract: findings, characters of a text, and bytes. A body names the run and its part, so that
sending it again updates what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO

from pydantic import Field

from waivern.exporters.export_options import ExportOptions
from waivern.message import Json
from waivern.record.text_forms import clean, clip
from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_findings import RecordedFinding

MOST_FINDINGS = 1_000
MOST_BYTES = 1_990_000
_HEAD_BYTES = 500_000
"""The bytes of a body beside its findings; of a larger one, only the summary of the coverage."""
_REF, _SHORT, _LONG, _PLACE = 200, 500, 20_000, 2_000
_SOURCES = 200
"""The sources whose coverage is listed; of more, the body has the summary."""
_ONE = "send the line as one request"
_PLACES = 20
"""The places that a finding names."""


class WaivernScanOptions(ExportOptions):
    """Options of the format `waivern`."""

    entity: str | None = Field(
        default=None,
        max_length=200,
        description="The legal entity that the scan is filed for; default: that of the connection.",
    )
    attach_to: str | None = Field(
        default=None,
        max_length=100,
        description="A record to attach the scan to, such as `DPIA-2026-0001`.",
    )


class WaivernScan:
    """Requests to the scan ingest of Waivern Govern: findings, and what was not examined."""

    name = "waivern"
    version = "1.0.0"
    file_name = "waivern-scan.jsonl"
    Config = WaivernScanOptions

    def export(self, run: ExportedRun, config: WaivernScanOptions, out: IO[bytes]) -> Iterable[str]:
        """Write as many bodies as the limits require, at least one."""
        parts = 0
        head = _head(run, config)
        if len(_compact(head)) > _HEAD_BYTES:
            head["summary"]["coverage"] |= dict.fromkeys(("sources", "gaps", "samples"))
        room = MOST_BYTES - len(_compact(head))
        for part, some in enumerate(_parts(run, room), 1):
            reference = run.run_id if part == 1 else f"{run.run_id}-{part}"
            head["summary"]["part"] = part
            body = {**head, "scanRef": clip(reference, _SHORT), "findings": some}
            out.write(_compact({key: value for key, value in body.items() if value is not None}))
            out.write(b"\n")
            parts = part
        yield f"send each of the {parts} lines as one request" if parts > 1 else _ONE
        for name, why in run.findings.unread.items():
            yield f"{name} is not in it: {why}"


def _head(run: ExportedRun, config: WaivernScanOptions) -> dict[str, Json]:
    metadata, covered = run.metadata, run.coverage.document(_SOURCES)
    keys = ("percent", "summary", "sources", "gaps", "samples", "warnings")
    summary = {
        "tool": "wct",
        "runbook": metadata.runbook_name,
        "status": str(metadata.status),
        "journalHead": run.head,
        "coverage": {key: covered[key] for key in keys},
        "notRead": run.findings.unread,
    }
    return {
        "entity": config.entity,
        "scanRef": "",
        "scannedAt": metadata.started_at,
        "attachTo": config.attach_to,
        "summary": summary,
        "findings": [],
    }


def _parts(run: ExportedRun, room: int) -> Iterator[list[dict[str, Json]]]:
    """Yield the findings in parts that one request has room for; one part if there are none."""
    part: list[dict[str, Json]] = []
    size, empty = 0, True
    for finding in run.findings:
        entry = _finding(run, finding)
        length = len(_compact(entry)) + 1
        if part and (len(part) == MOST_FINDINGS or size + length > room):
            yield part
            part, size = [], 0
        part.append(entry)
        size, empty = size + length, False
    if part or empty:
        yield part


def _finding(run: ExportedRun, found: RecordedFinding) -> dict[str, Json]:
    """Return a finding in the words of the contract; severity stays the scanner's own rating."""
    what = f"{found.type} in {found.place}" + (f", {found.field}" if found.field else "")
    places, outcome, review = found.document.get("locations"), run.outcome(found), run.review(found)
    advisory = {
        "type": found.type,
        "field": found.field,
        "occurrences": found.occurrences,
        "specialCategory": found.special,
        "testData": found.test_data,
        "articles": found.document.get("articles", []),
        "confidence": found.document.get("confidence"),
        "ruleset": found.ruleset,
        "sinceBaseline": None if outcome is None else str(outcome),
        "review": None if review is None else review.document(),
        "locations": places[:_PLACES] if isinstance(places, list) else [],
    }
    return {
        "externalRef": clip(f"{run.run_id}:{found.id}", _REF),
        "category": clip(clean(found.category), _SHORT),
        "severity": found.severity if found.severity in _SEVERITIES else "info",
        "title": clip(clean(what), _SHORT),
        "detail": clip(clean(_detail(found)), _LONG),
        "url": clip(clean(found.place), _PLACE),
        "advisory": advisory,
    }


_SEVERITIES = ("info", "low", "medium", "high")


def _detail(found: RecordedFinding) -> str:
    evidence = found.document.get("evidence")
    shown = f" Masked evidence: {evidence}." if isinstance(evidence, str) and evidence else ""
    special = " It belongs to a special category (Art. 9 or 10 GDPR)." if found.special else ""
    return f"{found.occurrences:,} occurrences of {found.type} in {found.place}.{special}{shown}"


def _compact(document: dict[str, Json]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
