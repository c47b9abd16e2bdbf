"""The terms of an attempt: what it is given, and how it can end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from waivern.errors import Exit
from waivern.message import Json
from waivern.record.status import RunStatus


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run may take, and how long running work is let finish after a signal."""

    timeout_s: float | None
    grace_s: float


@dataclass(frozen=True, slots=True)
class Wishes:
    """How people reach into a run, and are told that they did."""

    cancelled: Callable[[], dict[str, Json] | None] = lambda: None
    """Returns `{by, note}` once somebody has asked that the run be cancelled. May block."""
    on_stop: Callable[[str], None] = lambda _why: None
    """Told why nothing more is started, while what runs is let finish."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    status: RunStatus
    reason: str | None = None
    error: str | None = None
    exit_code: int = Exit.OK
    stuck: bool = False
    """A thread is blocked and was left behind: the process can only be left with `os._exit`."""


def store_failure(message: str) -> Ending:
    """Return how an attempt ends when the store can no longer write."""
    return Ending(RunStatus.INTERRUPTED, "store", message, Exit.STORE)
