"""The columns in which findings are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waivern.cli.ui.columns import Column, Records

if TYPE_CHECKING:
    from waivern.runs.findings_comparison import ComparedFinding


def _place(each: ComparedFinding) -> str:
    found, before = each.finding, each.earlier
    at = ", ".join(filter(None, [found.item or found.system, found.place]))
    if each.reason:
        return f"{at}: {each.reason}"
    if before is None or str(each.outcome) != "moved":
        return at
    was = before.place if before.item == found.item else before.item
    return f"{at} (was {was})"


def _short(each: ComparedFinding) -> str:
    return each.finding.id[:8]


def _count(each: ComparedFinding) -> str:
    now = f"{each.finding.occurrences:,}"
    return f"{each.earlier.occurrences:,} → {now}" if each.earlier and each.count_changed else now


COMPARED: Records[ComparedFinding] = Records(
    Column("outcome", lambda each: str(each.outcome), "OUTCOME"),
    Column(
        "id", lambda each: each.finding.id, "ID", shown=lambda each: each.finding.id[:8], drop=2
    ),
    Column("type", lambda each: each.finding.type, "TYPE"),
    Column("category", lambda each: each.finding.category, "CATEGORY", drop=1),
    Column("system", lambda each: each.finding.system),
    Column("item", lambda each: each.finding.item),
    Column("field", lambda each: each.finding.field, "FIELD", drop=3, if_any=True),
    Column("occurrences", lambda each: each.finding.occurrences, "COUNT", shown=_count),
    Column("before", lambda each: each.earlier.occurrences if each.earlier else None),
    Column("reason", lambda each: each.reason),
    Column("place", lambda each: each.finding.place, "PLACE", shown=_place, flexible=True),
)
