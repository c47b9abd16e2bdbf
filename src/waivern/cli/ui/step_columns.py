"""The columns of the steps of a run."""

from __future__ import annotations

from waivern.cli.ui.columns import Column, Records
from waivern.message import Json
from waivern.record.status import How
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import duration, short, taken


def _component(step: StepRecord) -> str:
    kind, _, name = (step.component or "").partition(":")
    if step.completed and (origin := taken(step.completed)):
        return f"{name} {origin}"
    return f"reuse {short(name[:36])}{name[36:]}" if kind == "reuse" else name or kind


def _outcome(step: StepRecord) -> str:
    return How(step.completed.how).label if step.completed else str(step.status)


def _error(step: StepRecord) -> Json:
    return f"{step.error.get('kind')}: {step.error.get('message')}" if step.error else None


STEPS = Records[StepRecord](
    Column("index", lambda step: step.step_index, "#", drop=2),
    Column("artifact", lambda step: step.artifact, "ARTIFACT"),
    Column("component", lambda step: step.component, "COMPONENT", shown=_component, drop=1),
    Column("status", lambda step: str(step.status), "STATUS", shown=_outcome, painted=True),
    Column("how", lambda step: step.completed.how if step.completed else None),
    Column(
        "milliseconds",
        lambda step: step.duration_ms,
        "TOOK",
        shown=lambda step: duration(step.duration_ms),
    ),
    Column(
        "inputs",
        lambda step: list(step.inputs),
        "INPUTS",
        shown=lambda step: ", ".join(step.inputs),
        flexible=True,
    ),
    Column("error", _error),
    Column("redacted", lambda step: step.redacted.at if step.redacted else None),
    document=StepRecord.document,
)
