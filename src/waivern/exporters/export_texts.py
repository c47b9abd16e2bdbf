"""Pieces that several formats share: JSON on one line, sentences, places, and options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from waivern.message import Json
from waivern.record.text_forms import clean, clip, counted
from waivern.record.wording import headline, sentence
from waivern.runs.exporter import ExportedRun
from waivern.runs.recorded_findings import RecordedFinding

_NAME = 200
"""The characters of a name in a sentence."""


def json_line(value: Json) -> bytes:
    """Return a value as JSON on one line, without characters that a terminal would interpret."""
    return clean(json.dumps(value, ensure_ascii=False)).encode()


def finding_document(run: ExportedRun, finding: RecordedFinding) -> dict[str, Json]:
    """Return a finding for programs: its fields as recorded, and those that every finding has."""
    review, outcome = run.review(finding), run.outcome(finding)
    return {
        **finding.document,
        "id": finding.id,
        "artifact": finding.artifact,
        "system": finding.system,
        "item": finding.item,
        "type": finding.type,
        "category": finding.category,
        "special_category": finding.special,
        "severity": finding.severity,
        "test_data": finding.test_data,
        "occurrences": finding.occurrences,
        "outcome": str(outcome) if outcome else None,
        "review": review.document() if review else None,
    }


def message(finding: RecordedFinding) -> str:
    """Return a finding as a sentence without a value, for the tools that show one line."""
    what = "personal data" if finding.kind == "value" else "a field for personal data"
    special = ", a special category" if finding.special else ""
    often = counted(finding.occurrences, "occurrence")
    kind, category = clip(finding.type, _NAME), clip(finding.category, _NAME)
    place = clip(finding.place, _NAME, keep_end=True)
    if finding.field and finding.kind == "value":  # of a field, the type is its name
        place = f"'{clip(finding.field, _NAME)}' of {place}"
    return clean(f"{kind}: {what} ({category}{special}) in {place}, {often}")


def state(run: ExportedRun, finding: RecordedFinding) -> str:
    """Return in words what baseline and reviews say of a finding; empty if they say nothing."""
    outcome, review = run.outcome(finding), run.review(finding)
    said = [str(outcome)] if outcome else []
    if review is not None:
        said.append(f"{review.decision} by {review.owner} until {review.until}: {review.reason}")
    return clean(", ".join(said))


def rule(finding: RecordedFinding) -> str:
    """Return the id of the rule that found it, else its type."""
    recorded = finding.document.get("rule")
    name = recorded.get("id") if isinstance(recorded, dict) else None
    return clean(name) if isinstance(name, str) and name else clean(finding.type)


def text(finding: RecordedFinding, key: str) -> str:
    """Return a recorded field as text on one line; empty if there is none."""
    value = finding.document.get(key)
    return "" if value is None else clean(value if isinstance(value, str) else json.dumps(value))


class FindingPlace(NamedTuple):
    """One place of a finding. Line and column count from 1; None if it has none."""

    line: int | None
    column: int | None
    row: int | None


def places(finding: RecordedFinding) -> Iterator[FindingPlace]:
    """Yield the recorded places of a finding."""
    listed = finding.document.get("locations")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            yield FindingPlace(*(_number(each.get(key)) for key in ("line", "column", "row")))


def first_place(finding: RecordedFinding) -> FindingPlace:
    """Return the first recorded place."""
    return next(places(finding), FindingPlace(None, None, None))


def coverage_sentence(run: ExportedRun) -> str:
    """Return how much was examined, on one line."""
    coverage = run.coverage
    return clean(f"examined {headline(coverage)}: {sentence(coverage)}")


def _number(value: Json) -> int | None:
    return value if type(value) is int and 1 <= value < 1 << 31 else None
