"""The terms of an attempt: what it is given, and how it can end."""

from collections.abc import Callable, Mapping
from random import random
from typing import NamedTuple

from waivern.errors import Exit
from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.record.status import RunStatus


class Limits(NamedTuple):
    """What bounds an attempt."""

    timeout_s: float | None
    """For the whole of it."""
    grace_s: float
    """How long running work is let finish after a signal."""
    max_failures: int | None = None
    """After so many failures nothing more is started; None: never."""
    pools: Mapping[str, int] = {}
    """How many artifacts of a pool are made at once."""
    only: frozenset[ArtifactId] | None = None
    """The artifacts that may be made; None: all."""


class Wishes(NamedTuple):
    """How people and chance reach into a run, and are told that they did."""

    cancelled: Callable[[], dict[str, Json] | None] = lambda: None
    """Returns `{by, note}` once somebody has asked that the run be cancelled. May block."""
    on_stop: Callable[[str], None] = lambda _why: None
    """Told why nothing more is started, while what runs is let finish."""
    chance: Callable[[], float] = random
    """A number from 0 to 1, for the jitter of retries."""


class Ending(NamedTuple):
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


def worse(one: Ending | None, other: Ending) -> Ending:
    """Return how an attempt ends of which both are true.

    It is the graver one, in the order of the exit codes: that the store fails, that somebody
    interrupts from outside, that time is up, that artifacts have failed. But that the run was
    cancelled stays true whatever comes, unless the store may have lost it: only who knows of it
    should resume.
    """
    if one is None:
        return other
    graver, lesser = sorted((one, other), key=_rank)
    if lesser.status == RunStatus.CANCELLED and graver.exit_code != Exit.STORE:
        return lesser._replace(exit_code=graver.exit_code)
    return graver


def _rank(ending: Ending) -> int:
    """Return how grave it is: smaller is worse."""
    if ending.exit_code == Exit.STORE:
        return 0
    if ending.status == RunStatus.INTERRUPTED:
        return 1
    if ending.exit_code == Exit.TIMEOUT:
        return 2
    return 4 if ending.status == RunStatus.CANCELLED else 3
