"""The format `sarif`: SARIF 2.1.0, for code-scanning hosts and editors."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from pydantic import Field

from waivern import __version__
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import (
    coverage_sentence,
    json_line,
    message,
    places,
    rule,
    state,
    text,
)
from waivern.exporters.most_severe import MostSevere
from waivern.exporters.source_paths import SourcePaths
from waivern.message import Json
from waivern.record.status import RunStatus
from waivern.record.text_forms import clean, counted
from waivern.runs.exporter import ExportedRun
from waivern.runs.findings_comparison import FindingOutcome
from waivern.runs.not_examined import not_examined
from waivern.runs.recorded_findings import RecordedFinding

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
IDENTITY = "waivernFinding/v1"
"""The name of the fingerprint: the identity of the finding, which survives moved lines."""
HOST_RESULTS = 25_000
HOST_SHOWN = 5_000
HOST_LOCATIONS = 100
HOST_BYTES = 10_000_000
"""What GitHub's code scanning accepts of one run: it refuses more results and larger files (after
gzip), and shows only the first of the results and of the locations of one."""
NOTIFICATIONS = 2_000
_STATES = {
    FindingOutcome.NEW: "new",
    FindingOutcome.MOVED: "updated",
    FindingOutcome.UNCHANGED: "unchanged",
}
_LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}


class SarifOptions(ExportOptions):
    """Options of `sarif`."""

    root: str | None = Field(
        None, description="The folder that paths are relative to; default: the current one."
    )
    max_results: int = Field(
        HOST_RESULTS,
        ge=1,
        description="Write at most so many results, the most severe ones; GitHub refuses more than"
        " 25,000.",
    )


class SarifExporter:
    """SARIF 2.1.0 for code-scanning hosts and editors, with stable fingerprints.

    What was not examined is a notification of the tool. What has no file, such as a table, is shown
    at the runbook.
    """

    name = "sarif"
    version = "1.0.0"
    file_name = "waivern.sarif"
    Config = SarifOptions

    def export(self, run: ExportedRun, config: SarifOptions, out: IO[bytes]) -> list[str]:
        """Write the log. Results are streamed; the rules that they use follow them."""
        chosen, paths = MostSevere(run, config.max_results), SourcePaths(run, config.root)
        rules: dict[str, dict[str, Json]] = {}
        out.write(b'{"$schema": %s, "version": "2.1.0", "runs": [{"results": [' % json_line(SCHEMA))
        for number, finding in enumerate(chosen):
            rules.setdefault(rule(finding), _rule(finding))
            out.write((b",\n" if number else b"\n") + json_line(_result(run, finding, paths)))
        out.write(b"]")
        notes = [*_cut(chosen, config), *_gone(run)]
        for key, value in _rest(run, rules, notes, paths).items():
            out.write(b',\n"%s": %s' % (key.encode(), json_line(value)))
        out.write(b"}]}\n")
        return [*notes, *_size(out)]


def _result(run: ExportedRun, finding: RecordedFinding, paths: SourcePaths) -> dict[str, Json]:
    level = "error" if finding.special else _LEVELS.get(finding.severity, "note")
    path = paths.of(finding)
    listed = [_location(finding, path, each) for each in _regions(finding, path, paths)]
    found: dict[str, Json] = {
        "ruleId": rule(finding),
        "level": "none" if finding.test_data else level,
        "kind": "informational" if finding.test_data else "fail",
        "message": {"text": message(finding)},
        "locations": listed,
        "occurrenceCount": max(1, finding.occurrences),
        "fingerprints": {IDENTITY: clean(finding.id)},
        # the one name that GitHub uses; it would otherwise hash the line, which moves
        "partialFingerprints": {"primaryLocationLineHash": f"{clean(finding.id)}:1"},
        "properties": {
            "category": clean(finding.category),
            "specialCategory": finding.special,
            "testData": finding.test_data,
            "severity": clean(finding.severity),
            "evidence": text(finding, "evidence"),
            "system": clean(finding.system),
        },
    }
    if outcome := run.outcome(finding):
        found["baselineState"] = _STATES[outcome]
    if run.accepted(finding):
        why = {"kind": "external", "status": "accepted", "justification": state(run, finding)}
        found["suppressions"] = [why]
    return found


def _regions(finding: RecordedFinding, path: str, paths: SourcePaths) -> Iterator[dict[str, Json]]:
    """Yield the regions of a finding in its file; the first line of what has no lines."""
    count = 0
    for place in places(finding) if path != paths.runbook else ():
        if place.line is None or count == HOST_LOCATIONS:
            break
        count += 1
        yield {"startLine": place.line} | ({"startColumn": place.column} if place.column else {})
    if not count:
        yield {"startLine": 1}


def _location(finding: RecordedFinding, path: str, region: dict[str, Json]) -> dict[str, Json]:
    full = ".".join(filter(None, (finding.system, finding.item, finding.field)))
    name = clean(finding.field or finding.place)
    return {
        "physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": region},
        "logicalLocations": [{"name": name, "fullyQualifiedName": clean(full), "kind": "member"}],
    }


def _rule(finding: RecordedFinding) -> dict[str, Json]:
    tags = ["privacy", clean(finding.category), *(["special-category"] if finding.special else [])]
    kind = "a field for personal data" if finding.kind != "value" else "personal data"
    articles = text(finding, "articles")
    about = f"{kind} of the category {finding.category}"
    return {
        "id": rule(finding),
        "name": clean(finding.type),
        "shortDescription": {"text": clean(about)},
        "fullDescription": {"text": clean(f"{about}; articles of the GDPR: {articles or 'none'}")},
        "properties": {"tags": tags},
    }


def _rest(
    run: ExportedRun, rules: dict[str, dict[str, Json]], notes: list[str], paths: SourcePaths
) -> dict[str, Json]:
    """Return the properties of the run beside its results."""
    metadata = run.metadata
    found = {"text": coverage_sentence(run)}
    invocation: dict[str, Json] = {
        "executionSuccessful": metadata.status is RunStatus.COMPLETED,
        "startTimeUtc": metadata.started_at,
        "toolExecutionNotifications": [
            *_notifications(run, paths),
            *(_notification(note, "warning", "left-out") for note in notes),
            {"level": "note", "message": found, "descriptor": {"id": "coverage"}},
        ],
    }
    if metadata.completed_at:
        invocation["endTimeUtc"] = metadata.completed_at
    driver = {
        "name": "waivern",
        "semanticVersion": __version__,
        "rules": list(rules.values()),
        "notifications": [
            {"id": "not-examined", "shortDescription": {"text": "A part that was not examined."}},
            {"id": "left-out", "shortDescription": {"text": "Results that this file lacks."}},
            {"id": "coverage", "shortDescription": {"text": "How much was examined."}},
        ],
    }
    return {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "automationDetails": {"id": f"waivern/{clean(metadata.runbook_name)}/{run.run_id}"},
        "columnKind": "unicodeCodePoints",
        "properties": {
            "runId": run.run_id,
            "runbookHash": metadata.runbook_hash,
            "journalHead": run.head,
            "status": str(metadata.status),
        },
    }


def _notifications(run: ExportedRun, paths: SourcePaths) -> Iterator[dict[str, Json]]:
    count = 0
    for count, part in enumerate(not_examined(run), 1):
        if count > NOTIFICATIONS:
            continue
        level = "note" if part.on_purpose else "warning"
        said = _notification(f"not examined: {part.sentence}", level, "not-examined")
        if part.item:
            uri = quote(paths.item(part.source, part.item))
            said["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": uri}}}]
        yield said
    if (more := count - NOTIFICATIONS) > 0:
        yield _notification(f"{more:,} more parts were not examined", "warning", "not-examined")


def _notification(words: str, level: str, descriptor: str) -> dict[str, Json]:
    return {"level": level, "message": {"text": clean(words)}, "descriptor": {"id": descriptor}}


def _cut(chosen: MostSevere, config: SarifOptions) -> Iterator[str]:
    written = chosen.total - chosen.left_out
    if chosen.left_out:
        yield (
            f"{chosen.left_out:,} of {chosen.total:,} findings are left out, the least severe: "
            f"the limit is {config.max_results:,} results"
        )
    if written > HOST_RESULTS:
        yield f"GitHub refuses it: it has {written:,} results, and the limit is {HOST_RESULTS:,}"
    elif written > HOST_SHOWN:
        yield f"GitHub shows the {HOST_SHOWN:,} most severe of its {written:,} results"


def _gone(run: ExportedRun) -> Iterator[str]:
    """Yield the number of earlier findings; as results, hosts would show them as open alerts."""
    if run.comparison and (count := run.comparison.counts[FindingOutcome.RESOLVED]):
        yield f"the baseline has {counted(count, 'finding')} that this run has not"


def _size(out: IO[bytes]) -> Iterator[str]:
    """Yield a note if a host would refuse the file for its size after compression."""
    if out.tell() <= HOST_BYTES:
        return
    out.seek(0)
    packer, size = zlib.compressobj(6), 0
    while piece := out.read(1 << 20):
        size += len(packer.compress(piece))
    size += len(packer.flush())
    if size > HOST_BYTES:
        yield f"GitHub refuses it: it has {size:,} bytes after gzip, and the limit is 10 MB"
