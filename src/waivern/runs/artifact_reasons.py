"""The reasons why an artifact of a recorded run is what it is, from the records alone.

An artifact that was produced is compared with the last earlier run of the same runbook: the parts
of its key that differ are the reason, and a changed input is followed to what changed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from waivern.engine.artifact_identity import key
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import ArtifactStatus, How
from waivern.record.step_record import StepRecord
from waivern.runs import queries
from waivern.runs.listing import RunListing
from waivern.runs.previous_run import previous_run
from waivern.runs.run_comparison import artifact_changes
from waivern.store.base import RunStore

FOLLOWED = 20
"""The artifacts that are followed from one to the inputs that changed."""


@dataclass(slots=True)
class ArtifactReason:
    """The reason for one artifact, and those for the artifacts that it follows from."""

    artifact: str
    outcome: str
    """`produced`, `restored`, `reused`, `cached`, or a status without a result."""
    reasons: list[str]
    because: list[ArtifactReason] = field(default_factory=list)
    """The artifacts that the reasons name."""

    def document(self) -> dict[str, Json]:
        """Return the reason for programs."""
        return {
            "artifact": self.artifact,
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            "because": [each.document() for each in self.because],
        }


def explain_artifact(store: RunStore, record: RunRecord, artifact: str) -> ArtifactReason:
    """Return why an artifact is what it is in a run."""
    return _Explanation(store, record).of(artifact)


def key_parts(step: StepRecord) -> dict[str, Json]:
    """Return the recorded parts of the key of an artifact, without the key; empty if it has none.

    Variables are part of it as hashes.
    """
    identity = step.completed.identity if step.completed else None
    return {name: part for name, part in (identity or {}).items() if name != "key"}


class _Explanation:
    """The explanation of the artifacts of one run, each once."""

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self._store, self._record = store, record
        self._seen: set[str] = set()
        self._earlier: RunRecord | None = None
        self._looked = False

    def of(self, name: str) -> ArtifactReason:
        self._seen.add(name)
        step = self._record.steps[name]
        done = step.completed
        if done is None:
            return self._missing(step)
        if (how := _copied(done)) is not None:
            return ArtifactReason(name, how, [*_origin(done, how)])
        if self._restored(step):
            return ArtifactReason(name, "restored", [*self._kept(step)])
        found = ArtifactReason(name, "produced", [])
        if (why := self._record.invalidated.get(name)) is not None:
            found.reasons.append(f"what an earlier attempt produced was invalidated: {why}")
        self._compare(step, done, found)
        return found

    # without a result

    def _missing(self, step: StepRecord) -> ArtifactReason:
        error = step.error or {}
        found = ArtifactReason(step.artifact, str(step.status), [])
        match step.status:
            case ArtifactStatus.NOT_STARTED:
                found.reasons.append(self._never(step.artifact))
            case ArtifactStatus.RUNNING:
                found.reasons.append("a process is producing it now")
            case _:
                found.reasons.append(str(error.get("message") or f"it {step.status.clause}"))
        self._follow(found, [str(error.get("cause")), *map(str, error.get("more_causes", ()))])
        return found

    def _never(self, name: str) -> str:
        attempts = self._record.metadata.attempts
        chosen = attempts[-1].get("selected") if attempts else None
        if chosen is not None and name not in chosen:
            return "--select or --exclude left it out of the last attempt"
        return f"the last attempt ended before its turn: the run is {self._record.metadata.status}"

    # restored

    def _restored(self, step: StepRecord) -> bool:
        return len(self._record.metadata.attempts) > 1 and (
            step.artifact not in self._record.executed
        )

    def _kept(self, step: StepRecord) -> Iterator[str]:
        attempts = self._record.metadata.attempts
        at = step.completed.at if step.completed else ""
        begun = [n for n, each in enumerate(attempts, 1) if str(each.get("started_at")) <= at]
        yield (
            f"attempt {begun[-1] if begun else 1} of {len(attempts)} completed it; its file is"
            " intact, and its definition and inputs are the same"
        )

    # produced

    def _compare(
        self, step: StepRecord, done: ArtifactCompletedRecord, found: ArtifactReason
    ) -> None:
        if not self._record.vouched:
            found.reasons.append("the run has no journal, which would have the reason")
            return
        if done.component == "gate":
            found.reasons.append("people decided it in this run")
            return
        if self._record.metadata.replay_of is not None:
            found.reasons.append("a replay uses no cached result")
            return
        if key(done.identity) is None:
            found.reasons.append(
                "no cached result could be used: the cache was off, or its component does not"
                " promise equal results for equal inputs"
            )
            return
        earlier = self._last(step.artifact)
        then = earlier.steps.get(step.artifact) if earlier else None
        if earlier is None or then is None:
            found.reasons.append("no earlier run of this runbook in the store completed it")
            return
        run = earlier.metadata.run_id
        if key(then.completed.identity if then.completed else None) == key(done.identity):
            found.reasons.append(
                f"nothing has changed since run {run}; its result was not used: --no-cache or"
                " --refresh, or its file was removed, redacted or altered"
            )
            return
        changes = artifact_changes(then, step)
        since = f"since run {run}:"
        found.reasons += [f"{since} {each}" for each in changes] or [f"{since} its key is another"]
        changed = [n for n, d in done.inputs.items() if then.completed and _other(then, n, d)]
        self._follow(found, changed)

    def _last(self, artifact: str) -> RunRecord | None:
        """Return the last earlier run of the runbook, if it completed an artifact."""
        if not self._looked:
            self._looked = True
            previous = previous_run(RunListing(self._store), self._record.metadata)
            if previous is not None:
                try:
                    self._earlier = queries.load(self._store, previous.run_id)
                except WaivernError:  # a damaged run explains nothing
                    self._earlier = None
        found = self._earlier.steps.get(artifact) if self._earlier else None
        return self._earlier if found is not None and found.completed else None

    def _follow(self, found: ArtifactReason, names: list[str]) -> None:
        for name in names:
            if name in self._record.steps and name not in self._seen:
                if len(self._seen) > FOLLOWED:
                    return
                found.because.append(self.of(name))


def _copied(done: ArtifactCompletedRecord) -> str | None:
    return str(done.how) if done.how != How.PRODUCED else None


def _origin(done: ArtifactCompletedRecord, how: str) -> Iterator[str]:
    origin = done.origin or {}
    place = f"{origin.get('run')}/{origin.get('artifact')}"
    if how == How.CACHED:
        yield f"{place} is the result of work with the same key (journal line {origin.get('seq')})"
    else:
        yield f"the runbook says to reuse {place} (journal line {origin.get('seq')})"
    if done.items:
        yield f"{done.items.get('taken', 0):,} of {done.items.get('total', 0):,} items were known"


def _other(then: StepRecord, name: str, digest: str) -> bool:
    return (then.completed.inputs if then.completed else {}).get(name) != digest
