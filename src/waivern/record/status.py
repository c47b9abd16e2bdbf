"""The statuses of artifacts and runs, each with its properties and its appearance.

A status owns all that depends on it alone. Lists, counts and views iterate the enumeration, so that
a new status appears everywhere once it has a row here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Self


class Look(NamedTuple):
    """The appearance of a status: a symbol, its substitute in ASCII, and a colour."""

    symbol: str
    ascii: str
    colour: str


UNKNOWN = Look("?", "?", "")


class ArtifactStatus(StrEnum):
    """The status of one artifact of a run; the statuses partition the plan."""

    COMPLETED = "completed", Look("✔", "+", "green"), "is completed", "DONE"
    FAILED = "failed", Look("✘", "x", "red"), "failed", "FAIL"
    SKIPPED = "skipped", Look("⊘", "-", "yellow"), "was skipped", "SKIP"
    NOT_STARTED = "not_started", Look("·", ".", "dim"), "was not started", ""
    SUSPENDED = "suspended", Look("▮", "|", "cyan"), "is waiting"
    RUNNING = "running", Look("▸", ">", "cyan"), "is not completed"
    """Of a live run only, and only for readers: `state.json` lists it as not started."""

    look: Look
    clause: str
    """The status as the end of a sentence about the artifact."""
    column: str | None
    """The heading of its count in lists of runs. Empty: only lines for a pipe have the count; None:
    they have not."""

    def __new__(
        cls, value: str, look: Look = UNKNOWN, clause: str = "", column: str | None = None
    ) -> Self:
        """Return the member `value` with the other columns of its row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.look, member.clause, member.column = look, clause, column
        return member

    @property
    def final(self) -> bool:
        """Whether the artifact keeps this status until the next attempt."""
        return self in (self.COMPLETED, self.FAILED, self.SKIPPED)

    @property
    def recorded(self) -> bool:
        """Whether `state.json` lists artifacts under this status."""
        return self is not self.RUNNING

    @property
    def label(self) -> str:
        """The status in words."""
        return self.replace("_", " ")


RECORDED = tuple(status for status in ArtifactStatus if status.recorded)
"""The statuses by which artifacts are counted."""


class How(StrEnum):
    """The origin of a completed artifact."""

    PRODUCED = "produced", ArtifactStatus.COMPLETED.look, "completed"
    REUSED = "reused", Look("↺", "=", "green"), "reused"
    CACHED = "cached", Look("↺", "=", "green"), "cached"

    look: Look
    label: str
    """The word in place of the status `completed`."""

    def __new__(cls, value: str, look: Look = UNKNOWN, label: str = "") -> Self:
        """Return the member `value` with the other columns of its row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.look, member.label = look, label
        return member


class RunStatus(StrEnum):
    """The status of a run; final within its attempt, except `running`."""

    COMPLETED = "completed", ArtifactStatus.COMPLETED.look, True
    FAILED = "failed", ArtifactStatus.FAILED.look, True
    INTERRUPTED = "interrupted", Look("!", "!", "yellow")
    RUNNING = "running", ArtifactStatus.RUNNING.look
    SUSPENDED = "suspended", ArtifactStatus.SUSPENDED.look
    CANCELLED = "cancelled", Look("!", "!", "yellow"), True

    look: Look
    closed: bool
    """Whether `run.json` has a `completed_at`."""

    def __new__(cls, value: str, look: Look = UNKNOWN, closed: bool = False) -> Self:
        """Return the member `value` with the other columns of its row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.look, member.closed = look, closed
        return member

    @property
    def final(self) -> bool:
        """Whether the attempt is over."""
        return self is not self.RUNNING


CLOSED = frozenset(status for status in RunStatus if status.closed)
"""The statuses with which `run.json` has a `completed_at`."""


class DamagedStatus(StrEnum):
    """The status that is shown for a run whose `run.json` cannot be read."""

    CORRUPT = "corrupt"
    UNREADABLE = "unreadable"
    """The system could not read the run now: nothing is known to be wrong with it."""
    NEWER = "newer"
    """A newer version of this program wrote the run."""

    @property
    def look(self) -> Look:
        """The appearance, which is that of a failure."""
        return ArtifactStatus.FAILED.look


def looks() -> dict[str, Look]:
    """Return the appearance of every status by its value."""
    kinds = (ArtifactStatus, How, RunStatus, DamagedStatus)
    return {str(status): status.look for kind in kinds for status in kind}
