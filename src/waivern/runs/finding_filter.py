"""The choice among findings by a condition over their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waivern.errors import UsageError
from waivern.language.conditions import Condition, ConditionError, EvaluationError
from waivern.message import Json
from waivern.runs.findings_comparison import FindingOutcome
from waivern.runs.recorded_findings import SEVERITIES, RecordedFinding
from waivern.shapes import Shape

if TYPE_CHECKING:
    from waivern.runs.finding_reviews import FindingReviews
    from waivern.runs.findings_comparison import FindingsComparison

_TEXT: Shape = {"type": "string"}
_NUMBER: Shape = {"type": "number"}
_BOOLEAN: Shape = {"type": "boolean"}
SHAPES: dict[str, Shape] = {
    "artifact": _TEXT,
    "type": _TEXT,
    "category": _TEXT,
    "kind": {"type": "string", "enum": ["value", "field_name"]},
    "severity": {"type": "string", "enum": list(SEVERITIES)},
    "special_category": _BOOLEAN,
    "test_data": _BOOLEAN,
    "system": _TEXT,
    "item": _TEXT,
    "field": _TEXT,
    "occurrences": _NUMBER,
    "confidence": _NUMBER,
    "accepted": _BOOLEAN,
    "rejected": _BOOLEAN,
}
"""The names that a condition on a finding may use, with what they are."""
FIELDS = frozenset(SHAPES)
COMPARED = frozenset({"new", "moved"})
"""The names that need a baseline."""


def scope_of(
    finding: RecordedFinding,
    reviews: FindingReviews | None = None,
    compared: FindingsComparison | None = None,
) -> dict[str, Json]:
    """Return the values of the names that a condition on a finding may use."""
    confidence = finding.document.get("confidence")
    review = reviews.of(finding) if reviews else None
    scope = {
        "artifact": finding.artifact,
        "type": finding.type,
        "category": finding.category,
        "kind": finding.kind,
        "severity": finding.severity,
        "special_category": finding.special,
        "test_data": finding.test_data,
        "system": finding.system,
        "item": finding.item,
        "field": finding.field,
        "occurrences": finding.occurrences,
        "confidence": confidence if isinstance(confidence, int | float) else 1,
        "accepted": reviews is not None and reviews.suppresses(finding),
        "rejected": review is not None and review.decision == "rejected",
    }
    if compared is not None:
        outcome = compared.outcome_of(finding)
        scope["new"] = outcome is FindingOutcome.NEW
        scope["moved"] = outcome is FindingOutcome.MOVED
    return scope


def uses(text: str, names: frozenset[str]) -> bool:
    """Return whether a condition on a finding uses one of these names."""
    try:
        Condition.parse(text, (FIELDS | COMPARED) - names)
    except ConditionError:
        return True
    return False


def is_about_findings(text: str) -> bool:
    """Return whether a condition is about single findings: it uses names of theirs, and no others.

    One without names, such as `true`, is about the run.
    """
    return not uses(text, frozenset()) and uses(text, FIELDS | COMPARED)


def checked_condition(text: str, option: str, *, compared: bool) -> Condition:
    """Return the condition of an option; `compared`: there is a baseline.

    Raises UsageError with the position if it cannot be read, never holds, or needs a baseline.
    """
    try:
        condition = Condition.parse(text, FIELDS | COMPARED)
    except ConditionError as error:
        around = f"\n  {text[:200]}\n  {' ' * error.offset}^" if text.isprintable() else ""
        hint = error.hint or f"the names are {', '.join(sorted(FIELDS | COMPARED))}"
        raise UsageError(f"{option}: {error.message}{around}", hint=hint) from error
    shapes = SHAPES | dict.fromkeys(COMPARED, _BOOLEAN)
    if faults := condition.faults({(name, ""): shape for name, shape in shapes.items()}):
        raise UsageError(f"{option}: {faults[0].message}", hint=faults[0].hint)
    if not compared and uses(text, COMPARED):
        raise UsageError(
            f"{option} {text!r} needs a baseline",
            hint="name an earlier run or a file, as in `--baseline scan@last`",
        )
    return condition


class FindingFilter:
    """A condition of `--where`; without one, all findings are kept."""

    def __init__(
        self,
        text: str | None,
        reviews: FindingReviews | None = None,
        compared: FindingsComparison | None = None,
    ) -> None:
        """Raise UsageError for a text that is no condition on a finding."""
        self._reviews, self._compared = reviews, compared
        self._condition = None
        if text is not None:
            self._condition = checked_condition(text, "--where", compared=compared is not None)

    def keeps(self, finding: RecordedFinding) -> bool:
        """Return whether a finding meets the condition. Raises UsageError if that is undecided."""
        if self._condition is None:
            return True
        try:
            return self._condition.evaluate(scope_of(finding, self._reviews, self._compared))
        except EvaluationError as error:
            raise UsageError(f"--where: {error.message}", hint=error.hint) from error
