"""`--fail-on` for findings: conditions that single findings must not meet, such as `new`.

Findings that are accepted, and those that are test data, meet no condition; one that names
`test_data` applies to them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from waivern.errors import UsageError, WaivernError
from waivern.language.conditions import Condition
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.record.status import RunStatus
from waivern.runs.baseline import Baseline, read_baseline
from waivern.runs.finding_filter import checked_condition, scope_of, uses
from waivern.runs.finding_reviews import FindingReviews, read_reviews, reviews_path
from waivern.runs.findings_comparison import FindingsComparison
from waivern.runs.recorded_findings import RecordedFinding, RunFindings
from waivern.runs.run_options import RunOptions
from waivern.store.base import RunStore

NAMED = 3
"""The findings that a tripped policy names."""


@dataclass(frozen=True)
class FindingPolicy:
    """Conditions that no finding of a run may meet."""

    conditions: tuple[Condition, ...]
    baseline: Baseline | None
    reviews: FindingReviews
    notes: list[str] = field(default_factory=list)
    """What the evaluation found out about baseline and reviews."""

    def tripped_by(
        self, store: RunStore, plan: Plan, record: RunRecord, hide: Callable[[str], str]
    ) -> str | None:
        """Return the conditions that findings meet, with the first of these; None if none does.

        Of a completed run, findings that cannot be read trip it, too.
        """
        self.notes.clear()
        earlier = self.baseline.record if self.baseline else None
        if earlier and earlier.metadata.run_id == record.metadata.run_id:
            return f"{self._text}  (cannot be decided: the baseline is this run itself)"
        findings = RunFindings(store, record)
        try:
            compared = self.baseline.compared(store, findings) if self.baseline else None
            met = self._met(findings, compared)
        except WaivernError as error:
            return f"{self._text}  (cannot be decided: {hide(error.message)})"
        if self.baseline and self.baseline.runbook not in ("", plan.runbook.name):
            self.notes.append(
                f"baseline {self.baseline.name} is of another runbook: {self.baseline.runbook}"
            )
        if earlier and earlier.metadata.status is not RunStatus.COMPLETED:
            self.notes.append(
                f"baseline {earlier.metadata.run_id} is {earlier.metadata.status}: what it has not"
                " examined is new"
            )
        self.notes.extend(self.reviews.notes())
        tripped = [hide(each.text) for each in met if each.count]
        if record.metadata.status is RunStatus.COMPLETED:
            tripped += [
                f"{self._text}  (cannot be decided: '{name}': {why})"
                for name, why in findings.unread.items()
            ]
        return "; ".join(tripped) or None

    @property
    def _text(self) -> str:
        return "; ".join(each.text for each in self.conditions)

    def _met(self, findings: RunFindings, compared: FindingsComparison | None) -> list[_Tripped]:
        """Return the number of findings that meet each condition."""
        met = [_Tripped(each) for each in self.conditions]
        for finding in findings:
            if self.reviews.suppresses(finding):
                continue
            scope = scope_of(finding, self.reviews, compared)
            for each in met:
                if (each.tests or not finding.test_data) and each.condition.evaluate(scope):
                    each.add(finding)
        return met


class _Tripped:
    """The findings that meet a condition: their number, and the first of them."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.tests = uses(condition.text, frozenset({"test_data"}))
        """Whether it applies to test data."""
        self.count = 0
        self._first: list[str] = []

    def add(self, finding: RecordedFinding) -> None:
        self.count += 1
        if len(self._first) < NAMED:
            self._first.append(f"{finding.type} in {finding.place} ({finding.id[:8]})")

    @property
    def text(self) -> str:
        more = self.count - len(self._first)
        named = ", ".join(self._first) + (f" and {more:,} more" if more else "")
        noun = "finding" if self.count == 1 else "findings"
        return f"{self.condition.text}  ({self.count:,} {noun}: {named})"


def read_finding_policies(
    texts: tuple[str, ...], store: RunStore, options: RunOptions
) -> Iterator[FindingPolicy]:
    """Yield the policy of the conditions about findings, and of the files that they need.

    Raises UsageError, NotFoundError, RefusedError or IntegrityError of a baseline that is none, and
    InvalidError of a file of reviews with its positions.
    """
    compared = options.baseline is not None
    conditions = tuple(checked_condition(each, "--fail-on", compared=compared) for each in texts)
    if compared and not conditions:
        raise UsageError(
            "--baseline is compared by a condition on findings", hint="add `--fail-on new`"
        )
    baseline = None
    if options.baseline is not None:
        baseline = read_baseline(store, options.baseline, options.folder)
    today = date.fromisoformat(options.clock.now()[:10])
    path = reviews_path(options.reviewed, options.folder)
    reviews = read_reviews(path, today)
    if conditions:
        yield FindingPolicy(conditions, baseline, reviews)
