"""The page of an artifact: the facts, its findings or its content, and its log.

Findings are masked, and lists of a source are not its content. Content of a source is shown only
when a person asks for it, after the access log has recorded that; a sensitive artifact likewise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.pictures.artifact_graph import recorded_needs
from waivern.record.fold import RunRecord
from waivern.record.measure import measure
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clip, duration, size
from waivern.record.wording import examined, redacted
from waivern.runs.record_cache import RecordCache
from waivern.runs.recorded_artifacts import ArtifactList, fetched, meant, storage_text
from waivern.runs.recorded_texts import of_artifact
from waivern.server.artifact_operations import note_access
from waivern.server.pages.page_templates import json_lines, utc
from waivern.server.pages.run_page import FINDINGS

ROWS = 50
"""The findings, or elements of a list, on one page."""
CONTENT_LINES = 400
"""The lines of formatted content that are shown."""
COLUMNS = 8
"""The keys up to which the elements of a list are shown as a table."""
CELL = 200
"""The characters of a value in such a table."""
LOG_LINES = 200
"""The last lines of the log that are shown."""


class WantedPart(NamedTuple):
    """The part of an artifact that a person asks for."""

    start: int = 0
    type: str = ""
    severity: str = ""
    show: bool = False
    """Whether content of a source, or of a sensitive artifact, is to be shown."""


class FindingsPart(NamedTuple):
    """One page of an artifact's findings."""

    rows: list[dict[str, Json]]
    matching: int
    total: int
    types: list[tuple[str, int]]
    severities: list[tuple[str, int]]


class ContentPart(NamedTuple):
    """The beginning of a content, and one page of its longest list."""

    lines: list[str]
    left_out: int
    """The lines that follow."""
    list_name: str
    elements: list[list[str]]
    """Each as the lines of its JSON, unless they are rows."""
    columns: list[str]
    rows: list[list[str]]
    """The elements as a table, if they are objects with few keys."""
    total: int
    is_source: bool
    """Whether the elements are items of a source, which can be read and shown."""


class ArtifactView(NamedTuple):
    """Everything that the page of an artifact shows."""

    record: RunRecord
    step: StepRecord
    facts: list[tuple[str, str]]
    texts: dict[str, str]
    inputs: list[str]
    used_by: list[str]
    findings: FindingsPart | None
    content: ContentPart | None
    withheld: str
    """Why no content is shown; empty if that is not because of what it is."""
    fault: str
    """Why the artifact cannot be read."""
    log: list[str]
    log_before: int
    wanted: WantedPart


def artifact_view(
    records: RecordCache,
    run_id: str,
    name: str,
    wanted: WantedPart,
    user: str,
) -> ArtifactView:
    """Return the view of an artifact.

    That `user` is shown content of a source is recorded before it is read. Raises RunNotFoundError
    and ArtifactNotFoundError, and what `note_access` raises.
    """
    store, record = records.store, records.load(run_id)
    name = meant(record, name)
    step = record.steps[name]
    withheld = _withheld(record, step)
    if wanted.show and withheld:
        note_access(store, record, step, user)
    shown = wanted.show or not withheld
    message, fault, findings, content = None, "", None, None
    try:
        message = fetched(store, record, step)
        if message and shown and message.schema.name == FINDINGS:
            findings = _findings(message, wanted)
        elif message and shown:
            content = _content(message, wanted, step)
    except WaivernError as error:
        fault = error.message
    log = [] if withheld and not shown else store.read_log(run_id, name).rstrip().split("\n")
    return ArtifactView(
        record=record,
        step=step,
        facts=[*_facts(step, message)],
        texts=of_artifact(store, record, name),
        inputs=[*recorded_needs(record, name)],
        used_by=[each for each in record.steps if name in recorded_needs(record, each)],
        findings=findings,
        content=content,
        withheld="" if shown else withheld,
        fault=fault,
        log=[line for line in log[-LOG_LINES:] if line],
        log_before=max(0, len(log) - LOG_LINES),
        wanted=wanted,
    )


def item_lines(parts: Json) -> list[str]:
    """Return the lines of an item of a source: its text, or else its parts as JSON."""
    lines: list[str] = []
    for part in parts if isinstance(parts, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        shown = text if isinstance(text, str) else json_lines(part)
        lines += shown.removesuffix("\n").split("\n")
    return lines


def _withheld(record: RunRecord, step: StepRecord) -> str:
    """Return why the content is shown only on request; empty if it is shown at once."""
    if step.held_bytes:
        return "It holds content of its source, unmasked."
    if step.artifact in record.sensitive:
        return "The runbook declares it as sensitive."
    return ""


def _facts(step: StepRecord, message: Message | None) -> Iterator[tuple[str, str]]:
    done, error = step.completed, step.error or {}
    yield "component", step.component or ""
    yield "attempts", str(step.attempts or "")
    yield "took", duration(step.duration_ms)
    yield "error", f"{error.get('kind')}: {error.get('message')}" if error else ""
    yield "help", str(error.get("hint") or "")
    yield "redacted", redacted(step.redacted) if step.redacted else ""
    if done is None:
        return
    if (origin := done.origin or {}) and "run" in origin:
        yield "copied from", f"{origin['run']}/{origin.get('artifact')}"
    yield "version", done.version or ""
    yield "schema", done.schema
    yield "size", size(step.stored_bytes)
    yield "digest", done.digest
    if message is not None:
        yield "keep", storage_text(message, done.keep) or ""
        yield "produced", utc(message.timestamp) or ""
    if done.examined is not None:
        found = measure(done.examined)
        yield "coverage", examined(done.artifact, found)
        if found.planted is not None:
            yield "planted", f"{found.planted.sentence} (scan of {found.planted.at})"


def _findings(message: Message, wanted: WantedPart) -> FindingsPart:
    found = ArtifactList.of(message)
    types: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    rows: list[dict[str, Json]] = []
    matching = total = 0
    for each in found.elements if found else ():
        if not isinstance(each, dict):
            continue
        total += 1
        kind, severity = str(each.get("type")), str(each.get("severity"))
        types[kind] += 1
        severities[severity] += 1
        if wanted.type in ("", kind) and wanted.severity in ("", severity):
            if wanted.start <= matching < wanted.start + ROWS:
                rows.append(_finding(each))
            matching += 1
    return FindingsPart(rows, matching, total, types.most_common(), severities.most_common())


def _finding(found: dict[str, Json]) -> dict[str, Json]:
    """Return what a row shows of a finding."""
    listed = found.get("locations")
    places = listed if isinstance(listed, list) else []
    names = ("type", "severity", "confidence", "evidence", "field", "category", "total", "rule")
    row: dict[str, Json] = {name: found.get(name, "") for name in names}
    row["test_data"] = found.get("test_data") is True
    row["places"] = [_place(each) for each in places[:3] if isinstance(each, dict)]
    return row


def _place(place: dict[str, Json]) -> str:
    """Return a location on one line."""
    where = str(place.get("file") or place.get("table") or place.get("path") or "")
    if "line" in place:
        return f"{where}:{place['line']}:{place.get('column', '')}".rstrip(":")
    if "row" in place:
        return f"{where}, {place.get('column')}, row {place['row']}"
    return where


def _content(message: Message, wanted: WantedPart, step: StepRecord) -> ContentPart:
    found = ArtifactList.of(message)
    rest = message.content
    if found is not None and isinstance(rest, dict):
        rest = {key: value for key, value in rest.items() if key != found.name}
    elif found is not None:
        rest = None
    lines = json_lines(rest).split("\n") if rest not in (None, {}) else []
    elements = [*islice(found.elements, wanted.start, wanted.start + ROWS)] if found else []
    columns = _columns(elements)
    return ContentPart(
        lines[:CONTENT_LINES],
        max(0, len(lines) - CONTENT_LINES),
        found.name if found else "",
        [] if columns else [json_lines(each).split("\n") for each in elements],
        columns,
        [[_cell(each.get(column, "")) for column in columns] for each in elements if columns],
        len(found.elements) if found else 0,
        step.completed is not None and step.completed.keep == "reference" and not step.redacted,
    )


def _columns(elements: list[Json]) -> list[str]:
    """Return the keys of elements that can be the rows of a table; none if they cannot."""
    if not all(isinstance(each, dict) for each in elements):
        return []
    keys = dict.fromkeys(str(key) for each in elements for key in each)
    return list(keys) if len(keys) <= COLUMNS else []


def _cell(value: Json) -> str:
    """Return a value on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, CELL)
