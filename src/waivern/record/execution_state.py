"""The content of `state.json`: the artifacts of a run by status."""

from collections.abc import Iterable
from typing import NamedTuple

from waivern.message import Json
from waivern.record.status import RECORDED, ArtifactStatus
from waivern.record.step_record import StepRecord


class ExecutionState(NamedTuple):
    """A partition of the plan's artifacts by status; every list is sorted."""

    completed: tuple[str, ...]
    not_started: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    suspended: tuple[str, ...]
    last_checkpoint: str
    """The time of the last event in the journal."""

    @classmethod
    def of(cls, steps: Iterable[StepRecord], last_checkpoint: str) -> "ExecutionState":
        """Sort the steps of a run by status."""
        lists: dict[ArtifactStatus, list[str]] = {status: [] for status in RECORDED}
        not_started = lists[ArtifactStatus.NOT_STARTED]  # so is what is running
        for step in steps:
            lists.get(step.status, not_started).append(step.artifact)
        ordered = {str(status): tuple(sorted(ids)) for status, ids in lists.items()}
        return cls(**ordered, last_checkpoint=last_checkpoint)

    def document(self) -> dict[str, Json]:
        """Return the content of `state.json`."""
        lists = self._asdict()  # in the order of the fields, which is that of the file
        last = lists.pop("last_checkpoint")
        return {**{name: list(ids) for name, ids in lists.items()}, "last_checkpoint": last}
