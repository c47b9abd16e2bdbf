"""The fold of one artifact's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waivern.message import Json
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import ArtifactStatus


@dataclass(slots=True)
class StepRecord:
    """The state of one artifact of a run: attempts, times, component, inputs, error."""

    artifact: str
    status: ArtifactStatus = ArtifactStatus.NOT_STARTED
    step_index: int | None = None
    component: str | None = None
    started_at: str | None = None
    duration_ms: int | None = None
    error: dict[str, Json] | None = None
    """`{kind, message, hint}` of a failure; `{kind: "skipped", message, cause}` of a skip, and
    `more_causes` if there are several."""
    gate: bool = False
    """Whether its last suspension was for a decision by people."""
    inputs: tuple[str, ...] = ()
    attempts: int = 0
    tries: int = 0
    """The attempts since the run was last started or resumed."""
    completed: ArtifactCompletedRecord | None = None
    """The event that completed it; None in every other status."""
    seq: int | None = None
    """The journal line of `completed`."""

    outputs: tuple[str, ...] = ()
    """The artifacts of its named outputs, if it has any."""

    @property
    def output_keys(self) -> list[str]:
        """The artifact itself and its named outputs."""
        return [self.artifact, *self.outputs] if self.completed else []

    def document(self) -> dict[str, Json]:
        """Return the step as `wct inspect --json` shows it."""
        return {
            "step_index": self.step_index,
            "artifact": self.artifact,
            "component": self.component,
            "status": str(self.status),
            "how": self.completed.how if self.completed else None,
            "origin": self.completed.origin if self.completed else None,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "error": self.error,
            "inputs": list(self.inputs),
            "output_keys": self.output_keys,
            "attempts": self.attempts,
        }


def ordered(steps: Iterable[StepRecord]) -> list[StepRecord]:
    """Return steps in the order of starting; those that never started are last."""
    last = float("inf")
    return sorted(steps, key=lambda step: last if step.step_index is None else step.step_index)
