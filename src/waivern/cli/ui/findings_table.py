"""The findings of one artifact as a table: listed, or counted by one of their fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.finding_columns import FOUND, ListedFinding
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit, RefusedError
from waivern.runs.finding_filter import FindingFilter
from waivern.runs.findings_overview import FoundCount, gravest
from waivern.runs.recorded_findings import RecordedFinding, RunFindings, has_findings

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore

FEW = 10
"""The findings that a terminal shows unless asked for more."""
COUNTS: Records[FoundCount] = Records(
    Column("name", lambda each: each.name, "NAME", flexible=True),
    Column("findings", lambda each: each.findings, "FINDINGS"),
    Column("occurrences", lambda each: each.occurrences, "OCCURRENCES"),
    Column("severity", lambda each: each.severity, "SEVERITY", drop=1),
    Column(
        "special_category",
        lambda each: each.special,
        "NOTE",
        text=lambda each: "special" if each.special else "",
        if_any=True,
    ),
)


def show_findings(
    store: RunStore,
    record: RunRecord,
    artifact: str,
    *,
    where: str | None,
    group_by: str | None,
    head: int | None,
    as_json: bool,
) -> int:
    """Show the findings of an artifact that meet a condition, or their counts by a field.

    Raises RefusedError if the artifact has none, UsageError for a text that is no condition.
    """
    step = record.steps[artifact]
    if not has_findings(step):
        raise RefusedError(
            f"artifact '{artifact}' of run {record.metadata.run_id} has no findings",
            hint="`wct inspect RUN` lists the artifacts",
        )
    chosen = FindingFilter(where)
    found = (each for each in RunFindings(store, record).of(artifact) if chosen.keeps(each))
    out = stdout()
    if group_by is not None:
        _show_counts(out, record, artifact, list(counted_by(group_by, found)), as_json)
        return Exit.OK
    rows = map(ListedFinding, found)
    if as_json:
        listed = [each.document() for each in islice(rows, head)]
        about = {"run_id": record.metadata.run_id, "artifact": artifact}
        print_document("inspect-findings", {**about, "findings": listed})
    elif out.tty:
        print_table(out, rows, FEW if head is None else head)
    else:
        FOUND.lines(out, islice(rows, head))
    return Exit.OK


def _show_counts(
    out: Screen, record: RunRecord, artifact: str, counts: list[FoundCount], as_json: bool
) -> None:
    if as_json:
        about = {"run_id": record.metadata.run_id, "artifact": artifact}
        groups = [each.document() for each in counts]
        print_document("inspect-findings", {**about, "groups": groups})
    else:
        COUNTS.show(out, counts)


def print_table(out: Screen, rows: Iterator[ListedFinding], few: int) -> None:
    """Write the first findings as a table, and the number of those that follow."""
    FOUND.table(out, list(islice(rows, few)))
    if more := sum(1 for _ in rows):
        out.print(out.paint(f"… {more:,} more; --head N shows more of them", "dim"))


def counted_by(name: str, findings: Iterable[RecordedFinding]) -> Iterator[FoundCount]:
    """Yield the counts of findings by a field: special categories and severe ones first."""
    counts: dict[str, FoundCount] = {}
    for finding in findings:
        value = str(getattr(finding, name)) or "(none)"
        known = counts.get(value)
        if known is None:
            known = counts[value] = FoundCount(value, severity="info")
        known.add(finding)
    yield from gravest(counts.values())
