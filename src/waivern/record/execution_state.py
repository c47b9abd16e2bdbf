"""`state.json`: which artifacts are completed, not started, failed, skipped, suspended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from waivern.message import Json
from waivern.record.status import ArtifactStatus
from waivern.record.step_record import StepRecord


class ExecutionState(NamedTuple):
    """A partition of the plan's artifacts by status; every list is sorted."""

    completed: tuple[str, ...]
    not_started: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    suspended: tuple[str, ...]
    last_checkpoint: str
    """When the last event of the journal happened."""

    @classmethod
    def of(cls, steps: Iterable[StepRecord], last_checkpoint: str) -> ExecutionState:
        """Sort the steps of a run by status."""
        lists: dict[ArtifactStatus, list[str]] = {status: [] for status in ArtifactStatus}
        for step in steps:
            lists[step.status].append(step.artifact)
        lists[ArtifactStatus.NOT_STARTED] += lists.pop(ArtifactStatus.RUNNING)
        ordered = {str(status): tuple(sorted(ids)) for status, ids in lists.items()}
        return cls(**ordered, last_checkpoint=last_checkpoint)

    def document(self) -> dict[str, Json]:
        """Return the content of `state.json`."""
        return {
            "completed": list(self.completed),
            "not_started": list(self.not_started),
            "failed": list(self.failed),
            "skipped": list(self.skipped),
            "suspended": list(self.suspended),
            "last_checkpoint": self.last_checkpoint,
        }
