"""What is shown of a run while it works, whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

TALKATIVE = 100
"""Artifacts; on a terminal, a larger run shows single lines for trouble only."""


class ProgressLine(NamedTuple):
    """One thing that happened, for people."""

    status: str
    text: str


@dataclass(slots=True)
class RunningArtifact:
    """An artifact that is being made."""

    began: float
    n: int = 0
    total: int | None = None


@dataclass(slots=True)
class ProgressState:
    """How the run stands."""

    total: int = 0
    finished: int = 0
    failed: int = 0
    running: dict[str, RunningArtifact] = field(default_factory=dict)
