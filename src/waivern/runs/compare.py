"""The comparison of two runs, artifact by artifact, from their journals only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from waivern.errors import WaivernError
from waivern.message import Json, content_digest
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus
from waivern.record.step_record import StepRecord
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

Outcome: TypeAlias = Literal["equal", "different", "status", "open"]
OPEN = (ArtifactStatus.NOT_STARTED, ArtifactStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Pair:
    """One artifact in both runs."""

    artifact: str
    outcome: Outcome
    """`equal`: the same content, or the same status without; of a gate, both approved.
    `status`: the statuses differ. `open`: the second run has not settled it yet."""
    before: str | None
    """Its status; None: the run has no such artifact."""
    after: str | None
    redacted: bool = False
    """Whether it was redacted in one of them: its recorded digests are compared all the same."""

    def document(self) -> dict[str, Json]:
        """Return the pair for programs."""
        return {
            "artifact": self.artifact,
            "outcome": self.outcome,
            "before": self.before,
            "after": self.after,
            "redacted": self.redacted,
        }


def compare(before: RunRecord, after: RunRecord, store: RunStore) -> list[Pair]:
    """Return all artifacts of two runs of a store, in the order of the second.

    Earlier versions recorded digests in which the order of keys does not count: the contents of
    their runs are read.
    """
    older = any("waivern" not in attempt for attempt in before.metadata.attempts)

    def content(step: StepRecord | None) -> str | None:
        known = _content(step)
        if not older or known is None or step is None or step.completed is None:
            return known
        done = step.completed
        ref = ArtifactRef(done.artifact, done.digest, done.content_digest)
        try:
            message = store.fetch(before.metadata.run_id, ref)
            return content_digest(message.content, message.records)
        except WaivernError:
            return known

    names = dict.fromkeys([*after.steps, *before.steps])
    return [_pair(name, before.steps.get(name), after.steps.get(name), content) for name in names]


def _pair(
    name: str,
    before: StepRecord | None,
    after: StepRecord | None,
    content: Callable[[StepRecord | None], str | None],
) -> Pair:
    then, now = (str(each.status) if each else None for each in (before, after))
    outcome: Outcome = "equal"
    if then != now:
        outcome = "open" if now in OPEN else "status"
    elif _content(before) != _content(after) and content(before) != _content(after):
        outcome = "different"
    return Pair(name, outcome, then, now, any(each and each.redacted for each in (before, after)))


def _content(step: StepRecord | None) -> str | None:
    done = step.completed if step else None
    # who decided, and when, is never the same
    return done.content_digest if done and done.component != "gate" else None
