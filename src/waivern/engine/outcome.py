"""How an attempt ends: by itself, or because something stops it."""

from __future__ import annotations

from typing import NamedTuple

from waivern.engine.calls import Failed, LeftBehind
from waivern.errors import Exit, IntegrityError, WaivernError, precedence
from waivern.record.status import RunStatus


class AttemptOutcome(NamedTuple):
    """How an attempt ended."""

    status: RunStatus
    reason: str | None = None
    error: str | None = None
    exit_code: int = Exit.OK
    left: tuple[LeftBehind, ...] = ()
    """The work that was left behind."""

    @property
    def stuck(self) -> bool:
        """Whether the process can be left with `os._exit` only, because of what was left."""
        return any(each.holds_process for each in self.left)


def store_failure(error: WaivernError | str) -> AttemptOutcome:
    """Return how an attempt ends when the store can no longer write, or was written by another."""
    if isinstance(error, IntegrityError):
        return AttemptOutcome(RunStatus.INTERRUPTED, "integrity", error.message, Exit.INTEGRITY)
    message = error if isinstance(error, str) else error.message
    return AttemptOutcome(RunStatus.INTERRUPTED, "store", message, Exit.STORE)


UNSAVED: tuple[int, ...] = (Exit.INTEGRITY, Exit.STORE)
"""Exit codes of an attempt that could not be saved whole, the gravest first."""


def worse(one: AttemptOutcome | None, other: AttemptOutcome) -> AttemptOutcome:
    """Return how an attempt ends of which both are true.

    It is the graver one, in the order of the exit codes: that the store fails, that somebody
    interrupts from outside, that time is up, that artifacts have failed. But that the run was
    cancelled stays true whatever comes, unless the store may have lost it: only who knows of it
    should resume.
    """
    if one is None:
        return other
    graver, lesser = sorted((one, other), key=_precedence)
    if lesser.status == RunStatus.CANCELLED and graver.exit_code not in UNSAVED:
        return lesser._replace(exit_code=graver.exit_code)
    return graver


def _precedence(ending: AttemptOutcome) -> tuple[int, bool]:
    """Return a sort key that puts the graver outcome first."""
    first = precedence(ending.exit_code)
    if ending.status == RunStatus.INTERRUPTED:  # a cancelled task of the caller exits with 1
        first = min(first, precedence(Exit.INTERRUPTED))
    return first, ending.status == RunStatus.CANCELLED


class OutcomeTracker:
    """What is known of how an attempt will end, while it goes on."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, Failed]] = []
        self._suspended: list[tuple[str, str]] = []
        self._stopping: AttemptOutcome | None = None
        """How it will end when what runs has finished."""
        self._ending: AttemptOutcome | None = None

    def failed(self, artifact: str, failure: Failed) -> int:
        """Take note of a failure that counts; return how many there are."""
        self._failures.append((artifact, failure))
        return len(self._failures)

    def suspended(self, artifact: str, why: str) -> None:
        """Take note of an artifact that waits for something outside."""
        self._suspended.append((artifact, why))

    def stop(self, ending: AttemptOutcome) -> None:
        """Start nothing more, and end so when what runs has finished."""
        self._stopping = worse(self._stopping, ending)

    def settle(self) -> None:
        """End as it was stopped: nothing runs any more, or nobody waits for it."""
        self._ending = self._stopping

    def end(self, ending: AttemptOutcome) -> None:
        """End now, without what runs."""
        self._ending = worse(self._stopping, ending)

    @property
    def stopping(self) -> bool:
        """Whether nothing more is started."""
        return self._stopping is not None

    @property
    def over(self) -> bool:
        """Whether it has ended otherwise than by itself."""
        return self._ending is not None

    @property
    def ending(self) -> AttemptOutcome:
        """How it ends if it ends now."""
        return self._ending or self.natural

    @property
    def natural(self) -> AttemptOutcome:
        """How it ends by itself."""
        if self._failures:
            name, failure = self._failures[0]
            text = f"{name}: {failure.kind}: {failure.message}"
            if more := len(self._failures) - 1:
                text += f" (and {more} more)"
            return AttemptOutcome(RunStatus.FAILED, error=text, exit_code=Exit.FAILED)
        if self._suspended:
            reason = "; ".join(f"{name}: {why}" for name, why in self._suspended)
            return AttemptOutcome(RunStatus.SUSPENDED, reason, exit_code=Exit.SUSPENDED)
        return AttemptOutcome(RunStatus.COMPLETED)
