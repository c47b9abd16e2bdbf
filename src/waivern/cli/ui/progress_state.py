"""The state of a running attempt that every display of its progress shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from waivern.plugins.tally import Progress

TALKATIVE = 100
"""The number of artifacts up to which a terminal shows a line for each, not only for failures."""


class ProgressLine(NamedTuple):
    """One line of progress."""

    status: str
    text: str


class RunningArtifact:
    """An artifact that is being produced since `began`, on the clock of `time.monotonic`."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.progress: Progress | None = None

    def left_s(self, now: float) -> float | None:
        """Return the remaining time at the speed so far; None if unknown."""
        share = self.progress.share if self.progress else None
        if not share:
            return None
        return (now - self.began) * (1 - share) / share


class ProgressState:
    """The counts of a run, and its running artifacts."""

    def __init__(
        self,
        total: int = 0,
        finished: int = 0,
        failed: int = 0,
        running: Mapping[str, RunningArtifact] = MappingProxyType({}),
    ) -> None:
        self.total = total
        self.finished = finished
        self.failed = failed
        self.running = dict(running)
