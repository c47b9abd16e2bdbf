"""The state of a running attempt that every display of its progress shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from waivern.message import Json
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    Event,
)
from waivern.record.status import ArtifactStatus
from waivern.record.text_forms import clean, short

TELLING = 0.05
"""The share from which the speed so far says more than earlier runs."""
FEW = 4
"""The number of artifacts of a fan-out up to which each has a line of its own."""
_NOTHING: Mapping[str, Json] = {}


class ProgressLine(NamedTuple):
    """One line of progress."""

    status: str
    text: str
    document: Mapping[str, Json] = _NOTHING
    """The same for programs."""


class ArtifactWork:
    """The progress of one artifact."""

    __slots__ = ("began", "component", "name", "note", "progress", "status", "took_ms")

    def __init__(self, name: str, component: str = "") -> None:
        self.name = name
        self.component = component
        self.status = str(ArtifactStatus.NOT_STARTED)
        """The status as it is shown: a status of artifacts, an origin of completed ones,
        `restored` or `retried`."""
        self.began: float | None = None
        """The beginning of the call on the clock of `time.monotonic`; None: it is not at work."""
        self.took_ms: int | None = None
        self.progress: Progress | None = None
        self.note = ""
        """The error of a failure, or the reason of a skip or a wait."""

    def left_s(self, now: float, usual_ms: int | None = None) -> float | None:
        """Return the remaining time: at the speed so far, else as usual; None if unknown."""
        if self.began is None:
            return None
        share = self.progress.share if self.progress else None
        if share and (share >= TELLING or usual_ms is None):
            return (now - self.began) * (1 - share) / share
        if usual_ms is None:
            return None
        return max(0.0, usual_ms / 1000 - (now - self.began))


class ProgressState:
    """The progress of all artifacts of a run, in declared order."""

    def __init__(self) -> None:
        self.artifacts: dict[str, ArtifactWork] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        """The artifacts of each fan-out that is shown on one line, by its name."""
        self.active: dict[str, ArtifactWork] = {}
        """The artifacts at work, the first to begin first."""
        self.troubled: dict[str, ArtifactWork] = {}
        """The artifacts that failed or wait."""
        self.counts: Counter[str] = Counter()
        """The number of artifacts by status."""
        self.found = 0
        """The findings so far."""
        self.began = 0.0
        self.run_id = ""
        self.for_programs = False
        """Whether lines have their documents."""
        self._planned: Callable[[str], str] = str

    @property
    def total(self) -> int:
        return len(self.artifacts)

    @property
    def finished(self) -> int:
        """The number of artifacts that have ended."""
        return sum(self.counts[status] for status in _ENDED)

    def begin(
        self, record: RunRecord, planned: Callable[[str], str], now: float, elapsed_s: float = 0.0
    ) -> None:
        """Take over what a run has recorded; `planned` returns the component of an artifact.

        The attempt began `elapsed_s` seconds ago.
        """
        self.began, self.run_id, self._planned = now - elapsed_s, record.metadata.run_id, planned
        for name, step in record.steps.items():
            work = ArtifactWork(name, step.component or "")
            self.artifacts[name] = work
            if step.completed:
                again = name not in record.executed
                work.status = "restored" if again else _how(step.completed)
                work.took_ms = step.duration_ms
            elif step.status is ArtifactStatus.RUNNING:
                self._start(work, now - (step.duration_ms or 0) / 1000)
            elif step.status is not ArtifactStatus.NOT_STARTED and name in record.executed:
                work.status, work.took_ms = str(step.status), step.duration_ms
                work.note = str((step.error or {}).get("message") or "")
                self.troubled[name] = work
            self.counts[work.status] += 1
        self._fold(record.aliases)

    def _fold(self, aliases: Mapping[str, list[str]]) -> None:
        """Put the fan-outs on one line each; no artifact is in two of them."""
        taken: set[str] = set()
        for name, members in aliases.items():
            if len(members) > FEW and taken.isdisjoint(members):
                found = tuple(each for each in members if each in self.artifacts)
                taken.update(found)
                self.groups[name] = found

    def apply(self, event: Event, now: float) -> None:
        """Apply an event of the run."""
        kind = type(event)
        if kind not in _TRANSITIONS:
            return
        work = self.artifacts.get(event.artifact)  # type: ignore[union-attr]
        if work is None:
            return
        counts = self.counts
        counts[work.status] -= 1
        if isinstance(event, ArtifactStartedRecord):
            work.component = event.component
            self._start(work, now)
        elif isinstance(event, ArtifactCompletedRecord):
            self._end(work, _how(event), event.duration_ms)
        elif isinstance(event, ArtifactFailedRecord | ArtifactRetriedRecord):
            status = "failed" if isinstance(event, ArtifactFailedRecord) else "retried"
            self._end(work, status, event.duration_ms, str(event.error.get("message")))
        elif isinstance(event, ArtifactSkippedRecord | ArtifactSuspendedRecord):
            status = "skipped" if isinstance(event, ArtifactSkippedRecord) else "suspended"
            self._end(work, status, None, event.reason)
        counts[work.status] += 1

    def _start(self, work: ArtifactWork, began: float) -> None:
        if work.progress:
            self.found -= work.progress.found or 0
        work.status, work.began, work.progress, work.note = "running", began, None, ""
        self.active[work.name] = work
        self.troubled.pop(work.name, None)

    def _end(self, work: ArtifactWork, status: str, took: int | None, note: str = "") -> None:
        work.status, work.took_ms, work.note, work.began = status, took, note, None
        self.active.pop(work.name, None)
        if status in ("failed", "suspended", "retried"):
            self.troubled[work.name] = work

    def component(self, work: ArtifactWork) -> str:
        """Return the component of an artifact as a person names it."""
        kind, _, name = (work.component or self._planned(work.name)).partition(":")
        return clean(f"from {short(name[:36])}{name[36:]}" if kind == "reuse" else name or kind)

    def progress(self, name: str, progress: Progress) -> None:
        """Record the progress of a component."""
        if (work := self.active.get(name)) is not None:
            before = work.progress.found if work.progress else 0
            self.found += (progress.found or 0) - (before or 0)
            work.progress = progress


_TRANSITIONS = frozenset(
    {
        ArtifactStartedRecord,
        ArtifactCompletedRecord,
        ArtifactFailedRecord,
        ArtifactRetriedRecord,
        ArtifactSkippedRecord,
        ArtifactSuspendedRecord,
    }
)
"""The events that change the progress of an artifact."""
_ENDED = ("completed", "restored", "reused", "cached", "failed", "skipped")


def _how(done: ArtifactCompletedRecord) -> str:
    """Return the status of a completed artifact: its origin, unless it was produced."""
    return "completed" if done.how == "produced" else done.how
