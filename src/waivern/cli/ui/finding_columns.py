"""The columns in which findings are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from waivern.cli.ui.columns import Column, Records

if TYPE_CHECKING:
    from waivern.message import Json
    from waivern.runs.finding_reviews import FindingReview
    from waivern.runs.findings_comparison import ComparedFinding
    from waivern.runs.recorded_findings import RecordedFinding


def _place(each: ComparedFinding) -> str:
    found, before = each.finding, each.earlier
    at = ", ".join(filter(None, [found.item or found.system, found.place]))
    if each.reason:
        return f"{at}: {each.reason}"
    if before is None or str(each.outcome) != "moved":
        return at
    if before.item != found.item:
        return f"{found.item or found.system} (was {before.item or before.system})"
    return f"{at} (was {before.place})"


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


class ListedFinding(NamedTuple):
    """A finding of a run, with what people have decided about it."""

    finding: RecordedFinding
    review: FindingReview | None = None
    outcome: str | None = None
    """Of the comparison with a baseline."""

    def document(self) -> dict[str, Json]:
        """Return the finding for programs; `alike` is equal where only the file differs."""
        from waivern.runs.findings_comparison import ComparableFinding

        found = ComparableFinding.of(self.finding)
        short = found.document() | {"alike": found.alike}
        short |= {} if self.outcome is None else {"outcome": self.outcome}
        return short | ({"review": self.review.document()} if self.review else {})

    @property
    def place(self) -> str:
        """The first place, in words."""
        from waivern.runs.findings_comparison import ComparableFinding

        found = ComparableFinding.of(self.finding)
        return ", ".join(filter(None, [found.item or found.system, found.place]))

    @property
    def mark(self) -> str:
        """What a reader has to know before all: special category, or test data."""
        if self.finding.test_data:
            return "test data"
        return "special" if self.finding.special else ""


def _review(each: ListedFinding) -> str:
    return f"{each.review.decision} until {each.review.until}" if each.review else ""


def _evidence(each: ListedFinding) -> str:
    value = each.finding.document.get("evidence")
    return value if isinstance(value, str) else ""


FOUND: Records[ListedFinding] = Records(
    Column("id", lambda each: each.finding.id, "ID", shown=lambda each: each.finding.id[:8]),
    Column("outcome", lambda each: each.outcome, "OUTCOME", if_any=True),
    Column("type", lambda each: each.finding.type, "TYPE"),
    Column("category", lambda each: each.finding.category, "CATEGORY", drop=1),
    Column("severity", lambda each: each.finding.severity, "SEVERITY", drop=3),
    Column("mark", lambda each: each.mark, "NOTE", if_any=True),
    Column("system", lambda each: each.finding.system),
    Column("item", lambda each: each.finding.item),
    Column("field", lambda each: each.finding.field, "FIELD", drop=4, if_any=True),
    Column("occurrences", lambda each: each.finding.occurrences, "COUNT"),
    Column("evidence", _evidence, "EVIDENCE", drop=2, if_any=True),
    Column("review", _review, "REVIEW", drop=5, if_any=True),
    Column("place", lambda each: each.place, "PLACE", flexible=True),
)
