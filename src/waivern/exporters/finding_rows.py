"""The rows and columns of the formats that are tables: findings, and what was not examined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from waivern.exporters.export_texts import coverage_sentence, first_place, rule, state, text
from waivern.record.text_forms import clean
from waivern.runs.exporter import ExportedRun
from waivern.runs.not_examined import NotExamined, not_examined
from waivern.runs.recorded_findings import RecordedFinding

Cell = str | int | float | None


def _number(finding: RecordedFinding) -> float | None:
    value = finding.document.get("confidence")
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


FINDING_COLUMNS: Mapping[str, Callable[[RecordedFinding], Cell]] = {
    "category": lambda each: clean(each.category),
    "special_category": lambda each: _yes(each.special),
    "type": lambda each: clean(each.type),
    "kind": lambda each: clean(each.kind),
    "severity": lambda each: clean(each.severity),
    "system": lambda each: clean(each.system),
    "item": lambda each: clean(each.item),
    "field": lambda each: clean(each.field),
    "line": lambda each: first_place(each).line,
    "row": lambda each: first_place(each).row,
    "occurrences": lambda each: each.occurrences,
    "evidence": lambda each: text(each, "evidence"),
    "confidence": _number,
    "test_data": lambda each: _yes(each.test_data),
    "rule": rule,
    "ruleset": lambda each: clean(each.ruleset),
    "articles": lambda each: _listed(each, "articles"),
    "artifact": lambda each: clean(each.artifact),
    "id": lambda each: clean(each.id),
}
"""The columns of a finding."""


FINDING_HEAD = (*FINDING_COLUMNS, "state")


def finding_row(run: ExportedRun, finding: RecordedFinding) -> list[Cell]:
    """Return the cells of a finding; the last one has what baseline and reviews say of it."""
    return [*(cell(finding) for cell in FINDING_COLUMNS.values()), state(run, finding)]


PART_COLUMNS: Mapping[str, Callable[[NotExamined], Cell]] = {
    "system": lambda each: clean(each.source),
    "item": lambda each: clean(each.item),
    "reason": lambda each: clean(each.reason),
    "items": lambda each: each.number,
    "on_purpose": lambda each: _yes(each.on_purpose),
}
"""The columns of a part that was not examined."""


def part_rows(run: ExportedRun) -> Iterator[dict[str, Cell]]:
    """Yield what was not examined, by column; at last how much was examined, in one sentence."""
    for part in not_examined(run):
        yield {name: cell(part) for name, cell in PART_COLUMNS.items()}
    yield {"reason": coverage_sentence(run)}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _listed(finding: RecordedFinding, key: str) -> str:
    value = finding.document.get(key)
    return clean(" ".join(map(str, value))) if isinstance(value, list) else ""
