"""The fold of one artifact's events."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter

from waivern.message import Json
from waivern.record.journal_events import ArtifactCompletedRecord, ArtifactRedactedRecord
from waivern.record.status import ArtifactStatus

CONTENT = "content"
"""As `keep`: the artifact holds content of a source. As `destroyed`: nothing of it is left."""
EVIDENCE = "evidence"
"""As `destroyed`: the evidence of findings, which stay."""


@dataclass(slots=True)
class StepRecord:
    """The state of one artifact of a run: attempts, times, component, inputs, error."""

    artifact: str
    run_id: str = ""
    """The run; with `step_index`, the key of a step that was started."""
    status: ArtifactStatus = ArtifactStatus.NOT_STARTED
    step_index: int | None = None
    """The order of starting within the run, from 1, the same over all attempts; None if it was
    never started."""
    component: str | None = None
    """`connector:<type>`, `processor:<type>`, `reuse:<run>/<artifact>`, `gate` and the like; None
    if it was never started."""
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
    """The event that completed it; None in every other status. Of a redacted artifact, `size` and
    `digest` are those of the file that is there now, `content_digest` that of what it was."""
    seq: int | None = None
    """The journal line of `completed`."""
    redacted: ArtifactRedactedRecord | None = None
    """The event that destroyed its content or evidence; None if it is as it was produced."""

    outputs: tuple[str, ...] = ()
    """The artifacts of its named outputs, if it has any."""

    def copy(self) -> "StepRecord":
        """Return one that can be changed without changing this one."""
        return StepRecord(*_fields(self))

    @property
    def held_bytes(self) -> int:
        """The bytes of source content that the artifact holds."""
        done = self.completed
        if done is None or (self.redacted and self.redacted.destroyed == CONTENT):
            return 0
        if done.keep is not None:
            return self.stored_bytes if done.keep == CONTENT else 0
        # earlier versions did not record it: their connectors copied what they read; the coverage
        # of a copy names the component that read the source
        component = str((done.examined or {}).get("component") or done.component)
        return self.stored_bytes if component.startswith("connector:") else 0

    @property
    def stored_bytes(self) -> int:
        """The bytes of all files of the artifact."""
        done = self.completed
        return (done.total or done.size) if done else 0

    @property
    def output_keys(self) -> list[str]:
        """The artifact itself and its named outputs."""
        return [self.artifact, *self.outputs] if self.completed else []

    def document(self) -> dict[str, Json]:
        """Return the step as `wct inspect --json` shows it."""
        return {
            "run_id": self.run_id,
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
            "redacted": redaction_document(self.redacted) if self.redacted else None,
        }


_fields = attrgetter(*(each.name for each in fields(StepRecord)))


def redaction_document(event: ArtifactRedactedRecord) -> dict[str, Json]:
    """Return a redaction for programs."""
    facts: dict[str, Json] = {"at": event.at, "by": event.by, "reason": event.reason}
    return facts | {"destroyed": event.destroyed, "before": event.before, "copy_of": event.copy_of}


def ordered(steps: Iterable[StepRecord]) -> list[StepRecord]:
    """Return steps in the order of starting; those that never started are last."""
    last = float("inf")
    return sorted(steps, key=lambda step: last if step.step_index is None else step.step_index)
