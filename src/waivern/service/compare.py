"""Two runs, artifact by artifact: did the same come out? Reads journals only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus
from waivern.record.step import StepRecord

Outcome: TypeAlias = Literal["equal", "different", "status", "open"]
OPEN = (ArtifactStatus.NOT_STARTED, ArtifactStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Pair:
    """One artifact in both runs."""

    artifact: str
    outcome: Outcome
    """`equal`: the same content, or both came to the same end without; of a gate, both approved.
    `status`: they came to different ends. `open`: in the second it has come to none yet."""
    before: str | None
    """Its status; None: the run has no such artifact."""
    after: str | None

    def document(self) -> dict[str, Json]:
        """Return the pair for programs."""
        return {
            "artifact": self.artifact,
            "outcome": self.outcome,
            "before": self.before,
            "after": self.after,
        }


def compare(before: RunRecord, after: RunRecord) -> list[Pair]:
    """Return all artifacts of two runs, in the order of the second."""
    names = dict.fromkeys([*after.steps, *before.steps])
    return [_pair(name, before.steps.get(name), after.steps.get(name)) for name in names]


def _pair(name: str, before: StepRecord | None, after: StepRecord | None) -> Pair:
    then, now = (str(each.status) if each else None for each in (before, after))
    outcome: Outcome = "equal"
    if then != now:
        outcome = "open" if now in OPEN else "status"
    elif _content(before) != _content(after):
        outcome = "different"
    return Pair(name, outcome, then, now)


def _content(step: StepRecord | None) -> str | None:
    done = step.completed if step else None
    # who decided, and when, is never the same
    return done.content_digest if done and done.component != "gate" else None
