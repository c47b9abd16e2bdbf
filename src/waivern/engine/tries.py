"""The tries of each artifact in an attempt, and the numbers that artifacts get as they start."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from waivern.record.fold import RunRecord

MAX_LOSSES = 2
"""How often a call is submitted again because its outcome was lost."""


class Start(NamedTuple):
    """A try that has begun."""

    step: int
    """The artifact's number in the order in which artifacts started first, over all attempts."""
    new: bool
    """Whether the journal has no start of this try: a lost call is the same try once more."""


class Tries:
    """The tries of artifacts; `record` is the run before the attempt."""

    def __init__(self, record: RunRecord) -> None:
        self._steps = {name: step.step_index for name, step in record.steps.items()}
        self._next_step = record.next_step
        self._begun: Counter[str] = Counter()
        self._journaled: dict[str, int] = {}
        self._losses: Counter[str] = Counter()

    def begin(self, artifact: str) -> Start:
        """Count a try that begins."""
        number = self._begun[artifact] = self._begun.get(artifact, 0) + 1
        step = self._steps[artifact]
        if step is None:
            step = self._steps[artifact] = self._next_step
            self._next_step += 1
        new = number != self._journaled.get(artifact)
        self._journaled[artifact] = number
        return Start(step, new)

    def count(self, artifact: str) -> int:
        """Return how often an artifact was tried."""
        return self._begun[artifact]

    def lose(self, artifact: str) -> bool:
        """Take back a try whose outcome was lost; return whether it may be submitted again."""
        self._losses[artifact] += 1
        if self._losses[artifact] > MAX_LOSSES:
            return False
        self._begun[artifact] -= 1
        return True
