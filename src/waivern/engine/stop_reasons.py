"""The outcomes of attempts that do not end by themselves, by the reason that stops them."""

from __future__ import annotations

from signal import Signals

from waivern.engine.outcome import AttemptOutcome
from waivern.errors import Exit
from waivern.record.status import RunStatus

CANCELLED = AttemptOutcome(RunStatus.CANCELLED, "cancel", exit_code=Exit.FAILED)
"""Another process requested it."""
HALTED = AttemptOutcome(RunStatus.INTERRUPTED, "cancelled", exit_code=Exit.FAILED)
"""The caller in this process wants the run to end."""


def interrupted_by(number: Signals) -> AttemptOutcome:
    """Return how an attempt ends that a signal stops."""
    return AttemptOutcome(RunStatus.INTERRUPTED, number.name, exit_code=128 + number)


def broken_off(error: BaseException) -> AttemptOutcome:
    """Return how an attempt ends whose loop raised."""
    reason = "SIGINT" if isinstance(error, KeyboardInterrupt) else "defect"
    return AttemptOutcome(RunStatus.INTERRUPTED, reason)


def executor_gone(reason: str) -> AttemptOutcome:
    """Return how an attempt ends whose executor can carry out nothing any more."""
    return AttemptOutcome(RunStatus.INTERRUPTED, "executor", reason, Exit.FAILED)


def out_of_time(limit: str) -> AttemptOutcome:
    """Return how an attempt ends whose time is up."""
    return AttemptOutcome(RunStatus.FAILED, "timeout", limit, Exit.TIMEOUT)
