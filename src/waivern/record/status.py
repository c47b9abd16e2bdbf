"""How artifacts and runs can stand."""

from __future__ import annotations

from enum import StrEnum


class ArtifactStatus(StrEnum):
    """Where one artifact of a run stands; the statuses partition the plan."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    """Of a live run only, and only for readers: `state.json` lists it as not started."""
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    SUSPENDED = "suspended"


class How(StrEnum):
    """How a completed artifact came to be."""

    PRODUCED = "produced"
    REUSED = "reused"
    CACHED = "cached"


class RunStatus(StrEnum):
    """Where a run stands; final within its attempt, except `running`."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SUSPENDED = "suspended"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


CLOSED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
"""The statuses with which `run.json` has a `completed_at`."""
