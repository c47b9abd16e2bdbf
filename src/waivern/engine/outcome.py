"""The outcome of an attempt, which ends by itself or is stopped."""

from typing import NamedTuple

from waivern.engine.calls import Failed, LeftBehind
from waivern.errors import Exit, IntegrityError, WaivernError, precedence
from waivern.record.status import RunStatus


class AttemptOutcome(NamedTuple):
    """The status of an attempt that ended, with the reason."""

    status: RunStatus
    reason: str | None = None
    error: str | None = None
    exit_code: int = Exit.OK
    left: tuple[LeftBehind, ...] = ()
    """The work that was left behind."""

    @property
    def stuck(self) -> bool:
        """Whether only `os._exit` can end the process, because of the work that was left."""
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

    It is the graver one, in the order of the exit codes: that the store fails, that a signal
    interrupts the run, that time is up, that artifacts have failed. But that the run was
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
    """The outcome of a running attempt, as far as it is known."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, Failed]] = []
        self._suspended: list[tuple[str, str]] = []
        self._stopping: AttemptOutcome | None = None
        """How it will end when what runs has finished."""
        self._ending: AttemptOutcome | None = None

    def failed(self, artifact: str, failure: Failed) -> int:
        """Record a failure that counts; return how many there are."""
        self._failures.append((artifact, failure))
        return len(self._failures)

    def suspended(self, artifact: str, why: str) -> None:
        """Record an artifact that waits for something outside."""
        self._suspended.append((artifact, why))

    def stop(self, ending: AttemptOutcome) -> None:
        """Start nothing more, and end so when what runs has finished."""
        self._stopping = worse(self._stopping, ending)

    def settle(self) -> None:
        """End as it was stopped: nothing runs any more, or the wait for it is over."""
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
