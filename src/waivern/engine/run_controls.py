"""The limits of an attempt, and the callbacks by which its caller follows and stops it."""

from collections.abc import Callable, Iterable, Mapping
from random import random
from typing import NamedTuple

from waivern.engine.inbox import AnnotationRequested, CancelRequested
from waivern.ids import ArtifactId


class Limits(NamedTuple):
    """The limits of an attempt."""

    timeout_s: float | None
    """For the whole of it."""
    grace_s: float
    """Seconds that running work has to finish after a signal."""
    max_failures: int | None = None
    """After so many failures nothing more is started; None: never."""
    pools: Mapping[str, int] = {}
    """How many artifacts of a pool are produced at once."""
    only: frozenset[ArtifactId] | None = None
    """The artifacts that may be produced; None: all."""


class RunControls(NamedTuple):
    """The callbacks of an attempt, and its source of chance."""

    requested: Callable[[], Iterable[CancelRequested | AnnotationRequested]] = tuple
    """Returns what users have requested since the last call. May block."""
    on_stop: Callable[[str], None] = lambda _why: None
    """Called with the reason why nothing more is started, while running work finishes."""
    on_wait: Callable[[str], None] = lambda _why: None
    """Called with a sentence for people when the run waits for work that it cannot stop."""
    chance: Callable[[], float] = random
    """A number from 0 to 1, for the jitter of retries."""
    watch_s: float = 0.2
    """How often `requested` is called; the store says how often looking makes sense."""
